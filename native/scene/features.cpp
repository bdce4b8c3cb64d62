#include "scene/features.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/planar.h"

namespace wam::scene {

namespace {

// Seconds before the present at which history is read.
constexpr double kEgoOffsets[kEgoPast] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0};
constexpr double kAgentOffsets[kAgentPast] = {0.5, 1.0, 1.5};
constexpr double kPreviewDistance[kPreviewPoints] = {2.5, 5, 10, 15, 20, 30, 40, 50, 65, 80};
constexpr double kInPath = 1.6;            // metres off the path within which a vehicle is in the way
constexpr double kLeaderReach = 100.0;     // metres
constexpr double kAccelerationSpan = 0.5;  // seconds over which an acceleration is a difference of speeds

/// State at t (<= 0), linear between samples; false where the history does not reach.
bool state_at(const std::vector<MotionState>& history, double t, MotionState& out) {
  if (history.empty() || t < history.front().t - 0.051 || t > history.back().t + 0.051) return false;
  std::size_t hi = history.size() - 1;
  while (hi > 0 && history[hi - 1].t >= t) --hi;
  const MotionState& b = history[hi];
  if (hi == 0 || b.t <= t) {
    out = b;
    return true;
  }
  const MotionState& a = history[hi - 1];
  const double f = (t - a.t) / (b.t - a.t);
  out.t = t;
  out.x = a.x + f * (b.x - a.x);
  out.y = a.y + f * (b.y - a.y);
  out.heading = wrap_angle(a.heading + f * wrap_angle(b.heading - a.heading));
  out.vx = a.vx + f * (b.vx - a.vx);
  out.vy = a.vy + f * (b.vy - a.vy);
  return true;
}

double along(const MotionState& s) { return s.vx * std::cos(s.heading) + s.vy * std::sin(s.heading); }

double acceleration(const std::vector<MotionState>& history) {
  MotionState past;
  if (!state_at(history, -kAccelerationSpan, past)) return 0;
  return (along(history.back()) - along(past)) / kAccelerationSpan;
}

double clip(double x, double limit) { return std::clamp(x, -limit, limit); }

/// Intelligent-driver-model acceleration, a nonlinear hint at what a follower does. Common urban constants.
double idm_acceleration(double v, double gap, double closing) {
  constexpr double kDesired = 18, kHeadway = 1.2, kStandstill = 2, kAccelerate = 1.5, kBrake = 2;
  const double wanted = kStandstill + std::max(0.0, v * kHeadway + v * closing / (2 * std::sqrt(kAccelerate * kBrake)));
  const double ratio = wanted / std::max(gap, 0.5);
  return kAccelerate * (1 - std::pow(v / kDesired, 4) - ratio * ratio);
}

/// Appends columns; `build` checks the widths at the end.
class RowWriter {
 public:
  explicit RowWriter(std::vector<real>& out) : out_(out) {}
  void put(double value) { out_.push_back(static_cast<real>(value)); }
  void flag(bool value) { out_.push_back(value ? real(1) : real(0)); }
  template <class E>
  void one_hot(E value, int count) {
    for (int i = 0; i < count; ++i) flag(static_cast<int>(value) == i);
  }

 private:
  std::vector<real>& out_;
};

}  // namespace

struct FeatureBuilder::Frame {
  double x, y, cosine, sine, heading;  // of the ego's box centre, map frame
  double scale, side;                  // side -1 when mirrored
  double speed, acceleration;          // scaled
  double length, width;                // scaled
  Point local(double px, double py) const {
    return {scale * (cosine * (px - x) + sine * (py - y)), scale * side * (cosine * (py - y) - sine * (px - x))};
  }
  Point turned(double dx, double dy) const {
    return {scale * (cosine * dx + sine * dy), scale * side * (cosine * dy - sine * dx)};
  }
  double angle(double h) const { return side * wrap_angle(h - heading); }
};

struct FeatureBuilder::Seen {
  const Agent* agent;
  Point at, velocity;  // ego frame, augmented
  double heading, speed, acceleration, distance;
  double length, width;
  bool dropped;
  // Relative to the two paths: along it from the ego centre (metres ahead) and off it (left positive).
  double ahead[2], lateral[2], turn[2];
  int leader_rank[2];  // 0 none, 1.. order ahead in the path, -1 the follower
};

FeatureBuilder::FeatureBuilder(FeatureLimits limits) : limits_(limits) {}
FeatureBuilder::~FeatureBuilder() = default;
FeatureBuilder::FeatureBuilder(FeatureBuilder&&) noexcept = default;

