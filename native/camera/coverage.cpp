#include "camera/coverage.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wam::camera {
namespace {

/// The part of an edge inside one row of pixels: it runs over `dy` of the row's height, between x0 and x1.
void add_in_row(float* row, int width, float x0, float x1, float dy) {
  if (x1 < x0) std::swap(x0, x1);
  const int first = std::min(static_cast<int>(x0), width), last = std::min(static_cast<int>(x1), width);
  if (first == last) {
    const float share = 0.5f * (x0 + x1) - static_cast<float>(first);
    row[first] += dy * (1 - share);
    row[first + 1] += dy * share;
    return;
  }
  const float slope = dy / (x1 - x0);
  float x = x0;
  for (int i = first; i <= last; ++i) {
    const float end = std::min(static_cast<float>(i + 1), x1);
    const float piece = slope * (end - x), share = 0.5f * (x + end) - static_cast<float>(i);
    row[i] += piece * (1 - share);
    row[i + 1] += piece * share;
    x = end;
  }
}

}  // namespace

void append_edge(std::vector<Edge>& edges, double x0, double y0, double x1, double y1, double width, double height) {
  if (y0 == y1 || (y0 <= 0 && y1 <= 0) || (y0 >= height && y1 >= height)) return;
  const double slope = (x1 - x0) / (y1 - y0);
  const auto cut = [&](double& x, double& y) {
    const double to = std::clamp(y, 0.0, height);
    if (to != y) x += slope * (to - y), y = to;
  };
  const double top_x = x0, top_y = y0;
  cut(x0, y0);
  cut(x1, y1);
  if (y0 == y1) return;
  const auto push = [&](double ax, double ay, double bx, double by) {
    edges.push_back({static_cast<float>(ax), static_cast<float>(ay), static_cast<float>(bx), static_cast<float>(by)});
  };
  if (x0 >= width && x1 >= width) return;
  if (x0 <= 0 && x1 <= 0) return push(0, y0, 0, y1);
  if (x0 >= 0 && x1 >= 0 && x0 <= width && x1 <= width) return push(x0, y0, x1, y1);
  // The edge crosses one border or both: pieces by where it does, each on its side.
  const auto y_at = [&](double x) {
    return std::clamp(top_y + (x - top_x) / slope, std::min(y0, y1), std::max(y0, y1));
  };
  const bool left_first = x0 < x1;
  const double low = std::min(x0, x1), high = std::max(x0, x1);
  const double y_left = low < 0 ? y_at(0) : (left_first ? y0 : y1);
  const double y_right = high > width ? y_at(width) : (left_first ? y1 : y0);
  const double inner_low = std::max(low, 0.0), inner_high = std::min(high, width);
  if (left_first) {
    if (low < 0) push(0, y0, 0, y_left);
    push(inner_low, y_left, inner_high, y_right);
  } else {
    push(inner_high, y_right, inner_low, y_left);
    if (low < 0) push(0, y_left, 0, y1);
  }
}

bool touches(std::span<const Edge> edges, int first_row, int rows) {
  const auto top = static_cast<float>(first_row), end = static_cast<float>(first_row + rows);
  return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
    return std::max(edge.y0, edge.y1) > top && std::min(edge.y0, edge.y1) < end;
  });
}

void add_coverage(std::span<const Edge> edges, int first_row, int rows, int width, float* sums) {
  const auto band_top = static_cast<float>(first_row), band_end = static_cast<float>(first_row + rows);
  const std::size_t stride = static_cast<std::size_t>(width) + 2;
  const auto right = static_cast<float>(width);
  for (const Edge& edge : edges) {
    const float top = std::min(edge.y0, edge.y1), bottom = std::max(edge.y0, edge.y1);
    if (bottom <= band_top || top >= band_end) continue;
    const bool down = edge.y1 > edge.y0;
    const float top_x = down ? edge.x0 : edge.x1, bottom_x = down ? edge.x1 : edge.x0;
    const float slope = (bottom_x - top_x) / (bottom - top);
    const float low = std::min(top_x, bottom_x), high = std::max(top_x, bottom_x);
    const auto x_at = [&](float y) {
      return std::clamp(std::clamp(top_x + (y - top) * slope, low, high), 0.0f, right);
    };
    const int last = std::min(rows, static_cast<int>(std::ceil(bottom)) - first_row);
    int row = std::max(0, static_cast<int>(top) - first_row);
    float y = std::max(top, band_top), x = x_at(y);
    for (; row < last; ++row) {
      const auto row_top = static_cast<float>(first_row + row);
      const float end = std::min(bottom, row_top + 1);
      if (end <= y) continue;
      const float end_x = end == bottom ? std::clamp(bottom_x, 0.0f, right) : x_at(end);
      float* sum = sums + static_cast<std::size_t>(row) * stride;
      add_in_row(sum, width, x, end_x, down ? end - y : y - end);
      y = end;
      x = end_x;
    }
  }
}

void resolve_coverage(float* row, int width) {
  float sum = 0;
  for (int i = 0; i < width; ++i) {
    sum += row[i];
    row[i] = std::clamp(sum, 0.0f, 1.0f);
  }
}

}  // namespace wam::camera
