#pragma once
// A road map as the planner sees it: lane centrelines with their topology, in the map's own frame, float64.

#include <cstdint>
#include <span>
#include <vector>

namespace wam::scene {

struct Point {
  double x = 0, y = 0;
};

struct Lane {
  std::vector<Point> center;    // driving direction, at least 2 points
  std::vector<double> arc;      // arc length at each point, arc[0] = 0
  std::vector<int> successors;  // lane indices
  std::vector<int> predecessors;
  int left = -1, right = -1;  // neighbour lane index of the same driving direction, or -1
  double width = 3.5;         // mean distance of the borders, metres
  double speed_limit = -1;    // m/s, negative when unknown
  bool stop_line = false;     // at the end of the lane
  double length() const { return arc.back(); }
};

/// A piece of a lane of at most kPieceLength metres: what one lane token of the prefix stands for.
struct LanePiece {
  int lane = 0;
  bool last = false;  // the piece at the end of its lane
  Point points[5];    // equally spaced
  double length = 0;
};

inline constexpr double kPieceLength = 16.0;

class RoadMap {
 public:
  explicit RoadMap(std::vector<Lane> lanes);  // throws Error(ERR_SCENARIO) on fewer than 2 points or bad indices

  std::span<const Lane> lanes() const { return lanes_; }
  std::span<const LanePiece> pieces() const { return pieces_; }

 private:
  std::vector<Lane> lanes_;
  std::vector<LanePiece> pieces_;
};

/// Wraps to [-pi, pi).
double wrap_angle(double angle);

}  // namespace wam::scene
