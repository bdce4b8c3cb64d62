#include "sim/comfort.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/planar.h"

namespace wam::sim {
namespace {

constexpr int kSmooth = 8, kJerk = 15, kYaw = 5;  // windows

/// Headings without jumps of a turn, as nuPlan's helper unwraps them: rounded turns, half to even.
void unwrap(std::span<const State> states, double* out) {
  double turns = 0;
  out[0] = states[0].heading;
  for (std::size_t i = 1; i < states.size(); ++i) {
    turns += std::nearbyint((states[i].heading - states[i - 1].heading) / (2 * kPi));
    out[i] = states[i].heading - 2 * kPi * turns;
  }
}

double root_mean_square(const double* a, const double* b, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(n));
}

std::size_t shift_of(double interval) {
  const double steps = std::nearbyint(interval / kDt);
  if (!(steps >= 0 && steps <= kStates - kJerk)) {
    throw Error("ERR_RANGE", "interval: expected 0 to 2.6 s between the frames");
  }
  return static_cast<std::size_t>(steps);
}

}  // namespace

ComfortCheck::ComfortCheck(Version version, int samples)
    : version_(version),
      samples_(samples),
      acceleration_(samples, version == Version::v1 ? samples : kSmooth, 2, 0),
      smooth_(samples, kSmooth, 2, 0),
      jerk_(samples, version == Version::v1 ? samples : kJerk, 2, 1),
      yaw_acceleration_(samples, kYaw, 3, 2),
      yaw_rate_(samples, kYaw, 2, 1) {}

ComfortViolation ComfortCheck::check(std::span<const State> states, Workspace& workspace) const {
  const auto n = static_cast<std::size_t>(samples_);
  workspace.buffer.resize(2 * n);
  workspace.signals.resize(kComfortSignals * n);
  double *series = workspace.buffer.data(), *smooth = series + n, *out = workspace.signals.data();
  for (std::size_t i = 0; i < n; ++i) {
    const State& s = states[i];
    // Version 2 takes the acceleration of the box centre, with the yaw acceleration on the wrong axis.
    const double at_center = vehicle::kRearAxleToCenter * (s.yaw_rate * s.yaw_rate + s.yaw_acceleration);
    series[i] = version_ == Version::v1 ? s.ax : s.ax + at_center;
  }
  acceleration_.apply(series, out);
  smooth_.apply(series, smooth);
  jerk_.apply(smooth, out + 3 * n);
  for (std::size_t i = 0; i < n; ++i) series[i] = states[i].ay;
  acceleration_.apply(series, out + n);
  for (std::size_t i = 0; i < n; ++i) series[i] = planar_length(states[i].ax, states[i].ay);
  smooth_.apply(series, smooth);
  jerk_.apply(smooth, out + 2 * n);
  unwrap(states, series);
  yaw_acceleration_.apply(series, out + 4 * n);
  yaw_rate_.apply(series, out + 5 * n);

  for (int signal = 0; signal < kComfortSignals; ++signal) {
    const double* values = out + static_cast<std::size_t>(signal) * n;
    for (int i = 0; i < samples_; ++i) {
      if (!(values[i] > kComfortLower[signal] && values[i] < kComfortUpper[signal])) return {signal, i, values[i]};
    }
  }
  return {};
}

const ComfortCheck& rollout_comfort(Version version) {
  static const ComfortCheck kVersion1(Version::v1, kStates), kVersion2(Version::v2, kHistoryStates + kStates);
  return version == Version::v1 ? kVersion1 : kVersion2;
}

ExtendedComfortCheck::ExtendedComfortCheck(double interval)
    : shift_(shift_of(interval)),
      samples_(kStates - shift_),
      smooth_(static_cast<int>(samples_), kSmooth, 2, 0),
      jerk_(static_cast<int>(samples_), kJerk, 2, 1),
      rate_(static_cast<int>(samples_), kYaw, 2, 1),
      acceleration_(static_cast<int>(samples_), kYaw, 2, 2) {}

ExtendedComfortCheck::Signals ExtendedComfortCheck::signals(const State* states) const {
  Signals out;
  double series[kStates];
  for (std::size_t i = 0; i < samples_; ++i) series[i] = planar_length(states[i].ax, states[i].ay);
  smooth_.apply(series, out.series[0]);
  jerk_.apply(out.series[0], out.series[1]);
  unwrap({states, samples_}, series);
  rate_.apply(series, out.series[2]);
  acceleration_.apply(series, out.series[3]);
  return out;
}

ExtendedComfort ExtendedComfortCheck::compare(const Signals& now, const Signals& previous) const {
  const auto rms = [&](int k) { return root_mean_square(now.series[k], previous.series[k], samples_); };
  ExtendedComfort result{rms(0), rms(1), rms(2), rms(3), false};
  result.comfortable = result.acceleration <= kExtendedComfortBounds[0] && result.jerk <= kExtendedComfortBounds[1] &&
                       result.yaw_rate <= kExtendedComfortBounds[2] &&
                       result.yaw_acceleration <= kExtendedComfortBounds[3];
  return result;
}

ExtendedComfort extended_comfort(std::span<const State, kStates> now, std::span<const State, kStates> previous,
                                 double interval) {
  const ExtendedComfortCheck check(interval);
  return check.compare(check.of_now(now), check.of_previous(previous));
}

}  // namespace wam::sim
