#include "sim/reactive.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/planar.h"

namespace wam::sim {
namespace {

// Intelligent driver model; metres, seconds.
constexpr double kMinGap = 1.0, kHeadway = 1.5, kAcceleration = 1.0, kDeceleration = 2.0, kDefaultTarget = 10.0;
constexpr double kRadius = 100, kSnapDistance = 3, kChord = 0.5, kStanding = 0.1;
constexpr std::int64_t kStepUs = 100'000;
constexpr int kLightSteps = 5;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

Pose point_at(const Centerline& path, double progress) {
  // Exactly at the ends, unlike Centerline::at.
  const auto& poses = path.poses();
  if (progress <= 0) return poses.front();
  if (progress >= path.length()) return poses.back();
  return path.at(progress);
}

/// Pose of the nearest point of a baseline, heading from a chord of half a metre ahead (behind, at the end).
Pose snapped(const Centerline& path, double progress) {
  const Pose here = point_at(path, progress), ahead = point_at(path, progress + kChord);
  if (!(here.x == ahead.x && here.y == ahead.y)) {
    return {here.x, here.y, std::atan2(ahead.y - here.y, ahead.x - here.x)};
  }
  const Pose behind = point_at(path, progress - kChord);
  return {here.x, here.y, std::atan2(here.y - behind.y, here.x - behind.x)};
}

void expect_at_most(std::size_t count, std::size_t limit, const char* what) {
  if (count <= limit) return;
  throw Error("ERR_RANGE", "traffic: reactive traffic expects at most " + std::to_string(limit) + " " + what);
}

}  // namespace

ReactiveTraffic::ReactiveTraffic(const Scene& scene, const std::vector<std::uint8_t>& lane_on_route) : scene_(scene) {
  place(scene);
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    if (scene.objects[i].type == ObjectType::vehicle) continue;
    Replayed track = replay_object(scene.objects[i], kStates);
    if (track.last >= track.first) others_.push_back({static_cast<int>(i), std::move(track)});
  }
  for (int step = 0; step < kStates; step += kLightSteps) red_.push_back(red_at(scene, step * kStepUs, lane_on_route));
}

int ReactiveTraffic::path_of_lane(int lane) {
  int& known = path_of_lane_[at(lane)];
  if (known >= 0) return known;
  known = static_cast<int>(paths_.size());
  // The devkit joins segments without their last points, and there is one segment only.
  std::vector<Pose> points = scene_.map->lanes()[at(lane)].baseline;
  baselines_.emplace_back(points);
  if (points.size() > 2) points.pop_back();
  paths_.emplace_back(std::move(points));
  limits_.push_back(scene_.map->lanes()[at(lane)].speed_limit);
  return known;
}

void ReactiveTraffic::place(const Scene& scene) {
  const WorldMap& map = *scene.map;
  path_of_lane_.assign(map.lanes().size(), -1);
  std::size_t candidates = 0, path_points = 0;
  std::vector<Quad> placed;
  const auto is_free = [&placed](const Quad& quad) {
    return std::none_of(placed.begin(), placed.end(), [&](const Quad& other) { return intersects(quad, other); });
  };
  std::vector<std::size_t> standing;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const SceneObject& object = scene.objects[i];
    const Sample& s = object.samples.front();
    if (object.type != ObjectType::vehicle || s.time_us != 0) continue;
    expect_at_most(++candidates, kMaxVehicles, "vehicles");
    // Lanes that hold the centre; inside an intersection off the lanes, its connectors.
    std::vector<int> lanes, connectors;
    bool in_intersection = false;
    map.areas_at({s.x, s.y}, [&](int a) {
      const Area& area = map.areas()[at(a)];
      if (area.layer == Layer::lane) lanes.push_back(area.index);
      if (area.layer == Layer::lane_connector) connectors.push_back(area.index);
      if (area.layer == Layer::intersection) in_intersection = true;
    });
    std::vector<int>& segments = lanes.empty() && in_intersection ? connectors : lanes;
    std::sort(segments.begin(), segments.end());
    int best = -1;
    double least = HUGE_VAL;
    for (const int lane : segments) {
      const int path = path_of_lane(lane);
      const double progress = baselines_[at(path)].nearest({s.x, s.y}).progress;
      const double difference = std::abs(snapped(baselines_[at(path)], progress).heading - s.heading);  // not wrapped
      if (difference < least) least = difference, best = path;
    }
    const double speed = planar_length(s.vx, s.vy);
    if (best < 0) {
      if (speed < kStanding) standing.push_back(i);
      continue;
    }
    const Centerline::Nearest nearest = baselines_[at(best)].nearest({s.x, s.y});
    const Pose pose = snapped(baselines_[at(best)], nearest.progress);
    if (distance(Vec2{pose.x, pose.y}, Vec2{s.x, s.y}) > kSnapDistance) {
      standing.push_back(i);
      continue;
    }
    const Quad quad = box(pose, object.length, object.width);
    if (!is_free(quad)) continue;
    path_points += paths_[at(best)].poses().size();
    expect_at_most(path_points, kMaxPathPoints, "points of the lanes that its vehicles follow");
    placed.push_back(quad);
    vehicles_.push_back({static_cast<int>(i), best, nearest.progress, speed, pose});
    corridors_.emplace_back(paths_[at(best)], object.width / 2);
  }
  for (const std::size_t i : standing) {
    const SceneObject& object = scene.objects[i];
    const Sample& s = object.samples.front();
    const Quad quad = box({s.x, s.y, s.heading}, object.length, object.width);
    if (!is_free(quad)) continue;
    placed.push_back(quad);
    vehicles_.push_back({static_cast<int>(i), -1, 0, planar_length(s.vx, s.vy), {s.x, s.y, s.heading}});
  }
}

