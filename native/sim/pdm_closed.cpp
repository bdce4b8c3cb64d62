#include "sim/pdm_closed.h"

#include <algorithm>
#include <cmath>

#include "core/planar.h"
#include "sim/corridor.h"
#include "sim/score.h"
#include "sim/simulator.h"

namespace wam::sim {
namespace {

constexpr double kSight = 100;  // metres
constexpr int kForecastStride = 2, kForecastMaps = (kPlannedStates - 1) / kForecastStride + 1;
constexpr double kHorizon = 5;  // seconds of the corridor
constexpr double kOffsets[kPaths] = {0, -1, 1};
constexpr double kSpeedParts[kPolicies] = {0.2, 0.4, 0.6, 0.8, 1.0};

// Intelligent driver model; metres, seconds.
constexpr double kMinGap = 1.0, kHeadway = 1.5, kAcceleration = 1.5, kDeceleration = 3.0;
constexpr int kExponent = 10;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// Most objects of a kind that PDM-Closed looks at.
int most_of(ObjectType type) {
  switch (type) {
    case ObjectType::vehicle:
      return 50;
    case ObjectType::pedestrian:
      return 25;
    case ObjectType::bicycle:
      return 10;
    default:
      return 50;
  }
}

struct Leader {
  double progress = 0, speed = 0, rear = 0;
};

struct Along {
  double progress = 0, speed = 0;
};

Along drive(const Along& s, const Leader& lead, double target) {
  const double wanted =
      kMinGap + kHeadway * s.speed + s.speed * (s.speed - lead.speed) / (2 * std::sqrt(kAcceleration * kDeceleration));
  const double gap = std::max(lead.progress - s.progress - lead.rear, kMinGap);
  const double free = std::pow(s.speed / target, kExponent);
  const double a = kAcceleration * (1 - free - (wanted / gap) * (wanted / gap));
  return {s.progress + kDt * s.speed, s.speed + kDt * std::clamp(a, -kDeceleration, kAcceleration)};
}

/// A thing that may stand in the way on one path at one time.
struct Obstacle {
  const Quad* quad = nullptr;        // null: a red connector
  const Polygon* polygon = nullptr;  // of that connector
  double progress = 0;               // of its centroid along the path
  const Tracked* object = nullptr;
};

/// The path's own vertices from `start` to `end` metres; an exact cut where fewer than two lie there.
std::vector<Vec2> stretch(const Centerline& path, double start, double end) {
  start = std::clamp(start, 0.0, path.length());
  end = std::clamp(end, 0.0, path.length());
  std::vector<Vec2> line;
  for (std::size_t i = 0; i < path.poses().size(); ++i) {
    if (path.progress()[i] >= start && path.progress()[i] <= end)
      line.push_back({path.poses()[i].x, path.poses()[i].y});
  }
  if (line.size() >= 2) return line;
  const Pose a = path.at(start), b = path.at(end);
  return {{a.x, a.y}, {b.x, b.y}};
}

/// Unrolls the five policies of one path.
class PathPolicies {
 public:
  PathPolicies(const Scene& scene, const Ground& ground, const Centerline& path, const Occupancy& forecast,
               double speed_limit)
      : path_(path), forecast_(forecast), limit_(speed_limit) {
    const double start = path.nearest({scene.ego.x, scene.ego.y}).progress;
    Corridor corridor;
    corridor.set(stretch(path, start, start + limit_ * kHorizon), vehicle::kWidth / 2, Cap::square);
    obstacles_.resize(kForecastMaps);
    for (int map = 0; map < kForecastMaps; ++map) {
      const int step = map * kForecastStride;
      for (const Box& box : forecast.boxes(step)) {
        if (!corridor.meets(box.quad)) continue;
        const Tracked& object = forecast.objects()[at(box.object)];
        obstacles_[at(map)].push_back({&box.quad, nullptr, path.nearest(box.quad.centroid()).progress, &object});
      }
      for (const int lane : forecast.red(step)) {
        const Polygon& polygon = ground.map->lanes()[at(lane)].polygon;
        if (!corridor.meets(polygon)) continue;
        obstacles_[at(map)].push_back({nullptr, &polygon, path.nearest(polygon.centroid()).progress, nullptr});
      }
    }
    for (auto& policy : states_) policy[0] = {start, scene.ego.vx};
    unroll(1, kStates, 0, kPolicies);
  }