void FeatureBuilder::build(const Observation& observation, const Augmentation& augmentation, Features& out) {
  const MotionState& now = observation.ego.history.back();
  Frame frame;
  frame.cosine = std::cos(now.heading), frame.sine = std::sin(now.heading), frame.heading = now.heading;
  frame.x = now.x + observation.center_offset * frame.cosine;
  frame.y = now.y + observation.center_offset * frame.sine;
  frame.scale = augmentation.scale;
  frame.side = augmentation.mirror ? -1 : 1;
  frame.speed = frame.scale * along(now);
  frame.acceleration = frame.scale * acceleration(observation.ego.history);
  frame.length = frame.scale * observation.ego.length;
  frame.width = frame.scale * observation.ego.width;
  out.speed = frame.speed;
  out.ego.clear(), out.path.clear(), out.agent.clear(), out.lane.clear();

  build_route(*observation.map, observation.route, frame.x, frame.y, now.heading, route_);
  see_agents(observation, augmentation, frame);
  write_ego(observation, frame, out);
  out.paths = route_.paths;
  for (int i = 0; i < route_.paths; ++i) write_path(observation, frame, i, out);
  write_agents(frame, out);
  write_lanes(observation, augmentation, frame, out);
  const auto rows = [](std::size_t count, int width) { return count * static_cast<std::size_t>(width); };
  if (out.ego.size() != rows(1, kEgoFeatures) || out.path.size() != rows(out.paths, kPathFeatures) ||
      out.agent.size() != rows(out.agents, kAgentFeatures) || out.lane.size() != rows(out.lanes, kLaneFeatures)) {
    throw Error("ERR_INTERNAL", "a feature row does not have the declared width");
  }
}

void FeatureBuilder::see_agents(const Observation& observation, const Augmentation& augmentation, const Frame& frame) {
  seen_.clear();
  for (int i = 0; i < observation.agent_count; ++i) {
    const Agent& agent = observation.agents[i];
    const MotionState& now = agent.history.back();
    Seen s{};
    s.agent = &agent;
    s.at = frame.local(now.x, now.y);
    s.velocity = frame.turned(now.vx, now.vy);
    if (augmentation.stream != nullptr) {
      const Philox4 r = augmentation.stream->at(augmentation.step, static_cast<std::uint32_t>(i), augmentation.sample,
                                                RandomUse::train_augment);
      const double radius = std::sqrt(-2 * std::log(1 - unit_uniform(r.word[0])));
      const double turn = 2 * std::numbers::pi * unit_uniform(r.word[1]);
      s.at.x += augmentation.position_noise * radius * std::cos(turn);
      s.at.y += augmentation.position_noise * radius * std::sin(turn);
      s.velocity.x += augmentation.velocity_noise * (2 * unit_uniform(r.word[2]) - 1) * std::numbers::sqrt3;
      s.dropped = unit_uniform(r.word[3]) < augmentation.drop;
    }
    s.heading = frame.angle(now.heading);
    s.speed = s.velocity.x * std::cos(s.heading) + s.velocity.y * std::sin(s.heading);
    s.acceleration = frame.scale * acceleration(agent.history);
    s.distance = planar_length(s.at.x, s.at.y);
    s.length = frame.scale * agent.length;
    s.width = frame.scale * agent.width;
    for (int p = 0; p < route_.paths; ++p) {
      const RoutePath& path = route_.path[p];
      if (s.distance > kLeaderReach * 1.5) {
        s.ahead[p] = s.at.x, s.lateral[p] = clip(s.at.y, 1e3) + (s.at.y >= 0 ? 10 : -10);  // far: never in the path
        continue;
      }
      const Projection at = project(path.line.points, path.line.arc, {now.x, now.y});
      s.ahead[p] = frame.scale * (at.arc - path.ego_arc);
      s.lateral[p] = frame.scale * frame.side * at.lateral;
      // Beside the end of the line a projection says nothing; count the vehicle as off the path.
      if (at.distance > std::abs(at.lateral) + 1) s.lateral[p] += at.lateral >= 0 ? 10 : -10;
      s.turn[p] = frame.side * wrap_angle(now.heading - at.heading);
    }
    seen_.push_back(s);
  }
  for (int p = 0; p < route_.paths; ++p) {
    order_.clear();
    int follower = -1;
    for (int i = 0; i < static_cast<int>(seen_.size()); ++i) {
      const Seen& s = seen_[i];
      if (std::abs(s.lateral[p]) > kInPath * frame.scale || std::abs(s.ahead[p]) > kLeaderReach) continue;
      if (s.ahead[p] > 0) {
        order_.push_back(i);
      } else if (follower < 0 || s.ahead[p] > seen_[follower].ahead[p]) {
        follower = i;
      }
    }
    const auto nearer = [&](int a, int b) {
      return seen_[a].ahead[p] != seen_[b].ahead[p] ? seen_[a].ahead[p] < seen_[b].ahead[p] : a < b;
    };
    const int leaders = std::min<int>(kLeaders, static_cast<int>(order_.size()));
    std::partial_sort(order_.begin(), order_.begin() + leaders, order_.end(), nearer);
    for (int k = 0; k < leaders; ++k) seen_[order_[k]].leader_rank[p] = k + 1;
    if (follower >= 0) seen_[follower].leader_rank[p] = -1;
  }
}

