#include "scene/road_map.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "scene/polyline.h"

namespace wam::scene {

double wrap_angle(double angle) {
  constexpr double kTurn = 2 * std::numbers::pi;
  angle = std::fmod(angle + std::numbers::pi, kTurn);
  return (angle < 0 ? angle + kTurn : angle) - std::numbers::pi;
}

RoadMap::RoadMap(std::vector<Lane> lanes) : lanes_(std::move(lanes)) {
  const int count = static_cast<int>(lanes_.size());
  const auto check = [&](int lane, int other, const char* what) {
    if (other < 0 || other >= count) {
      throw Error("ERR_SCENARIO", "lane " + std::to_string(lane) + ": " + what + " index " + std::to_string(other) +
                                      " is outside the map's " + std::to_string(count) + " lanes");
    }
  };
  for (int i = 0; i < count; ++i) {
    Lane& lane = lanes_[i];
    Polyline line;
    for (const Point& p : lane.center) line.append(p);
    if (line.points.size() < 2) {
      throw Error("ERR_SCENARIO", "lane " + std::to_string(i) + ": the centre line has no length");
    }
    lane.center = std::move(line.points);
    lane.arc = std::move(line.arc);
    for (int other : lane.successors) check(i, other, "successor");
    for (int other : lane.predecessors) check(i, other, "predecessor");
    if (lane.left != -1) check(i, lane.left, "left neighbour");
    if (lane.right != -1) check(i, lane.right, "right neighbour");

    const int pieces = std::max(1, static_cast<int>(std::lround(lane.length() / kPieceLength)));
    for (int k = 0; k < pieces; ++k) {
      LanePiece piece;
      piece.lane = i;
      piece.last = k + 1 == pieces;
      piece.length = lane.length() / pieces;
      for (int j = 0; j < 5; ++j) {
        const Pose pose = pose_at(lane.center, lane.arc, (k + j / 4.0) * piece.length);
        piece.points[j] = {pose.x, pose.y};
      }
      pieces_.push_back(piece);
    }
  }
}

}  // namespace wam::scene
