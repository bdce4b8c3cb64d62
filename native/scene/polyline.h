#pragma once
#include <span>
#include <vector>

#include "scene/road_map.h"

namespace wam::scene {

/// A line of points with its arc length.
struct Polyline {
  std::vector<Point> points;
  std::vector<double> arc;

  void clear();
  /// Appends a point unless it coincides (to 1 mm) with the last.
  void append(Point p);
  double length() const { return arc.empty() ? 0 : arc.back(); }
};

struct Projection {
  double arc = 0;       // along the line, within [0, length] unless the point lies before or beyond it
  double lateral = 0;   // signed, left of the driving direction is positive
  double distance = 0;  // to the nearest point of the line
  double heading = 0;   // of the nearest segment
};

/// Nearest point of a line of at least two points. Before its start and beyond its end the arc goes on along the first
/// and last segment, so that "ahead of" stays meaningful there.
Projection project(std::span<const Point> points, std::span<const double> arc, Point p);

struct Pose {
  double x = 0, y = 0, heading = 0;
};

/// Pose at an arc length; straight extrapolation outside the line. Heading is interpolated between segment midpoints.
Pose pose_at(std::span<const Point> points, std::span<const double> arc, double s);

}  // namespace wam::scene