void FeatureBuilder::write_ego(const Observation& observation, const Frame& frame, Features& out) const {
  RowWriter row(out.ego);
  const std::vector<MotionState>& history = observation.ego.history;
  const MotionState& now = history.back();
  Command command = observation.command;
  if (frame.side < 0 && (command == Command::left || command == Command::right)) {
    command = command == Command::left ? Command::right : Command::left;
  }
  row.put(frame.speed / 10);
  row.put(std::exp(-std::abs(frame.speed) / 2));
  row.put(frame.turned(now.vx, now.vy).y);
  row.put(frame.length / 5);
  row.put(frame.width / 2);
  row.one_hot(command, 4);
  row.flag(route_.paths > 0);
  row.put(frame.side * route_.change);
  row.put(frame.acceleration / 3);
  for (double offset : kEgoOffsets) {
    MotionState past;
    const bool valid = state_at(history, -offset, past);
    row.flag(valid);
    if (!valid) {
      for (int i = 0; i < 5; ++i) row.put(0);
      continue;
    }
    // The tracked point may lie behind the box centre; all columns speak of the centre.
    const double offset_x = observation.center_offset * std::cos(past.heading);
    const double offset_y = observation.center_offset * std::sin(past.heading);
    const Point at = frame.turned(past.x + offset_x - frame.x, past.y + offset_y - frame.y);
    const double speed = frame.scale * along(past);
    row.put((at.x + frame.speed * offset) / (0.2 + offset));
    row.put(at.y / (0.2 + offset));
    row.put(5 * frame.angle(past.heading));
    row.put((frame.speed - speed) / offset / 3);
    row.put(speed / 10);
  }
}

