// Geometry and data sets of the scene layer against brute force and by symmetry.

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "scene/features.h"
#include "scene/map_match.h"
#include "scene/polyline.h"
#include "scene/route.h"
#include "test/synthetic.h"
#include "test/test.h"

namespace wam::test {

namespace {

using namespace wam::scene;

Observation observed(const Dataset& data, int window) {
  Observation o;
  data.observe(window, o);
  return o;
}

Features features_of(const Observation& observation, const Augmentation& augmentation = {}) {
  FeatureBuilder builder({8, 12});
  Features out;
  builder.build(observation, augmentation, out);
  return out;
}

/// The whole scene turned by `angle` about the origin and moved; nothing that a planner sees of it may change.
Observation moved(const Observation& o, const RoadMap& map, double angle, double dx, double dy) {
  const double c = std::cos(angle), s = std::sin(angle);
  Observation out = o;
  out.map = &map;
  const auto move = [&](Agent& agent) {
    for (MotionState& m : agent.history) {
      m = {m.t,
           c * m.x - s * m.y + dx,
           s * m.x + c * m.y + dy,
           wrap_angle(m.heading + angle),
           c * m.vx - s * m.vy,
           s * m.vx + c * m.vy};
    }
  };
  move(out.ego);
  for (Agent& agent : out.agents) move(agent);
  return out;
}

RoadMap moved_map(const RoadMap& map, double angle, double dx, double dy) {
  std::vector<Lane> lanes(map.lanes().begin(), map.lanes().end());
  const double c = std::cos(angle), s = std::sin(angle);
  for (Lane& lane : lanes) {
    for (Point& p : lane.center) p = {c * p.x - s * p.y + dx, s * p.x + c * p.y + dy};
  }
  return RoadMap(std::move(lanes));
}

}  // namespace

TEST(projection_finds_the_point_that_dense_sampling_finds) {
  const auto map = bent_road();
  const Lane& lane = map->lanes()[1];
  for (int k = 0; k < 200; ++k) {
    const Point p{-10 + 0.6 * k, 20 * std::sin(0.37 * k) + 0.1 * k};
    const Projection found = project(lane.center, lane.arc, p);
    double least = HUGE_VAL, at = 0;
    for (int i = 0; i <= 100000; ++i) {
      const double s = lane.length() * i / 100000;
      const Pose q = pose_at(lane.center, lane.arc, s);
      const double distance = std::hypot(q.x - p.x, q.y - p.y);
      if (distance < least) least = distance, at = s;
    }
    CHECK_NEAR(found.distance, least, 1e-5);
    // Before the start and beyond the end the arc goes on; inside it is the nearest point's.
    CHECK_NEAR(std::clamp(found.arc, 0.0, lane.length()), at, 0.05);
  }
}

TEST(lateral_offset_is_positive_to_the_left) {
  const std::vector<Point> line = {{0, 0}, {10, 0}, {20, 0}};
  const std::vector<double> arc = {0, 10, 20};
  CHECK_NEAR(project(line, arc, {5, 2}).lateral, 2, 1e-12);
  CHECK_NEAR(project(line, arc, {5, -2}).lateral, -2, 1e-12);
  CHECK_NEAR(project(line, arc, {-3, 1}).arc, -3, 1e-12);
  CHECK_NEAR(project(line, arc, {26, 1}).arc, 26, 1e-12);
}

TEST(angles_wrap_to_the_half_open_turn) {
  CHECK_NEAR(wrap_angle(3 * 3.141592653589793), -3.141592653589793, 1e-12);
  CHECK_NEAR(wrap_angle(-0.5 - 8 * 3.141592653589793), -0.5, 1e-12);
}

TEST(a_map_refuses_lanes_without_length_and_indices_outside_it) {
  Lane point;
  point.center = {{1, 1}, {1, 1}};
  CHECK_THROWS(RoadMap({point}), Error);
  Lane wild;
  wild.center = {{0, 0}, {5, 0}};
  wild.successors = {7};
  CHECK_THROWS(RoadMap({wild}), Error);
  wild.successors = {};
  wild.left = 1;
  CHECK_THROWS(RoadMap({wild}), Error);
}

TEST(map_matching_follows_the_lane_a_vehicle_was_made_to_drive_on) {
  const Recording recording = bent_traffic(6, 120);
  for (int v = 0; v < 6; ++v) {
    const Track& track = recording.tracks[v];
    const std::vector<int> lanes = match_lanes(*recording.map, track);
    for (int k = 0; k < track.steps(); ++k) {
      const double angle = std::atan2(track.x[k], 150 - track.y[k]);
      if (std::abs(angle * 150 - 100) < 3 || angle * 150 > 199) continue;  // at a joint either lane is right
      CHECK_EQ(lanes[k], (angle * 150 < 100 ? 0 : 2) + (v % 2));
    }
  }
}

TEST(a_route_that_leaves_the_successor_chain_makes_a_second_path_on_the_right_side) {
  const auto map = bent_road();
  Route route;
  build_route(*map, {0, 3}, 10, 0.3, 0.06, route);
  CHECK_EQ(route.paths, 2);
  CHECK_EQ(route.change, 1);
  CHECK_EQ(route.path[0].lanes[0].lane, 0);
  build_route(*map, {1, 2}, 10, 3.8, 0.06, route);
  CHECK_EQ(route.change, -1);
  build_route(*map, {0, 2}, 10, 0.3, 0.06, route);
  CHECK_EQ(route.paths, 1);
  build_route(*map, {}, 10, 0.3, 0.06, route);
  CHECK_EQ(route.paths, 1);
  CHECK_EQ(route.path[0].lanes[0].lane, 0);
  build_route(*map, {}, 500, 500, 0, route);
  CHECK_EQ(route.paths, 0);
}

TEST(windows_hold_the_future_that_the_track_has) {
  const auto data = bent_dataset(4, 60);
  CHECK(data->size() > 20);
  bool some_partial = false;
  for (int i = 0; i < data->size(); ++i) {
    const Window& w = data->window(i);
    const Track& track = data->recording(0).tracks[w.ego];
    const Future future = data->future(i);
    const int k0 = w.present;
    for (int p = 0; p < kWaypoints; ++p) {
      const int k = k0 + 5 * (p + 1);
      CHECK_EQ(future.valid[p], k < track.steps() && k - k0 <= w.future);
      some_partial |= !future.valid[p];
      if (!future.valid[p]) continue;
      const double x =
          track.x[k0] + std::cos(track.heading[k0]) * future.x[p] - std::sin(track.heading[k0]) * future.y[p];
      const double y =
          track.y[k0] + std::sin(track.heading[k0]) * future.x[p] + std::cos(track.heading[k0]) * future.y[p];
      CHECK_NEAR(x, track.x[k], 1e-9);
      CHECK_NEAR(y, track.y[k], 1e-9);
    }
  }
  CHECK(some_partial);
}

TEST(windows_are_drawn_in_proportion_to_their_weights) {
  Dataset data;
  data.add_recording(bent_traffic(1, 90));
  for (double weight : {1.0, 0.0, 3.0}) {
    Window w;
    w.present = 30, w.future = 40, w.weight = weight;
    data.add_window(w);
  }
  int count[3] = {};
  for (int i = 0; i < 4000; ++i) ++count[data.draw((i + 0.5) / 4000)];
  CHECK_EQ(count[0], 1000);
  CHECK_EQ(count[1], 0);
  CHECK_EQ(count[2], 3000);
}

TEST(features_do_not_change_when_the_whole_scene_is_turned_and_moved) {
  const auto data = bent_dataset(6, 90);
  const auto& map = *data->recording(0).map;
  for (int window = 0; window < data->size(); window += 17) {
    const Observation here = observed(*data, window);
    const Features a = features_of(here);
    const RoadMap elsewhere = moved_map(map, 2.1, 500, -300);
    const Features b = features_of(moved(here, elsewhere, 2.1, 500, -300));
    CHECK_EQ(a.tokens(), b.tokens());
    CHECK_ALL_NEAR(b.ego.data(), a.ego.data(), static_cast<long>(a.ego.size()), 1e-5);
    CHECK_ALL_NEAR(b.path.data(), a.path.data(), static_cast<long>(a.path.size()), 1e-5);
    CHECK_ALL_NEAR(b.agent.data(), a.agent.data(), static_cast<long>(a.agent.size()), 1e-5);
    CHECK_ALL_NEAR(b.lane.data(), a.lane.data(), static_cast<long>(a.lane.size()), 1e-5);
  }
}

TEST(mirroring_by_augmentation_equals_mirroring_the_scene) {
  const auto data = bent_dataset(6, 90);
  const auto& map = *data->recording(0).map;
  std::vector<Lane> lanes(map.lanes().begin(), map.lanes().end());
  for (Lane& lane : lanes) {
    for (Point& p : lane.center) p.y = -p.y;
    std::swap(lane.left, lane.right);
  }
  const RoadMap mirrored(std::move(lanes));
  for (int window = 0; window < data->size(); window += 13) {
    Observation scene = observed(*data, window);
    scene.command = Command::left;
    Augmentation mirror;
    mirror.mirror = true;
    const Features a = features_of(scene, mirror);
    Observation reflected = scene;
    reflected.map = &mirrored;
    reflected.command = Command::right;
    const auto reflect = [](Agent& agent) {
      for (MotionState& m : agent.history) m.y = -m.y, m.heading = -m.heading, m.vy = -m.vy;
    };
    reflect(reflected.ego);
    for (Agent& agent : reflected.agents) reflect(agent);
    const Features b = features_of(reflected);
    CHECK_ALL_NEAR(a.ego.data(), b.ego.data(), static_cast<long>(a.ego.size()), 1e-5);
    CHECK_ALL_NEAR(a.path.data(), b.path.data(), static_cast<long>(a.path.size()), 1e-5);
    CHECK_ALL_NEAR(a.agent.data(), b.agent.data(), static_cast<long>(a.agent.size()), 1e-5);
    CHECK_ALL_NEAR(a.lane.data(), b.lane.data(), static_cast<long>(a.lane.size()), 1e-5);
  }
}

}  // namespace wam::test