  const std::array<Along, kPlannedStates>& states(int policy) const { return states_[policy]; }

  /// Goes on from 4 to 5 s with one policy alone.
  void extend(int policy) { unroll(kStates, kPlannedStates, policy, policy + 1); }

 private:
  void unroll(int from, int to, int first, int end) {
    // Step 1 copies the empty leaders of step 0: every proposal brakes once as if before a wall.
    for (int step = from; step < to; ++step) {
      if (step % kForecastStride == 0) find_leaders(step, first, end);
      for (int policy = first; policy < end; ++policy) {
        auto& states = states_[policy];
        states[at(step)] = drive(states[at(step - 1)], leaders_[policy], kSpeedParts[policy] * limit_);
      }
    }
  }

  void find_leaders(int step, int first, int end) {
    // One record for all policies, as in the devkit: what a policy does not write stays from the one before.
    Leader record;
    for (int policy = first; policy < end; ++policy) {
      const Along& s = states_[policy][at(step - 1)];
      const Pose pose = path_.at(s.progress);
      const Quad ego = footprint(pose);
      const Obstacle* nearest = nullptr;
      double least = HUGE_VAL;
      for (const Obstacle& obstacle : obstacles_[at(forecast_.map_of(step))]) {
        if (!(obstacle.progress > s.progress)) continue;
        const double d = obstacle.quad != nullptr ? distance(*obstacle.quad, ego) : distance(*obstacle.polygon, ego);
        if (d < least) least = d, nearest = &obstacle;
      }
      if (nearest == nullptr) {
        record.progress = path_.length();
        record.rear = vehicle::kLength / 2;
      } else {
        record.progress = s.progress + least;
        if (nearest->object != nullptr) {
          const Tracked& object = *nearest->object;
          record.speed = object.agent ? object.speed * std::cos(object.heading - pose.heading) : 0;
        }
      }
      leaders_[policy] = record;
    }
  }

  const Centerline& path_;
  const Occupancy& forecast_;
  double limit_;
  std::vector<std::vector<Obstacle>> obstacles_;  // by map
  std::array<Along, kPlannedStates> states_[kPolicies];
  Leader leaders_[kPolicies];
};

}  // namespace

Occupancy forecast(const Scene& scene, const std::vector<std::uint8_t>& lane_on_route) {
  const Pose pose{scene.ego.x, scene.ego.y, scene.ego.heading};
  const Vec2 center = center_of(pose);
  const Quad ego = footprint(pose);
  struct Seen {
    double distance;
    std::size_t index;
  };
  // Vehicles, pedestrians, bicycles, and all static types together.
  std::vector<Seen> seen[4];
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const SceneObject& object = scene.objects[i];
    const Sample& s = object.samples.front();
    const double d = distance(center, {s.x, s.y});
    if (s.time_us == 0 && d < kSight) seen[std::min(3, static_cast<int>(object.type))].push_back({d, i});
  }
  Occupancy occupancy(kForecastMaps, kForecastStride);
  struct Moving {
    const SceneObject* object;
    double vx, vy;
  };
  std::vector<Moving> moving;
  for (auto& group : seen) {
    std::stable_sort(group.begin(), group.end(), [](const Seen& a, const Seen& b) { return a.distance < b.distance; });
    for (std::size_t k = 0; k < group.size(); ++k) {
      const SceneObject& object = scene.objects[group[k].index];
      if (static_cast<int>(k) >= most_of(object.type)) break;
      const Sample& s = object.samples.front();
      if (intersects(ego, box({s.x, s.y, s.heading}, object.length, object.width))) continue;
      const bool agent = is_agent(object.type);
      const double speed = agent ? planar_length(s.vx, s.vy) : 0;
      occupancy.add_object({static_cast<int>(group[k].index), agent, speed, s.heading});
      // Along its heading, backwards when it moves that way.
      const double c = std::cos(s.heading), sn = std::sin(s.heading), sign = s.vx * c + s.vy * sn > 0 ? 1 : -1;
      moving.push_back({&object, sign * speed * c, sign * speed * sn});
    }
  }
  std::vector<int> red = red_at(scene, 0, lane_on_route);
  std::erase_if(red, [&](int lane) {
    const Polygon& polygon = scene.map->lanes()[at(lane)].polygon;
    return std::all_of(std::begin(ego.corner), std::end(ego.corner),
                       [&](Vec2 p) { return polygon.locate(p) != Side::outside; });
  });
  for (int map = 0; map < kForecastMaps; ++map) {
    const double t = map * kForecastStride * kDt;
    for (std::size_t k = 0; k < moving.size(); ++k) {
      const Sample& s = moving[k].object->samples.front();
      occupancy.add_box(map, static_cast<int>(k), {s.x + t * moving[k].vx, s.y + t * moving[k].vy, s.heading},
                        moving[k].object->length, moving[k].object->width);
    }
    for (const int lane : red) occupancy.add_red(map, lane);
  }
  occupancy.finish();
  return occupancy;
}

