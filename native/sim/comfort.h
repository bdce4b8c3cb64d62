#pragma once
// Comfort of a driven trajectory: C of version 1, history comfort of version 2 (section 6.7), extended comfort of two
// consecutive frames (section 6.9).

#include <span>
#include <vector>

#include "sim/savgol.h"
#include "sim/state.h"

namespace wam::sim {

enum class Version : std::uint8_t { v1, v2 };

inline constexpr int kComfortSignals = 6;
/// Order of the signals and their upper bounds; m/s^2, m/s^3, rad/s^2, rad/s. The lower bound of longitudinal
/// acceleration is -4.05, of the others minus the upper one. A signal must lie strictly between them.
inline constexpr const char* kComfortNames[kComfortSignals] = {"lon_accel", "lat_accel", "jerk_magnitude",
                                                               "lon_jerk",  "yaw_accel", "yaw_rate"};
inline constexpr double kComfortUpper[kComfortSignals] = {2.40, 4.89, 8.37, 4.13, 1.93, 0.95};
inline constexpr double kComfortLower[kComfortSignals] = {-4.05, -4.89, -8.37, -4.13, -1.93, -0.95};

/// Where a series leaves its bounds first.
struct ComfortViolation {
  int signal = -1, sample = -1;  // -1: none
  double value = 0;
};

/// Checks series of one length. Const calls may run at once on several threads with a workspace each.
class ComfortCheck {
 public:
  /// `samples`: at least 4.
  ComfortCheck(Version version, int samples);

  struct Workspace {
    std::vector<double> buffer, signals;  // signals: [kComfortSignals, samples]
  };

  int samples() const { return samples_; }
  /// Fills workspace.signals, and returns the first violation of the first signal that has one.
  ComfortViolation check(std::span<const State> states, Workspace& workspace) const;

 private:
  Version version_;
  int samples_;
  SavitzkyGolay acceleration_, smooth_, jerk_, yaw_acceleration_, yaw_rate_;
};

/// States before the rollout that history comfort takes along: -1.5 .. -0.2 s.
inline constexpr int kHistoryStates = 14;

/// The check of a scored rollout, shared by all: version 1 sees its 41 states, version 2 the history as well.
const ComfortCheck& rollout_comfort(Version version);

/// Root mean squares of the differences between two frames' rollouts where they overlap.
struct ExtendedComfort {
  double acceleration = 0, jerk = 0, yaw_rate = 0, yaw_acceleration = 0;  // m/s^2, m/s^3, rad/s, rad/s^2
  bool comfortable = false;
};

/// Bounds of ExtendedComfort, inclusive.
inline constexpr double kExtendedComfortBounds[4] = {0.7, 0.5, 0.1, 0.1};

/// Compares rollouts of two frames a fixed time apart. Const calls may run at once.
class ExtendedComfortCheck {
 public:
  /// `interval`: seconds from the previous frame to this one, in (0, 0.55) for a pair. Throws Error(ERR_RANGE) when the
  /// rollouts do not overlap by at least 15 states.
  explicit ExtendedComfortCheck(double interval);

  /// Signals of the states that a rollout shares with that of the other frame.
  struct Signals {
    double series[4][kStates];
  };
  Signals of_now(std::span<const State, kStates> rollout) const { return signals(rollout.data()); }
  Signals of_previous(std::span<const State, kStates> rollout) const { return signals(rollout.data() + shift_); }
  ExtendedComfort compare(const Signals& now, const Signals& previous) const;
  int shift() const { return static_cast<int>(shift_); }

 private:
  Signals signals(const State* states) const;

  std::size_t shift_, samples_;
  SavitzkyGolay smooth_, jerk_, rate_, acceleration_;
};

/// The same in one call.
ExtendedComfort extended_comfort(std::span<const State, kStates> now, std::span<const State, kStates> previous,
                                 double interval);

}  // namespace wam::sim
