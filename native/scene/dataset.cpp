#include "scene/dataset.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/planar.h"
#include "scene/map_match.h"

namespace wam::scene {

namespace {

constexpr double kTurnCommand = 25.0 * std::numbers::pi / 180;  // as the scenario format defines the command

void fill_history(const Track& track, int present, double dt, Agent& out) {
  const int back = static_cast<int>(std::lround(kHistorySeconds / dt));
  const int first = std::max(track.start, present - back);
  out.length = track.length;
  out.width = track.width;
  out.history.resize(static_cast<std::size_t>(present - first) + 1);
  for (int step = first; step <= present; ++step) {
    const int k = step - track.start;
    out.history[static_cast<std::size_t>(step - first)] = {(step - present) * dt, track.x[k],  track.y[k],
                                                           track.heading[k],      track.vx[k], track.vy[k]};
  }
}

bool valid_at(const Track& track, int step) { return step >= track.start && step < track.start + track.steps(); }

/// A lane may have several signals (arrow and disc): it is as open as the most open of them.
int openness(Light light) {
  switch (light) {
    case Light::green:
      return 4;
    case Light::yellow:
      return 3;
    case Light::red:
      return 2;
    case Light::unknown:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

int Dataset::add_recording(Recording recording) {
  const int lanes = static_cast<int>(recording.map->lanes().size());
  for (const Signal& signal : recording.signals) {
    for (int lane : signal.lanes) {
      if (lane < 0 || lane >= lanes) throw Error("ERR_SCENARIO", "signal: lane index outside the map");
    }
  }
  recordings_.push_back(std::move(recording));
  return static_cast<int>(recordings_.size()) - 1;
}

void Dataset::add_window(Window window) {
  const auto fail = [](const char* what) { throw Error("ERR_SCENARIO", std::string("window: ") + what); };
  if (window.recording < 0 || window.recording >= recordings()) fail("recording index out of range");
  const Recording& recording = recordings_[window.recording];
  if (window.ego < 0 || window.ego >= static_cast<int>(recording.tracks.size())) fail("ego index out of range");
  const Track& track = recording.tracks[window.ego];
  if (!valid_at(track, window.present)) fail("the ego is not valid at the present step");
  if (window.future < 0 || !valid_at(track, window.present + window.future)) {
    fail("the ego is not valid over the whole future");
  }
  for (int lane : window.route) {
    if (lane < 0 || lane >= static_cast<int>(recording.map->lanes().size())) fail("route lane out of range");
  }
  if (!(window.weight >= 0)) fail("weight must not be negative");
  if (!window.expert.empty() && window.expert.size() != 3 * kWaypoints) fail("expert must have 8 poses");
  for (const double value : window.expert) {
    if (!std::isfinite(value)) fail("expert must be finite");
  }
  cumulative_.push_back((cumulative_.empty() ? 0 : cumulative_.back()) + window.weight);
  windows_.push_back(std::move(window));
}

int Dataset::cut_windows(int index, const CutOptions& options) {
  const Recording& recording = recordings_.at(index);
  const double dt = recording.dt;
  const auto to_steps = [dt](double seconds) { return std::max(1, static_cast<int>(std::lround(seconds / dt))); };
  const int before = size();
  const int horizon = to_steps(kWaypoints * kWaypointInterval);
  for (int ego = 0; ego < static_cast<int>(recording.tracks.size()); ++ego) {
    const Track& track = recording.tracks[ego];
    if (!track.driver) continue;
    const std::vector<int> lanes = match_lanes(*recording.map, track);
    int k = to_steps(options.min_history_s);
    while (k + to_steps(options.min_future_s) < track.steps()) {
      const int future = std::min(track.steps() - 1 - k, 2 * horizon);
      const int near = std::min(future, horizon);
      const double moved = planar_length(track.x[k + near] - track.x[k], track.y[k + near] - track.y[k]);
      const bool standing = moved < 1.0;
      const double turn = wrap_angle(track.heading[k + future] - track.heading[k]);
      Window window;
      window.recording = index;
      window.ego = ego;
      window.present = track.start + k;
      window.future = future;
      window.command = turn > kTurnCommand ? Command::left : turn < -kTurnCommand ? Command::right : Command::straight;
      window.route = route_of(lanes, k - to_steps(kHistorySeconds), k + future);
      window.weight = standing ? options.standing_weight : options.weight;
      add_window(std::move(window));
      k += to_steps(standing ? options.standing_stride_s : options.stride_s);
    }
  }
  return size() - before;
}

void Dataset::observe(int index, Observation& out) const {
  const Window& window = windows_[index];
  const Recording& recording = recordings_[window.recording];
  out.map = recording.map.get();
  out.center_offset = 0;
  out.command = window.command;
  out.route = window.route;
  fill_history(recording.tracks[window.ego], window.present, recording.dt, out.ego);
  out.agent_count = 0;
  for (int i = 0; i < static_cast<int>(recording.tracks.size()); ++i) {
    if (i == window.ego || !valid_at(recording.tracks[i], window.present)) continue;
    if (out.agent_count == static_cast<int>(out.agents.size())) out.agents.emplace_back();
    fill_history(recording.tracks[i], window.present, recording.dt, out.agents[out.agent_count++]);
  }
  out.lane_lights.assign(recording.map->lanes().size(), static_cast<std::int32_t>(Light::none));
  for (const Signal& signal : recording.signals) {
    for (const SignalState& state : signal.states) {
      if (window.present < state.from || window.present >= state.to) continue;
      for (int lane : signal.lanes) {
        auto& light = out.lane_lights[lane];
        if (openness(state.color) > openness(static_cast<Light>(light))) light = static_cast<std::int32_t>(state.color);
      }
    }
  }
}

Future Dataset::future(int index) const {
  const Window& window = windows_[index];
  const Recording& recording = recordings_[window.recording];
  const Track& track = recording.tracks[window.ego];
  const int k0 = window.present - track.start;
  const double c = std::cos(track.heading[k0]), s = std::sin(track.heading[k0]);
  Future out{};
  if (!window.expert.empty()) {
    for (int i = 0; i < kWaypoints; ++i) {
      out.x[i] = window.expert[3 * i];
      out.y[i] = window.expert[3 * i + 1];
      out.heading[i] = wrap_angle(window.expert[3 * i + 2]);
      out.valid[i] = true;
    }
    return out;
  }
  for (int i = 0; i < kWaypoints; ++i) {
    const int ahead = static_cast<int>(std::lround((i + 1) * kWaypointInterval / recording.dt));
    out.valid[i] = ahead <= window.future;
    if (!out.valid[i]) continue;
    const double dx = track.x[k0 + ahead] - track.x[k0], dy = track.y[k0 + ahead] - track.y[k0];
    out.x[i] = c * dx + s * dy;
    out.y[i] = c * dy - s * dx;
    out.heading[i] = wrap_angle(track.heading[k0 + ahead] - track.heading[k0]);
  }
  return out;
}

int Dataset::draw(double unit) const {
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), unit * cumulative_.back());
  return static_cast<int>(std::min<std::ptrdiff_t>(at - cumulative_.begin(), size() - 1));
}

}  // namespace wam::scene
