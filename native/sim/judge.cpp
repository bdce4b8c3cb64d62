#include "sim/judge.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"

namespace wam::sim {
namespace {

constexpr double kMapRadius = 100;      // metres
constexpr double kStoppedSpeed = 0.05;  // m/s
constexpr double kTtcStoppedSpeed = 0.005;
constexpr double kBehind = 150 * kPi / 180, kAhead = 30 * kPi / 180;
constexpr int kTtcOffsets[] = {0, 3, 6, 9};
constexpr int kTtcSteps[] = {41, 32};                     // version 1, 2
constexpr int kDirectionWindow = 10;                      // steps before the present one
constexpr double kDirectionWarn = 2, kDirectionFail = 6;  // metres
constexpr double kLaneDistance = 0.5;                     // metres
constexpr int kLaneSteps = 20;

std::uint64_t bit(int step) { return std::uint64_t{1} << step; }

}  // namespace

std::vector<std::uint8_t> area_uses(const WorldMap& map, Vec2 c, const std::vector<int>& route_lanes) {
  const Quad square{{{c.x + kMapRadius, c.y + kMapRadius},
                     {c.x - kMapRadius, c.y + kMapRadius},
                     {c.x - kMapRadius, c.y - kMapRadius},
                     {c.x + kMapRadius, c.y - kMapRadius}}};
  std::vector<std::uint8_t> block_near(map.blocks().size()), on_route(map.lanes().size());
  for (std::size_t i = 0; i < block_near.size(); ++i)
    block_near[i] = intersects(map.blocks()[i].polygon, square) ? 1 : 0;
  for (const int lane : route_lanes) on_route[static_cast<std::size_t>(lane)] = 1;
  std::vector<std::uint8_t> use;
  use.reserve(map.areas().size());
  for (const Area& area : map.areas()) {
    const auto index = static_cast<std::size_t>(area.index);
    std::uint8_t u = 0;
    switch (area.layer) {
      case Layer::roadblock:
        if (block_near[index] != 0) u = Ground::kDrivable;
        break;
      case Layer::lane:
      case Layer::lane_connector:
        // Lanes come with their block, whole.
        if (block_near[static_cast<std::size_t>(map.lanes()[index].block)] != 0) {
          u = static_cast<std::uint8_t>(Ground::kLane | (on_route[index] != 0 ? Ground::kRouteLane : 0));
        }
        break;
      case Layer::intersection:
        if (intersects(*area.polygon, square)) u = Ground::kDrivable | Ground::kIntersection;
        break;
      case Layer::carpark:
        if (intersects(*area.polygon, square)) u = Ground::kDrivable;
        break;
    }
    use.push_back(u);
  }
  return use;
}

Judge::Judge(const Ground& ground, Version version) : ground_(ground), version_(version), corners_(ground.use.size()) {}

void Judge::locate() {
  multiple_lanes_ = non_drivable_ = off_route_ = center_in_intersection_ = axle_in_intersection_ = 0;
  const WorldMap& map = *ground_.map;
  for (int step = 0; step < kStates; ++step) {
    const State& s = rollout_[static_cast<std::size_t>(step)];
    unsigned drivable = 0;
    touched_.clear();
    for (int corner = 0; corner < 4; ++corner) {
      map.areas_at(quad_[step].corner[corner], [&](int area) {
        const std::uint8_t use = ground_.use[static_cast<std::size_t>(area)];
        const auto mask = static_cast<std::uint8_t>(1u << corner);
        if ((use & Ground::kDrivable) != 0) drivable |= mask;
        if ((use & Ground::kLane) == 0) return;
        std::uint8_t& held = corners_[static_cast<std::size_t>(area)];
        if (held == 0) touched_.push_back(area);
        held |= mask;
      });
    }
    bool whole = false;
    for (const int area : touched_) {
      whole = whole || corners_[static_cast<std::size_t>(area)] == 15;
      corners_[static_cast<std::size_t>(area)] = 0;
    }
    if (touched_.size() >= 2 && !whole) multiple_lanes_ |= bit(step);
    first_outside_[step] = -1;
    if (drivable != 15) {
      non_drivable_ |= bit(step);
      for (int corner = 3; corner >= 0; --corner) {
        if ((drivable >> corner & 1) == 0) first_outside_[step] = corner;
      }
    }
    bool on_route = false;
    map.areas_at(center_[step], [&](int area) {
      const std::uint8_t use = ground_.use[static_cast<std::size_t>(area)];
      on_route = on_route || (use & Ground::kRouteLane) != 0;
      if ((use & Ground::kIntersection) != 0) center_in_intersection_ |= bit(step);
    });
    if (!on_route) off_route_ |= bit(step);
    map.areas_at({s.x, s.y}, [&](int area) {
      if ((ground_.use[static_cast<std::size_t>(area)] & Ground::kIntersection) != 0)
        axle_in_intersection_ |= bit(step);
    });
  }
}

double Judge::bearing(int step, Vec2 to) const {
  const State& s = rollout_[static_cast<std::size_t>(step)];
  const double dx = to.x - s.x, dy = to.y - s.y, length = planar_length(dx, dy);
  // Clamped: the devkit gets NaN for some objects dead ahead, by rounding, and forgets them.
  return std::acos(std::clamp((dx * cos_[step] + dy * sin_[step]) / length, -1.0, 1.0));
}

void Judge::collisions(const Occupancy& occupancy, Verdict& verdict) {
  std::fill(ignored_.begin(), ignored_.end(), std::uint8_t{0});
  for (int step = 0; step < kStates && verdict.collision > 0; ++step) {
    const Quad& ego = quad_[step];
    for (const int candidate : near_) {
      const Box* found = occupancy.box_near(step, candidate, bounds_[step]);
      if (found == nullptr) continue;
      const Box& other = *found;
      std::uint8_t& ignored = ignored_[static_cast<std::size_t>(other.object)];
      if (ignored != 0 || !intersects(ego, other.quad)) continue;
      const Tracked& object = occupancy.objects()[static_cast<std::size_t>(other.object)];
      Collision type;
      if (speed_[step] <= kStoppedSpeed) {
        type = Collision::stopped_ego;
      } else if (!object.agent || object.speed <= kStoppedSpeed) {
        type = Collision::stopped_track;
      } else if (bearing(step, other.center) > kBehind) {
        type = Collision::rear;
      } else if (intersects(other.quad, ego.corner[0], ego.corner[3])) {
        type = Collision::front;
      } else {
        type = Collision::lateral;
      }
      const bool at_fault = type == Collision::front || type == Collision::stopped_track ||
                            (type == Collision::lateral && in_bad_area(step));
      if (!at_fault) {
        ignored = 1;
        continue;
      }
      const double score = object.agent ? 0 : 0.5;
      if (verdict.collision_at.step < 0) verdict.collision_at = {step, other.object, static_cast<int>(type), 0};
      verdict.collision = std::min(verdict.collision, score);
    }
  }
}

void Judge::time_to_collision(const Occupancy& occupancy, Verdict& verdict) {
  std::fill(ignored_.begin(), ignored_.end(), std::uint8_t{0});
  const int steps = kTtcSteps[version_ == Version::v1 ? 0 : 1];
  for (int step = 0; step < steps; ++step) {
    const double speed = speed_[step];
    if (speed < kTtcStoppedSpeed) continue;
    for (const int offset : kTtcOffsets) {
      const double ahead = offset * kDt * speed, dx = ahead * cos_[step], dy = ahead * sin_[step];
      Bounds bounds = bounds_[step];
      bounds.min_x += dx, bounds.max_x += dx, bounds.min_y += dy, bounds.max_y += dy;
      for (const int candidate : near_) {
        const Box* found = occupancy.box_near(step + offset, candidate, bounds);
        if (found == nullptr) continue;
        const Box& other = *found;
        Quad ego = quad_[step];
        for (Vec2& p : ego.corner) p.x += dx, p.y += dy;
        std::uint8_t& ignored = ignored_[static_cast<std::size_t>(other.object)];
        if (ignored != 0 || !intersects(ego, other.quad)) continue;
        const double angle = bearing(step, other.center);
        const bool crossing = in_bad_area(step) || (axle_in_intersection_ >> step & 1) != 0;
        if (angle < kAhead || (crossing && !(angle > kBehind))) {
          verdict.ttc = 0;
          verdict.ttc_at = {step, other.object, offset, angle};
          return;
        }
        ignored = 1;
      }
    }
  }
}

void Judge::lights(const Occupancy& occupancy, Verdict& verdict) {
  for (int step = 0; step < kStates; ++step) {
    for (const int lane : occupancy.red(step)) {
      if (!intersects(ground_.map->lanes()[static_cast<std::size_t>(lane)].polygon, quad_[step])) continue;
      verdict.light = 0;
      verdict.light_at = {step, -1, lane, 0};
      return;
    }
  }
}

void Judge::direction(Verdict& verdict) const {
  double moved[kStates] = {}, worst = 0;
  const std::uint64_t counted = version_ == Version::v1 ? off_route_ : off_route_ & ~center_in_intersection_;
  for (int step = 1; step < kStates; ++step) {
    if ((counted >> step & 1) != 0) moved[step] = distance(center_[step - 1], center_[step]);
  }
  for (int step = 0; step < kStates; ++step) {
    double sum = 0;
    for (int k = std::max(0, step - kDirectionWindow); k <= step; ++k) sum += moved[k];
    if (sum > worst) {
      worst = sum;
      verdict.direction_at = {step, -1, -1, sum};
    }
  }
  verdict.direction = worst < kDirectionWarn ? 1 : worst < kDirectionFail ? 0.5 : 0;
}

void Judge::lane_keeping(Verdict& verdict) {
  int counter = 0;
  double largest = 0;
  std::size_t guess = 0;
  for (int step = 0; step < kStates; ++step) {
    if ((center_in_intersection_ >> step & 1) != 0) continue;
    const double off = ground_.centerline.nearest(center_[step], guess).distance;
    if (off > kLaneDistance) {
      largest = std::max(largest, off);
      if (++counter < kLaneSteps) continue;
      verdict.lane = 0;
      verdict.lane_at = {step, -1, -1, largest};
      return;
    }
    counter = 0;
    largest = 0;
  }
}

Verdict Judge::judge(std::span<const State, kStates> rollout, const Occupancy& occupancy, const ComfortCheck* comfort,
                     std::span<const State> history) {
  rollout_ = rollout;
  for (int step = 0; step < kStates; ++step) {
    const State& s = rollout[static_cast<std::size_t>(step)];
    cos_[step] = std::cos(s.heading);
    sin_[step] = std::sin(s.heading);
    speed_[step] = planar_length(s.vx, s.vy);
    constexpr double kAhead = vehicle::kRearAxleToCenter;
    center_[step] = {s.x + kAhead * cos_[step], s.y + kAhead * sin_[step]};
    quad_[step] = box(center_[step], cos_[step], sin_[step], vehicle::kLength, vehicle::kWidth);
    bounds_[step] = quad_[step].bounds();
  }
  // What the ego reaches, with the farthest look ahead of the time to collision.
  Bounds reach;
  for (int step = 0; step < kStates; ++step) {
    const double ahead = kTtcOffsets[3] * kDt * speed_[step], dx = ahead * cos_[step], dy = ahead * sin_[step];
    const Bounds& b = bounds_[step];
    reach.add({b.min_x + std::min(dx, 0.0), b.min_y + std::min(dy, 0.0)});
    reach.add({b.max_x + std::max(dx, 0.0), b.max_y + std::max(dy, 0.0)});
  }
  near_.clear();
  occupancy.objects_near(reach, near_);
  ignored_.resize(occupancy.objects().size());

  Verdict verdict;
  locate();
  verdict.multiple_lanes = multiple_lanes_;
  verdict.non_drivable = non_drivable_;
  verdict.off_route = off_route_;
  if (non_drivable_ != 0) {
    int step = 0;
    while ((non_drivable_ >> step & 1) == 0) ++step;
    verdict.drivable = 0;
    verdict.drivable_at = {step, -1, first_outside_[step], 0};
  }
  collisions(occupancy, verdict);
  time_to_collision(occupancy, verdict);
  direction(verdict);
  if (version_ == Version::v2) {
    lights(occupancy, verdict);
    lane_keeping(verdict);
  }
  const double start = ground_.centerline.nearest(center_[0]).progress;
  verdict.progress = std::max(0.0, ground_.centerline.nearest(center_[kStates - 1]).progress - start);
  if (comfort != nullptr) {
    joined_.assign(history.begin(), history.end());
    joined_.insert(joined_.end(), rollout.begin(), rollout.end());
    const ComfortViolation violation = comfort->check(joined_, workspace_);
    if (violation.signal >= 0) {
      verdict.comfort = 0;
      verdict.comfort_at = {violation.sample, -1, violation.signal, violation.value};
    }
  }
  return verdict;
}

}  // namespace wam::sim