std::vector<ReactiveTrack> ReactiveTraffic::simulate(std::span<const State, kStates> rollout,
                                                     Occupancy& occupancy) const {
  std::vector<Vehicle> now = vehicles_;
  std::vector<ReactiveTrack> tracks(now.size());
  std::vector<std::uint8_t> exists(now.size(), 1);
  std::vector<Corridor> footprint(now.size());
  const auto size = [this](const Vehicle& v) -> const SceneObject& { return scene_.objects[at(v.source)]; };
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Sample& s = size(now[i]).samples.front();
    tracks[i].source = now[i].source;
    tracks[i].pose[0] = {s.x, s.y, s.heading};
    tracks[i].speed[0] = planar_length(s.vx, s.vy);
    tracks[i].vx = s.vx;
    tracks[i].vy = s.vy;
    tracks[i].last = 0;
    footprint[i].add(box(now[i].pose, size(now[i]).length, size(now[i]).width));
  }
  Corridor ego_area;
  double target = kDefaultTarget;  // one for all, as in the devkit: a lane's limit stays for those after it
  for (int step = 1; step < kStates; ++step) {
    const State& ego = rollout[at(step - 1)];
    // The devkit takes the rear axle for the centre of the ego's box.
    ego_area.set({}, 0, Cap::flat);
    ego_area.add(box({ego.x, ego.y, ego.heading}, vehicle::kLength, vehicle::kWidth));
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (distance(Vec2{now[i].pose.x, now[i].pose.y}, center_of({ego.x, ego.y, ego.heading})) > kRadius) exists[i] = 0;
    }
    for (std::size_t i = 0; i < now.size(); ++i) {
      Vehicle& vehicle = now[i];
      if (exists[i] == 0) continue;
      if (vehicle.path >= 0) {
        const Centerline& path = paths_[at(vehicle.path)];
        const PathCorridor& corridor = corridors_[i];
        const double length = size(vehicle).length;
        double gap = path.length() - vehicle.progress, rear = length / 2, lead_speed = 0, least = HUGE_VAL;
        const auto consider = [&](const Corridor& area, double speed, double heading) {
          if (!corridor.rest_meets(vehicle.progress, area)) return;
          const double d = footprint[i].distance_to(area, least);
          if (!(d < least)) return;
          least = gap = d;
          rear = 0;
          lead_speed = speed * std::cos(heading - vehicle.pose.heading);
        };
        consider(ego_area, planar_length(ego.vx, ego.vy), ego.heading);
        for (std::size_t k = 0; k < now.size(); ++k) {
          if (k != i && exists[k] != 0) consider(footprint[k], now[k].speed, now[k].pose.heading);
        }
        if (limits_[at(vehicle.path)] > 0) target = limits_[at(vehicle.path)];
        const double v = vehicle.speed;
        const double wanted =
            kMinGap + kHeadway * v + v * (v - lead_speed) / (2 * std::sqrt(kAcceleration * kDeceleration));
        const double room = std::max(gap - rear, kMinGap), ratio = v / target;
        const double a = kAcceleration * (1 - ratio * ratio * ratio * ratio - (wanted / room) * (wanted / room));
        vehicle.progress += kDt * v;
        vehicle.speed = std::max(0.0, v + kDt * std::clamp(a, -kDeceleration, kAcceleration));
        vehicle.pose = point_at(path, vehicle.progress);
        const double ahead = length / 2 + vehicle.speed * kHeadway;
        corridor.stretch(vehicle.progress - length / 2, vehicle.progress + ahead, footprint[i]);
        footprint[i].add(box(vehicle.pose, length, size(vehicle).width));
      }
      tracks[i].pose[step] = vehicle.pose;
      tracks[i].speed[step] = vehicle.speed;
      tracks[i].last = step;
    }
  }

  occupancy.reset(kStates);
  for (const ReactiveTrack& track : tracks) {
    occupancy.add_object({track.source, true, track.speed[0], track.pose[0].heading});
  }
  for (const Other& other : others_) {
    const Sample& s = other.track.states.front();
    const bool agent = is_agent(scene_.objects[at(other.source)].type);
    occupancy.add_object({other.source, agent, planar_length(s.vx, s.vy), s.heading});
  }
  for (int step = 0; step < kStates; ++step) {
    int object = 0;
    for (const ReactiveTrack& track : tracks) {
      const SceneObject& of = scene_.objects[at(track.source)];
      if (step <= track.last) occupancy.add_box(step, object, track.pose[step], of.length, of.width);
      ++object;
    }
    for (const Other& other : others_) {
      const SceneObject& of = scene_.objects[at(other.source)];
      if (step >= other.track.first && step <= other.track.last) {
        const Sample& s = other.track.states[at(step - other.track.first)];
        occupancy.add_box(step, object, {s.x, s.y, s.heading}, of.length, of.width);
      }
      ++object;
    }
    for (const int lane : red_[at(step / kLightSteps)]) occupancy.add_red(step, lane);
  }
  occupancy.finish();
  return tracks;
}

}  // namespace wam::sim