void FeatureBuilder::write_path(const Observation& observation, const Frame& frame, int which, Features& out) {
  RowWriter row(out.path);
  const RoutePath& path = route_.path[which];
  const auto lanes = observation.map->lanes();

  // The next place where one may have to stop: a stop line or a light at the end of a lane of the path.
  double stop = -1, limit = -1;
  Light light = Light::none;
  for (const LaneSpan& span : path.lanes) {
    if (limit < 0 && span.end > path.ego_arc) limit = lanes[span.lane].speed_limit;
    const double distance = frame.scale * (span.end - path.ego_arc) - frame.length / 2;
    if (distance < -1) continue;
    const auto color = static_cast<Light>(observation.lane_lights[span.lane]);
    if (lanes[span.lane].stop_line || color != Light::none) {
      stop = std::max(distance, 0.0);
      light = color;
      break;
    }
  }
  const Seen* leaders[kLeaders + 1] = {};
  for (const Seen& s : seen_) {
    if (s.leader_rank[which] > 0) leaders[s.leader_rank[which] - 1] = &s;
    if (s.leader_rank[which] < 0) leaders[kLeaders] = &s;
  }
  const auto gap_to = [&](const Seen& s) { return std::abs(s.ahead[which]) - (s.length + frame.length) / 2; };
  const double speed = std::max(frame.speed, 0.0);

  row.flag(which == 1);
  row.put(frame.side * route_.change);
  row.put(frame.scale * frame.side * path.ego_lateral / 2);
  row.put(3 * std::sin(frame.side * path.ego_heading));
  row.put(frame.scale * (path.line.length() - path.ego_arc) / 90);
  row.put(limit < 0 ? 0 : frame.scale * limit / 15);
  row.flag(limit >= 0);
  row.put(frame.speed / 10);
  row.put(frame.acceleration / 3);
  row.flag(stop >= 0);
  row.put(stop < 0 ? 0 : stop / 30);
  row.put(stop < 0 ? 0 : std::exp(-stop / 10));
  row.one_hot(light, 5);
  row.put(stop < 0 ? 0 : std::min(speed * speed / (2 * std::max(stop, 1.0)) / 5, 2.0));
  row.put(stop < 0 ? 0 : std::min(stop / std::max(speed, 1.0), 10.0) / 5);
  row.flag(stop >= 0 && leaders[0] != nullptr && gap_to(*leaders[0]) < stop);

  for (double distance : kPreviewDistance) {
    const Pose pose = pose_at(path.line.points, path.line.arc, path.ego_arc + distance / frame.scale);
    const Point at = frame.local(pose.x, pose.y);
    const double heading = frame.angle(pose.heading);
    row.put((at.x - distance) / 10);
    row.put(at.y / 10);
    row.put(std::cos(heading));
    row.put(std::sin(heading));
  }
  for (int t = 1; t <= kPreviewTimes; ++t) {
    const Pose pose = pose_at(path.line.points, path.line.arc, path.ego_arc + speed * t / frame.scale);
    row.put(frame.local(pose.x, pose.y).y / 5);
    row.put(3 * frame.angle(pose.heading));
  }
  for (const Seen* leader : leaders) {
    row.flag(leader != nullptr);
    if (leader == nullptr) {
      for (int i = 1; i < kLeaderFeatures; ++i) row.put(0);
      continue;
    }
    const double gap = gap_to(*leader);
    const double closing = frame.speed - leader->speed * std::cos(leader->turn[which]);
    MotionState past;
    const bool known = state_at(leader->agent->history, -1.0, past);
    row.put(gap / 30);
    row.put(std::exp(-std::max(gap, 0.0) / 10));
    row.put(std::exp(-std::max(gap, 0.0) / 3));
    row.put(leader->speed / 10);
    row.put(closing / 5);
    row.put(leader->acceleration / 3);
    row.put(leader->lateral[which] / 2);
    row.put(leader->length / 10);
    row.put(std::min(gap / std::max(speed, 1.0), 6.0) / 3);
    row.put(known ? (leader->speed - frame.scale * along(past)) / 5 : 0);
    row.put(clip(closing / std::max(gap, 1.0), 2));
    row.put(std::clamp(idm_acceleration(speed, gap, closing) / 3, -2.0, 1.0));
    row.put(std::cos(leader->turn[which]));
  }
}

void FeatureBuilder::write_agents(const Frame& frame, Features& out) {
  order_.clear();
  for (int i = 0; i < static_cast<int>(seen_.size()); ++i) {
    if (!seen_[i].dropped && seen_[i].distance < 2 * kLeaderReach) order_.push_back(i);
  }
  // What lies behind matters less: it counts as half again as far.
  const auto key = [&](int i) { return seen_[i].distance * (seen_[i].at.x < 0 ? 1.5 : 1.0); };
  const auto nearer = [&](int a, int b) {
    const double ka = key(a), kb = key(b);
    return ka != kb ? ka < kb : a < b;
  };
  const int count = std::min<int>(limits_.max_agents, static_cast<int>(order_.size()));
  std::partial_sort(order_.begin(), order_.begin() + count, order_.end(), nearer);
  out.agents = count;
  for (int k = 0; k < count; ++k) {
    const Seen& s = seen_[order_[k]];
    RowWriter row(out.agent);
    row.put(s.at.x / 30);
    row.put(s.at.y / 10);
    row.put(std::exp(-s.distance / 5));
    row.put(std::exp(-s.distance / 20));
    row.put(std::cos(s.heading));
    row.put(std::sin(s.heading));
    row.put(s.velocity.x / 10);
    row.put(s.velocity.y / 5);
    row.put((s.velocity.x - frame.speed) / 10);
    row.put(s.speed / 10);
    row.put(s.length / 5);
    row.put(s.width / 2);
    row.put(s.acceleration / 3);
    const bool one = route_.paths > 0, two = route_.paths > 1;
    const bool in_path = one && std::abs(s.lateral[0]) <= kInPath * frame.scale;
    row.put(one ? clip(s.ahead[0] / 30, 4) : 0);
    row.put(one ? clip(s.lateral[0] / 3, 3) : 0);
    row.put(one ? std::sin(s.turn[0]) : 0);
    row.flag(in_path && s.ahead[0] > 0);
    row.flag(in_path && s.ahead[0] <= 0);
    row.put(two ? clip(s.lateral[1] / 3, 3) : 0);
    row.put(two ? clip(s.ahead[1] / 30, 4) : 0);
    row.flag(two && std::abs(s.lateral[1]) <= kInPath * frame.scale);
    for (int rank = 1; rank <= kLeaders; ++rank) row.flag(s.leader_rank[0] == rank);
    row.flag(s.leader_rank[0] < 0);
    row.flag(s.leader_rank[1] == 1);
    for (double offset : kAgentOffsets) {
      MotionState past;
      const bool valid = state_at(s.agent->history, -offset, past);
      row.flag(valid);
      const MotionState& now = s.agent->history.back();
      const Point moved = valid ? frame.turned(now.x - past.x, now.y - past.y) : Point{};
      row.put(moved.x / 10);
      row.put(moved.y / 5);
    }
  }
}

