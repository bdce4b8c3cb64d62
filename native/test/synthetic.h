#pragma once
// A small made-up road with traffic: two lanes that bend, a light, vehicles that follow each other. Enough structure for
// every feature column to vary; nothing is read from disk.

#include <cmath>
#include <memory>

#include "scene/dataset.h"

namespace wam::test {

inline scene::Lane arc_lane(double offset, double from, double to, double radius) {
  scene::Lane lane;
  for (int i = 0; i <= 30; ++i) {
    const double s = from + (to - from) * i / 30;
    const double angle = s / radius;
    lane.center.push_back({(radius - offset) * std::sin(angle), radius - (radius - offset) * std::cos(angle)});
  }
  lane.speed_limit = 15;
  return lane;
}

/// Lanes 0 -> 2 (right) and 1 -> 3 (left), 200 m of a left bend; lane 0 ends in a stop line.
inline std::shared_ptr<const scene::RoadMap> bent_road() {
  const double radius = 150;
  std::vector<scene::Lane> lanes = {arc_lane(0, 0, 100, radius), arc_lane(3.5, 0, 100, radius),
                                    arc_lane(0, 100, 200, radius), arc_lane(3.5, 100, 200, radius)};
  lanes[0].successors = {2}, lanes[2].predecessors = {0};
  lanes[1].successors = {3}, lanes[3].predecessors = {1};
  lanes[0].left = 1, lanes[1].right = 0, lanes[2].left = 3, lanes[3].right = 2;
  lanes[0].stop_line = true;
  return std::make_shared<const scene::RoadMap>(std::move(lanes));
}

/// `vehicles` vehicles on the bend for `steps` steps of 0.1 s; speeds differ and vary, odd ones drive on the left lane.
inline scene::Recording bent_traffic(int vehicles, int steps) {
  scene::Recording recording;
  recording.map = bent_road();
  const double radius = 150;
  for (int v = 0; v < vehicles; ++v) {
    scene::Track track;
    track.length = 4.2 + 0.3 * (v % 3);
    const double offset = v % 2 == 0 ? 0 : 3.5;
    double s = 12.0 * v;
    for (int k = 0; k < steps; ++k) {
      const double speed = 6 + 0.7 * v + 2 * std::sin(0.05 * k + v);
      const double angle = s / radius, r = radius - offset + 0.2 * std::sin(0.03 * k + 2 * v);
      track.x.push_back(r * std::sin(angle));
      track.y.push_back(radius - r * std::cos(angle));
      track.heading.push_back(angle);
      track.vx.push_back(speed * std::cos(angle));
      track.vy.push_back(speed * std::sin(angle));
      s += speed * 0.1 * radius / r;
    }
    recording.tracks.push_back(std::move(track));
  }
  recording.signals.push_back({{0}, {{0, steps / 2, scene::Light::red}, {steps / 2, steps, scene::Light::green}}});
  return recording;
}

inline std::shared_ptr<scene::Dataset> bent_dataset(int vehicles, int steps) {
  auto data = std::make_shared<scene::Dataset>();
  data->add_recording(bent_traffic(vehicles, steps));
  data->cut_windows(0, {});
  return data;
}

}  // namespace wam::test
