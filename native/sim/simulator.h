#pragma once
// From planned poses to a driven trajectory: 41 reference states, LQR tracker, kinematic bicycle model
// (NAVSIM rules, sections 2 and 3).

#include <cstdint>
#include <span>

#include "sim/state.h"

namespace wam::sim {

/// Poses that a plan may have: 4 s at 100 Hz.
inline constexpr int kMaxPlanPoses = 400;

/// Poses of a plan at `interval`, 2 x interval, .. seconds, in the ego's rear-axle frame; 1 to kMaxPlanPoses.
struct PlanPoses {
  std::span<const Pose> poses;
  double interval = 0.5;
};

/// Interpolates the present pose and the plan at 0, 0.1, .. 4 s, global frame; beyond its end the last pose holds.
/// `time_us`: present, microseconds. The devkit truncates all times to microseconds, which moves samples by up to 1 us
/// along the path; so does this.
void reference_poses(const State& ego, std::int64_t time_us, const PlanPoses& plan, std::span<Pose, kStates> out);

/// The same for global poses at 0, 0.1, .. s, as PDM-Closed plans them; the first replaces the present pose.
void resample_poses(std::int64_t time_us, std::span<const Pose> planned, std::span<Pose, kStates> out);

/// Speed (m/s) and curvature (1/m) of the reference at its first 40 poses, by least squares with penalties.
struct Profiles {
  double velocity[kStates - 1], curvature[kStates - 1];
};
void estimate_profiles(std::span<const Pose, kStates> reference, Profiles& out);

/// Drives along the reference from `ego`; out[0] is `ego`.
void simulate(const State& ego, std::span<const Pose, kStates> reference, const Profiles& profiles,
              std::span<State, kStates> out);

}  // namespace wam::sim
