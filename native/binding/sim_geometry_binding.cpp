// The simulator's geometry on plain numbers, so that it can be compared with other ways to compute it.

#include <cmath>
#include <vector>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/sim_binding.h"
#include "sim/centerline.h"

namespace wam::binding {
namespace {

constexpr double kLargest = 1e100;  // exact predicates square a coordinate

/// Rows of `size` finite numbers, in the caller's memory.
class Rows {
 public:
  Rows(const Napi::CallbackInfo& info, std::size_t index, const char* name, std::size_t size)
      : values_(typed_array<double>(info.Env(), info[index], name)), size_(size) {
    if (values_.size() % size != 0) {
      throw Error("ERR_SHAPE", std::string(name) + ": expected rows of " + std::to_string(size));
    }
    for (const double value : values_) {
      if (!(std::abs(value) <= kLargest)) {
        throw Error("ERR_NOT_FINITE", std::string(name) + ": expected finite numbers up to 1e100");
      }
    }
  }

  std::size_t count() const { return values_.size() / size_; }
  double at(std::size_t row, std::size_t column) const { return values_[row * size_ + column]; }
  sim::Vec2 point(std::size_t row, std::size_t which) const { return {at(row, 2 * which), at(row, 2 * which + 1)}; }
  sim::Quad quad(std::size_t row) const { return {{point(row, 0), point(row, 1), point(row, 2), point(row, 3)}}; }

 private:
  std::span<double> values_;
  std::size_t size_;
};

sim::Polygon read_polygon(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Rows rows(info, index, name, 2);
  std::vector<sim::Vec2> ring;
  for (std::size_t i = 0; i < rows.count(); ++i) ring.push_back(rows.point(i, 0));
  return sim::Polygon(std::move(ring));
}

void expect_as_many(const Rows& a, const Rows& b) {
  if (a.count() != b.count()) throw Error("ERR_SHAPE", "expected as many of the first as of the second");
}

/// An integer for each of `count` rows.
template <class F>
Napi::Value integers(const Napi::CallbackInfo& info, std::size_t count, F&& of) {
  auto out = Napi::Int32Array::New(info.Env(), count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::int32_t>(of(i));
  return out;
}

/// turns(triples [n, 6])
Napi::Value turns(const Napi::CallbackInfo& info) {
  const Rows p(info, 0, "triples", 6);
  return integers(info, p.count(),
                  [&](std::size_t i) { return sim::orientation(p.point(i, 0), p.point(i, 1), p.point(i, 2)); });
}

/// segmentsMeet(a [n, 4], b [n, 4])
Napi::Value segments_meet(const Napi::CallbackInfo& info) {
  const Rows a(info, 0, "a", 4), b(info, 1, "b", 4);
  expect_as_many(a, b);
  return integers(info, a.count(), [&](std::size_t i) {
    return sim::segments_intersect(a.point(i, 0), a.point(i, 1), b.point(i, 0), b.point(i, 1)) ? 1 : 0;
  });
}

/// locatePoints(ring [m, 2], points [n, 2])
Napi::Value locate_points(const Napi::CallbackInfo& info) {
  const sim::Polygon polygon = read_polygon(info, 0, "ring");
  const Rows points(info, 1, "points", 2);
  return integers(info, points.count(),
                  [&](std::size_t i) { return static_cast<int>(polygon.locate(points.point(i, 0))); });
}

/// boxCorners(boxes [n, 5])
Napi::Value box_corners(const Napi::CallbackInfo& info) {
  const Rows boxes(info, 0, "boxes", 5);
  auto out = Napi::Float64Array::New(info.Env(), boxes.count() * 8);
  for (std::size_t i = 0; i < boxes.count(); ++i) {
    const sim::Quad quad = sim::box({boxes.at(i, 0), boxes.at(i, 1), boxes.at(i, 2)}, boxes.at(i, 3), boxes.at(i, 4));
    for (std::size_t k = 0; k < 4; ++k) {
      out[8 * i + 2 * k] = quad.corner[k].x;
      out[8 * i + 2 * k + 1] = quad.corner[k].y;
    }
  }
  return out;
}

/// boxesMeet(a [n, 8], b [n, 8])
Napi::Value boxes_meet(const Napi::CallbackInfo& info) {
  const Rows a(info, 0, "a", 8), b(info, 1, "b", 8);
  expect_as_many(a, b);
  return integers(info, a.count(), [&](std::size_t i) { return sim::intersects(a.quad(i), b.quad(i)) ? 1 : 0; });
}

/// boxesMeetSegments(boxes [n, 8], segments [n, 4])
Napi::Value boxes_meet_segments(const Napi::CallbackInfo& info) {
  const Rows boxes(info, 0, "boxes", 8), segments(info, 1, "segments", 4);
  expect_as_many(boxes, segments);
  return integers(info, boxes.count(), [&](std::size_t i) {
    return sim::intersects(boxes.quad(i), segments.point(i, 0), segments.point(i, 1)) ? 1 : 0;
  });
}

/// boxesMeetPolygon(boxes [n, 8], ring [m, 2])
Napi::Value boxes_meet_polygon(const Napi::CallbackInfo& info) {
  const Rows boxes(info, 0, "boxes", 8);
  const sim::Polygon polygon = read_polygon(info, 1, "ring");
  return integers(info, boxes.count(), [&](std::size_t i) { return sim::intersects(polygon, boxes.quad(i)) ? 1 : 0; });
}

/// commonArea(a [m, 2], b [n, 2])
Napi::Value common_area(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), sim::intersection_area(read_polygon(info, 0, "a"), read_polygon(info, 1, "b")));
}

/// projectPoints(line [m, 3], points [n, 2])
Napi::Value project_points(const Napi::CallbackInfo& info) {
  const Rows line(info, 0, "line", 3), points(info, 1, "points", 2);
  std::vector<sim::Pose> poses;
  for (std::size_t i = 0; i < line.count(); ++i) poses.push_back({line.at(i, 0), line.at(i, 1), line.at(i, 2)});
  const sim::Centerline centerline(std::move(poses));
  auto out = Napi::Float64Array::New(info.Env(), points.count() * 2);
  for (std::size_t i = 0; i < points.count(); ++i) {
    const sim::Centerline::Nearest nearest = centerline.nearest(points.point(i, 0));
    out[2 * i] = nearest.progress;
    out[2 * i + 1] = nearest.distance;
  }
  return out;
}

}  // namespace

void register_sim_geometry(Napi::Object exports) {
  define<&turns>(exports, "turns");
  define<&segments_meet>(exports, "segmentsMeet");
  define<&locate_points>(exports, "locatePoints");
  define<&box_corners>(exports, "boxCorners");
  define<&boxes_meet>(exports, "boxesMeet");
  define<&boxes_meet_segments>(exports, "boxesMeetSegments");
  define<&boxes_meet_polygon>(exports, "boxesMeetPolygon");
  define<&common_area>(exports, "commonArea");
  define<&project_points>(exports, "projectPoints");
}

}  // namespace wam::binding
