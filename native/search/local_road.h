#pragma once
// The lanes near the ego as strips: what is road, and which way it is driven.

#include <vector>

#include "search/ego_frame.h"

namespace wam::search {

class LocalRoad {
 public:
  /// Lanes within `reach` metres of the ego. A lane that ends without a successor (at the border of the map) goes on
  /// straight. Storage is reused.
  void build(const scene::Observation& observation, const EgoFrame& frame, double reach);

  bool empty() const { return pieces_.empty(); }
  /// Metres from (x, y) to the nearest lane; 0 on a lane.
  double outside(double x, double y) const;
  /// (x, y) is on a lane, and every lane it is on is driven against (cos, sin).
  bool against_traffic(double x, double y, double cos, double sin) const;
  /// Metres from (x, y) to the nearest centreline of a lane that goes along (cos, sin), and that lane's half width.
  struct Offset {
    double distance = HUGE_VAL, half_width = 0;
  };
  Offset lane_offset(double x, double y, double cos, double sin) const;

 private:
  struct Strip {
    double x = 0, y = 0, cos = 1, sin = 0, length = 0;
  };
  struct Piece {
    double x = 0, y = 0, radius = 0;  // circle around its strips, borders included
    double half_width = 0;
    Strip strips[4];
  };
  template <class Visit>
  void near(double x, double y, double slack, Visit visit) const;

  std::vector<Piece> pieces_;
};

}  // namespace wam::search
