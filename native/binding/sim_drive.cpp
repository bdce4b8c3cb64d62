// The parts of the simulator that need no scene.

#include <array>
#include <cmath>
#include <vector>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/sim_binding.h"
#include "core/thread_pool.h"
#include "sim/comfort.h"
#include "sim/simulator.h"

namespace wam::binding {
namespace {

constexpr double kLargest = 1e8;
constexpr std::size_t kLeastSamples = 4, kMostSamples = 100'000;

/// Finite numbers of a sensible size, copied.
std::vector<double> read_numbers(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const std::span<double> values = typed_array<double>(info.Env(), info[index], name);
  for (const double value : values) {
    if (!(std::abs(value) <= kLargest)) {
      throw Error("ERR_NOT_FINITE", std::string(name) + ": expected finite numbers up to 1e8");
    }
  }
  return {values.begin(), values.end()};
}

std::vector<sim::State> read_states(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const std::vector<double> values = read_numbers(info, index, name);
  if (values.size() % sim::kStateSize != 0) throw Error("ERR_SHAPE", std::string(name) + ": expected rows of 11");
  std::vector<sim::State> states(values.size() / sim::kStateSize);
  for (std::size_t i = 0; i < values.size(); ++i) (&states[i / sim::kStateSize].x)[i % sim::kStateSize] = values[i];
  return states;
}

std::span<const sim::State, sim::kStates> rollout_of(const std::vector<sim::State>& states, const char* name) {
  if (states.size() != sim::kStates) throw Error("ERR_SHAPE", std::string(name) + ": expected 41 rows of 11");
  return std::span<const sim::State, sim::kStates>(states);
}

Napi::Float64Array numbers(Napi::Env env, const double* from, std::size_t size) {
  auto to = Napi::Float64Array::New(env, size);
  std::copy(from, from + size, to.Data());
  return to;
}

/// simulateTrajectory(ego, timeUs, poses, interval)
Napi::Value simulate_trajectory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<sim::State> ego = read_states(info, 0, "ego");
  if (ego.size() != 1) throw Error("ERR_SHAPE", "ego: expected 11 numbers");
  const std::int64_t time_us = integer_value(info[1], "timeUs", 0, std::int64_t{1} << 53);
  const std::vector<double> values = read_numbers(info, 2, "poses");
  if (values.empty() || values.size() % 3 != 0 || values.size() / 3 > sim::kMaxPlanPoses) {
    throw Error("ERR_SHAPE", "poses: expected 1 to 400 rows of 3");
  }
  const double interval = number_value(info[3], "interval");
  if (!(interval >= 0.01 && interval <= 10)) throw Error("ERR_RANGE", "interval: expected 0.01 to 10 s");
  std::vector<sim::Pose> plan(values.size() / 3);
  for (std::size_t i = 0; i < plan.size(); ++i) plan[i] = {values[3 * i], values[3 * i + 1], values[3 * i + 2]};

  const FlushDenormals flush;
  std::array<sim::Pose, sim::kStates> reference;
  std::array<sim::State, sim::kStates> rollout;
  sim::Profiles profiles;
  sim::reference_poses(ego[0], time_us, {plan, interval}, reference);
  sim::estimate_profiles(reference, profiles);
  sim::simulate(ego[0], reference, profiles, rollout);
  Napi::Object result = Napi::Object::New(env);
  result.Set("reference", numbers(env, &reference[0].x, 3 * reference.size()));
  result.Set("velocity", numbers(env, profiles.velocity, sim::kStates - 1));
  result.Set("curvature", numbers(env, profiles.curvature, sim::kStates - 1));
  result.Set("rollout", numbers(env, &rollout[0].x, sim::kStateSize * rollout.size()));
  return result;
}

/// comfort(states, version)
Napi::Value comfort(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<sim::State> states = read_states(info, 0, "states");
  if (states.size() < kLeastSamples || states.size() > kMostSamples) {
    throw Error("ERR_RANGE", "states: expected 4 to 100000 rows");
  }
  const auto version = integer_value(info[1], "version", 1, 2) == 1 ? sim::Version::v1 : sim::Version::v2;
  const FlushDenormals flush;
  const sim::ComfortCheck check(version, static_cast<int>(states.size()));
  sim::ComfortCheck::Workspace workspace;
  check.check(states, workspace);
  auto within = Napi::Int32Array::New(env, sim::kComfortSignals);
  for (std::size_t k = 0; k < sim::kComfortSignals; ++k) {
    within[k] = 1;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const double value = workspace.signals[k * states.size() + i];
      if (!(value > sim::kComfortLower[k] && value < sim::kComfortUpper[k])) within[k] = 0;
    }
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("withinBound", within);
  result.Set("signals", numbers(env, workspace.signals.data(), sim::kComfortSignals * states.size()));
  return result;
}

/// extendedComfort(now, previous, interval)
Napi::Value extended_comfort(const Napi::CallbackInfo& info) {
  const std::vector<sim::State> now = read_states(info, 0, "now"), previous = read_states(info, 1, "previous");
  const double interval = number_value(info[2], "interval");
  if (!(interval > 0 && interval <= 10)) throw Error("ERR_RANGE", "interval: expected a positive number up to 10 s");
  const FlushDenormals flush;
  const sim::ExtendedComfort c =
      sim::extended_comfort(rollout_of(now, "now"), rollout_of(previous, "previous"), interval);
  const double values[] = {c.acceleration, c.jerk, c.yaw_rate, c.yaw_acceleration, c.comfortable ? 1.0 : 0.0};
  return numbers(info.Env(), values, std::size(values));
}

}  // namespace

void register_drive(Napi::Object exports) {
  define<&simulate_trajectory>(exports, "simulateTrajectory");
  define<&comfort>(exports, "comfort");
  define<&extended_comfort>(exports, "extendedComfort");
}

}  // namespace wam::binding