PdmClosedPlan plan_pdm_closed(const Scene& scene, Version version, const Ground& ground, double speed_limit,
                              const Occupancy& forecast) {
  PdmClosedPlan plan;
  std::vector<Verdict> verdicts(kProposals);
  std::vector<Centerline> paths;
  for (const double offset : kOffsets) {
    paths.push_back(offset == 0 ? ground.centerline : Centerline(ground.centerline.offset(offset)));
  }
  // Version 2 has no history here, and so no comfort.
  const ComfortCheck* comfort = version == Version::v1 ? &rollout_comfort(version) : nullptr;
  Judge judge(ground, version);
  State rollout[kStates];
  std::vector<PathPolicies> policies;
  for (int p = 0; p < kPaths; ++p) {
    policies.emplace_back(scene, ground, paths[at(p)], forecast, speed_limit);
    for (int k = 0; k < kPolicies; ++k) {
      const int i = p * kPolicies + k;
      const auto& along = policies.back().states(k);
      Pose* reference = plan.proposals[i];
      for (int step = 0; step < kStates; ++step) reference[step] = paths[at(p)].at(along[at(step)].progress);
      Profiles profiles;
      const std::span<const Pose, kStates> poses(reference, kStates);
      estimate_profiles(poses, profiles);
      simulate(scene.ego, poses, profiles, rollout);
      verdicts[at(i)] = judge.judge(rollout, forecast, comfort, {});
      plan.raw_progress[i] = verdicts[at(i)].progress;
    }
  }
  std::vector<double> progress(kProposals);
  ego_progress(version, verdicts, progress);
  plan.best = 0;
  for (int i = 0; i < kProposals; ++i) {
    plan.scores[i] = pdm_score(version, verdicts[at(i)], progress[at(i)]);
    if (plan.scores[i] > plan.scores[plan.best]) plan.best = i;
  }
  const Centerline& path = paths[at(plan.best / kPolicies)];
  PathPolicies& best = policies[at(plan.best / kPolicies)];
  best.extend(plan.best % kPolicies);
  for (int step = 0; step < kPlannedStates; ++step) {
    const Along& s = best.states(plan.best % kPolicies)[at(step)];
    plan.idm[step] = {s.progress, s.speed};
    plan.poses[step] = path.at(s.progress);
  }
  resample_poses(scene.time_us, plan.poses, plan.reference);
  Profiles profiles;
  estimate_profiles(plan.reference, profiles);
  simulate(scene.ego, plan.reference, profiles, plan.rollout);
  return plan;
}

}  // namespace wam::sim