void FeatureBuilder::write_lanes(const Observation& observation, const Augmentation& augmentation, const Frame& frame,
                                 Features& out) {
  const auto pieces = observation.map->pieces();
  const auto lanes = observation.map->lanes();
  const auto span_on = [&](int which, int lane) -> const LaneSpan* {
    if (which >= route_.paths) return nullptr;
    for (const LaneSpan& span : route_.path[which].lanes) {
      if (span.lane == lane) return &span;
    }
    return nullptr;
  };
  order_.clear();
  lane_key_.resize(pieces.size());
  for (int i = 0; i < static_cast<int>(pieces.size()); ++i) {
    double nearest = 1e9;
    Point middle{};
    for (int j = 0; j < 5; j += 2) {
      const Point at = frame.local(pieces[i].points[j].x, pieces[i].points[j].y);
      nearest = std::min(nearest, planar_length(at.x, at.y));
      if (j == 2) middle = at;
    }
    if (nearest > 100) continue;
    if (augmentation.stream != nullptr) {
      const Philox4 r = augmentation.stream->at(augmentation.step, 0x10000u + static_cast<std::uint32_t>(i),
                                                augmentation.sample, RandomUse::train_augment);
      if (unit_uniform(r.word[0]) < augmentation.drop) continue;
    }
    const bool on_path = span_on(0, pieces[i].lane) != nullptr || span_on(1, pieces[i].lane) != nullptr;
    lane_key_[i] = nearest - (on_path ? 20 : 0) + (middle.x < -10 ? 15 : 0);
    order_.push_back(i);
  }
  const auto nearer = [&](int a, int b) { return lane_key_[a] != lane_key_[b] ? lane_key_[a] < lane_key_[b] : a < b; };
  const int count = std::min<int>(limits_.max_lanes, static_cast<int>(order_.size()));
  std::partial_sort(order_.begin(), order_.begin() + count, order_.end(), nearer);
  out.lanes = count;

  int present = -1;  // the lane of the first path that the ego is on
  if (route_.paths > 0) {
    for (const LaneSpan& span : route_.path[0].lanes) {
      if (route_.path[0].ego_arc >= span.begin && route_.path[0].ego_arc <= span.end) present = span.lane;
    }
  }
  for (int k = 0; k < count; ++k) {
    const LanePiece& piece = pieces[order_[k]];
    const Lane& lane = lanes[piece.lane];
    RowWriter row(out.lane);
    Point at[5];
    for (int j = 0; j < 5; ++j) {
      at[j] = frame.local(piece.points[j].x, piece.points[j].y);
      row.put(at[j].x / 30);
      row.put(at[j].y / 10);
    }
    const LaneSpan* span = span_on(0, piece.lane);
    const double direction = std::atan2(at[4].y - at[0].y, at[4].x - at[0].x);
    row.put(frame.scale * piece.length / 16);
    row.flag(span != nullptr);
    row.flag(span_on(1, piece.lane) != nullptr);
    row.put(span != nullptr ? clip(frame.scale * (span->begin - route_.path[0].ego_arc) / 50, 3) : 0);
    row.put(lane.speed_limit < 0 ? 0 : frame.scale * lane.speed_limit / 15);
    row.flag(lane.speed_limit >= 0);
    row.one_hot(static_cast<Light>(observation.lane_lights[piece.lane]), 5);
    row.flag(lane.stop_line && piece.last);
    row.flag(piece.lane == present);
    row.flag(frame.side > 0 ? lane.left >= 0 : lane.right >= 0);
    row.flag(frame.side > 0 ? lane.right >= 0 : lane.left >= 0);
    row.put(std::cos(direction));
    row.put(std::sin(direction));
    row.put(frame.scale * lane.width / 4);
  }
}

}  // namespace wam::scene
