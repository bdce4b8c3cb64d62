#include "sim/occupancy.h"

#include <algorithm>

#include "core/planar.h"

namespace wam::sim {
namespace {

constexpr std::int64_t kStepUs = 100'000;
constexpr int kLightSteps = 5;  // a light's frame holds for 0.5 s

}  // namespace

void Occupancy::reset(int maps) {
  maps_ = static_cast<std::size_t>(maps);
  objects_.clear();
  boxes_.clear();
  red_.clear();
  start_.assign(1, 0);
  red_start_.assign(1, 0);
  box_bounds_.clear();
  object_bounds_.clear();
}

int Occupancy::add_object(const Tracked& object) {
  objects_.push_back(object);
  object_bounds_.emplace_back();
  return static_cast<int>(objects_.size()) - 1;
}

void Occupancy::add_box(int map, int object, const Pose& center, double length, double width) {
  while (static_cast<int>(start_.size()) <= map) start_.push_back(boxes_.size());
  const Quad quad = box(center, length, width);
  boxes_.push_back({object, quad, {center.x, center.y}});
  const Bounds b = quad.bounds();
  box_bounds_.push_back(b);
  object_bounds_[static_cast<std::size_t>(object)].add({b.min_x, b.min_y});
  object_bounds_[static_cast<std::size_t>(object)].add({b.max_x, b.max_y});
}

void Occupancy::add_red(int map, int lane) {
  while (static_cast<int>(red_start_.size()) <= map) red_start_.push_back(red_.size());
  red_.push_back(lane);
}

void Occupancy::finish() {
  while (start_.size() <= maps_) start_.push_back(boxes_.size());
  while (red_start_.size() <= maps_) red_start_.push_back(red_.size());
  index_.assign(maps_ * objects_.size(), kAbsent);
  for (std::size_t m = 0; m < maps_; ++m) {
    for (std::size_t i = start_[m]; i < start_[m + 1]; ++i) {
      index_[m * objects_.size() + static_cast<std::size_t>(boxes_[i].object)] = static_cast<std::uint32_t>(i);
    }
  }
}

void Occupancy::objects_near(const Bounds& bounds, std::vector<int>& out) const {
  for (std::size_t i = 0; i < object_bounds_.size(); ++i) {
    if (object_bounds_[i].overlaps(bounds)) out.push_back(static_cast<int>(i));
  }
}

Replayed replay_object(const SceneObject& object, int steps) {
  Replayed result;
  const std::int64_t end = (steps - 1) * kStepUs;
  const auto& all = object.samples;
  std::size_t used = 0;
  while (used < all.size() && all[used].time_us <= end) ++used;
  if (used == 0) return result;
  const bool moves = is_agent(object.type);
  const auto state = [moves](Sample s) {
    if (!moves) s.vx = s.vy = 0;
    return s;
  };
  if (used == 1) {
    // Seen once: there all the time, unmoved.
    result.last = steps - 1;
    result.states.assign(static_cast<std::size_t>(steps), state(all[0]));
    return result;
  }
  result.first = static_cast<int>((all[0].time_us + kStepUs - 1) / kStepUs);
  result.last = static_cast<int>(all[used - 1].time_us / kStepUs);
  std::size_t next = 1;
  double before = all[0].heading, after = unwrapped(all[1].heading, before);
  for (int step = result.first; step <= result.last; ++step) {
    const std::int64_t time = step * kStepUs;
    while (next + 1 < used && all[next].time_us < time) {
      ++next;
      before = after;
      after = unwrapped(all[next].heading, before);
    }
    const Sample &a = all[next - 1], &b = all[next];
    const double since = static_cast<double>(time - a.time_us), span = static_cast<double>(b.time_us - a.time_us);
    const auto line = [&](double u, double v) { return (v - u) / span * since + u; };
    Sample s{time, line(a.x, b.x), line(a.y, b.y), wrap_atan2(line(before, after)), line(a.vx, b.vx), line(a.vy, b.vy)};
    result.states.push_back(state(s));
  }
  return result;
}

std::vector<int> red_at(const Scene& scene, std::int64_t time_us, const std::vector<std::uint8_t>& lane_on_route) {
  std::vector<int> red;
  const LightFrame* frame = nullptr;
  for (const LightFrame& each : scene.lights) {
    if (each.time_us <= time_us) frame = &each;
  }
  if (frame == nullptr) return red;
  for (const int lane : frame->red) {
    const auto l = static_cast<std::size_t>(lane);
    if (scene.map->lanes()[l].connector && lane_on_route[l] != 0) red.push_back(lane);
  }
  return red;
}

Occupancy replay(const Scene& scene, Version version, const std::vector<std::uint8_t>& lane_on_route) {
  const int steps = version == Version::v1 ? 51 : 41;
  Occupancy occupancy(steps);
  const Quad ego = footprint({scene.ego.x, scene.ego.y, scene.ego.heading});
  std::vector<Replayed> tracks;
  std::vector<const SceneObject*> sources;
  for (std::size_t i = 0; i < scene.objects.size(); ++i) {
    const SceneObject& object = scene.objects[i];
    Replayed track = replay_object(object, steps);
    if (track.last < track.first) continue;
    const Sample& s = track.states.front();
    if (version == Version::v2 && track.first == 0 &&
        intersects(ego, box({s.x, s.y, s.heading}, object.length, object.width))) {
      continue;
    }
    occupancy.add_object({static_cast<int>(i), is_agent(object.type), planar_length(s.vx, s.vy), s.heading});
    tracks.push_back(std::move(track));
    sources.push_back(&object);
  }
  std::vector<int> red;
  for (int step = 0; step < steps; ++step) {
    for (std::size_t k = 0; k < tracks.size(); ++k) {
      if (step < tracks[k].first || step > tracks[k].last) continue;
      const Sample& s = tracks[k].states[static_cast<std::size_t>(step - tracks[k].first)];
      occupancy.add_box(step, static_cast<int>(k), {s.x, s.y, s.heading}, sources[k]->length, sources[k]->width);
    }
    if (version == Version::v1) continue;
    if (step % kLightSteps == 0) red = red_at(scene, step * kStepUs, lane_on_route);
    for (const int lane : red) occupancy.add_red(step, lane);
  }
  occupancy.finish();
  return occupancy;
}

}  // namespace wam::sim
