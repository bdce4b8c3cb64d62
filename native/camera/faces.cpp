#include "camera/faces.h"

#include <algorithm>
#include <cmath>

namespace wam::camera {
namespace {

constexpr int kMostCorners = 12;

/// Cuts a convex polygon at depth kNear; returns the number of corners left.
int clip_near(std::span<const Vec3> from, Vec3* to) {
  int n = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Vec3 &a = from[i], &b = from[(i + 1) % from.size()];
    if (a.z >= kNear) to[n++] = a;
    if ((a.z >= kNear) != (b.z >= kNear)) {
      const double t = (kNear - a.z) / (b.z - a.z);
      to[n++] = {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, kNear};
    }
  }
  return n;
}

/// First sample whose middle is at x or right of it, kept within [0, width].
int first_from(double x, int width) {
  return static_cast<int>(std::clamp(std::ceil(x - 0.5), 0.0, static_cast<double>(width)));
}

}  // namespace

void FaceList::clear() {
  faces_.clear();
  edges_.clear();
}

void FaceList::add(const View& view, std::span<const Vec3> corners, const Color& color, int body) {
  const Vec3 normal = cross(corners[1] - corners[0], corners[2] - corners[0]);
  const double distance = dot(normal, corners[0]);
  // The camera's frame is turned like the map's: right, down, ahead. A face that looks at the camera has its plane before
  // the origin.
  if (!(distance < 0)) return;
  Vec3 cut[kMostCorners];
  const int n = clip_near(corners, cut);
  if (n < 3) return;
  const int width = view.pose().width * kSamples, height = view.pose().height_px * kSamples;
  double x[kMostCorners], y[kMostCorners];
  double left = 1e300, right = -1e300, top = 1e300, bottom = -1e300;
  for (int i = 0; i < n; ++i) {
    x[i] = view.u(cut[i]) * kSamples;
    y[i] = view.v(cut[i]) * kSamples;
    left = std::min(left, x[i]), right = std::max(right, x[i]);
    top = std::min(top, y[i]), bottom = std::max(bottom, y[i]);
  }
  if (right <= 0 || left >= width || bottom <= 0 || top >= height) return;
  ScreenFace face;
  face.first_edge = static_cast<std::uint32_t>(edges_.size());
  face.top = first_from(top, height);
  face.end = first_from(bottom, height);
  if (face.top >= face.end) return;
  for (int i = 0; i < n; ++i) {
    const int k = (i + 1) % n;
    if (y[i] == y[k]) continue;
    // From above to below, so that two faces compute the same for the border that they share.
    const int a = y[i] < y[k] ? i : k, b = y[i] < y[k] ? k : i;
    edges_.push_back({x[a], (x[b] - x[a]) / (y[b] - y[a]), y[a], y[b]});
  }
  face.edges = static_cast<std::uint32_t>(edges_.size()) - face.first_edge;
  // 1 / depth is linear in the image: normal . ray / distance, for the ray of depth 1 through the sample.
  const double focal = view.pose().focal, per_sample = 1.0 / (kSamples * focal);
  face.by_x = normal.x * per_sample / distance;
  face.by_y = normal.y * per_sample / distance;
  face.at_0 = (normal.z - normal.x * view.center_u() / focal - normal.y * view.center_v() / focal) / distance +
              0.5 * (face.by_x + face.by_y);
  face.color = color;
  face.body = body;
  faces_.push_back(face);
}

void Band::resize(int width, int rows) {
  width_ = width;
  const std::size_t size = static_cast<std::size_t>(width) * static_cast<std::size_t>(rows);
  if (face_.size() < size) {
    face_.resize(size);
    inverse_depth_.resize(size);
    stamp_.resize(size);
  }
  if (left_.size() < static_cast<std::size_t>(rows)) {
    left_.resize(static_cast<std::size_t>(rows));
    right_.resize(static_cast<std::size_t>(rows));
  }
}

void Band::draw(const FaceList& list, int first_row, int rows, bool counts) {
  const std::size_t size = index(rows, 0);
  std::fill_n(face_.begin(), size, -1);
  std::fill_n(inverse_depth_.begin(), size, 0.0f);
  std::fill_n(left_.begin(), rows, width_);
  std::fill_n(right_.begin(), rows, 0);
  if (counts) {
    std::fill_n(stamp_.begin(), size, -1);
    silhouette_.clear();
  }
  const auto faces = list.faces();
  for (std::size_t i = 0; i < faces.size(); ++i) {
    if (faces[i].end <= first_row || faces[i].top >= first_row + rows) continue;
    const auto edges = list.edges().subspan(faces[i].first_edge, faces[i].edges);
    fill(faces[i], edges, static_cast<int>(i), first_row, rows, counts);
  }
}

void Band::fill(const ScreenFace& face, std::span<const FaceEdge> edges, int number, int first_row, int rows,
                bool counts) {
  const int from = std::max(face.top, first_row), to = std::min(face.end, first_row + rows);
  for (int y = from; y < to; ++y) {
    const double middle = y + 0.5;
    double low = 1e300, high = -1e300;
    for (const FaceEdge& edge : edges) {
      if (middle < edge.top || middle >= edge.bottom) continue;
      const double x = edge.x + (middle - edge.top) * edge.slope;
      low = std::min(low, x);
      high = std::max(high, x);
    }
    const int begin = first_from(low, width_), end = first_from(high, width_);
    if (begin >= end) continue;
    const int row = y - first_row;
    auto& left = left_[static_cast<std::size_t>(row)];
    auto& right = right_[static_cast<std::size_t>(row)];
    left = std::min(left, begin);
    right = std::max(right, end);
    const std::size_t at = index(row, 0);
    float inverse = static_cast<float>(face.by_x * begin + face.by_y * y + face.at_0);
    const auto step = static_cast<float>(face.by_x);
    for (int x = begin; x < end; ++x, inverse += step) {
      const std::size_t sample = at + static_cast<std::size_t>(x);
      if (counts && stamp_[sample] != face.body) {
        stamp_[sample] = face.body;
        const auto body = static_cast<std::size_t>(face.body);
        if (silhouette_.size() <= body) silhouette_.resize(body + 1);
        ++silhouette_[body];
      }
      if (inverse > inverse_depth_[sample]) {
        inverse_depth_[sample] = inverse;
        face_[sample] = number;
      }
    }
  }
}

void Band::add_silhouettes(std::span<std::uint32_t> sums) const {
  for (std::size_t i = 0; i < std::min(sums.size(), silhouette_.size()); ++i) sums[i] += silhouette_[i];
}

}  // namespace wam::camera
