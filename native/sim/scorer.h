#pragma once
// The PDM score of a scene: set up once, then any number of trajectories in one call.

#include <memory>
#include <span>
#include <vector>

#include "core/thread_pool.h"
#include "sim/pdm_closed.h"
#include "sim/reactive.h"
#include "sim/score.h"
#include "sim/simulator.h"

namespace wam::sim {

enum class Traffic : std::uint8_t { replay, reactive };

/// What one trajectory got.
struct TrajectoryScore {
  Verdict verdict;
  double ego_progress = 0;
  double score = 0;  // version 1: PDMS; version 2: before extended comfort, not filtered
  double multiplier = 0;
  // The reference that progress was normalised with.
  double reference_progress = 0, reference_multiplier = 0;  // metres
};

/// Sub-metrics of version 2 after the human filter, in the order NC, DAC, DDC, TLC, EP, TTC, LK, HC.
inline constexpr int kFiltered = 8;

class Scorer {
 public:
  /// Plans the route, PDM-Closed and the references. Throws Error: ERR_SCENARIO, ERR_ARGUMENT for reactive traffic in
  /// version 1, which has none.
  Scorer(Scene scene, Version version, Traffic traffic, int threads = 1);

  /// Simulates and scores. `poses`: [n, count, 3] x, y, heading in the ego's frame, `interval` seconds apart, the first
  /// at `interval`. `rollouts`: [n, kStates] or null. Results do not depend on threads, order or company. One call at a
  /// time. Throws Error: ERR_RANGE, ERR_NOT_FINITE.
  void score(const double* poses, int n, int count, double interval, TrajectoryScore* out, State* rollouts);

  /// Scores trajectories that were driven elsewhere: rollouts [n, kStates] that begin at the ego's state.
  void score_rollouts(const State* rollouts, int n, TrajectoryScore* out);

  /// Sub-metrics with those set to 1 that the recorded human fails, and the score from them (before extended comfort).
  /// Without a recorded human, or in version 1, nothing is forgiven.
  double filtered(const TrajectoryScore& score, std::span<double, kFiltered> out) const;

  /// Vehicles that react to a rollout, of the scene's objects; empty for replayed traffic.
  std::vector<ReactiveTrack> reactive_tracks(std::span<const State, kStates> rollout) const;

  const Scene& scene() const { return scene_; }
  Version version() const { return version_; }
  const Route& route() const { return route_; }
  const Ground& ground() const { return ground_; }
  const PdmClosedPlan& pdm_closed() const { return plan_; }
  const Verdict& reference() const { return reference_; }
  /// The recorded human's verdict; valid when the scene has one.
  const Verdict& human() const { return human_; }
  /// Boxes that rollouts are judged against (replayed traffic): their objects are named by a Finding.
  const Occupancy& occupancy() const { return occupancy_; }
  std::size_t bytes() const;

 private:
  struct Worker {
    Worker(const Ground& ground, Version version) : judge(ground, version) {}
    Judge judge;
    Occupancy reactive;
  };
  void judge_one(Worker& worker, std::span<const State, kStates> rollout, TrajectoryScore& out);

  Scene scene_;
  Version version_;
  Route route_;
  Ground ground_;
  Occupancy occupancy_;
  PdmClosedPlan plan_;
  std::vector<State> history_;             // 14 states before the rollout, or none
  const ComfortCheck* comfort_ = nullptr;  // null: comfort cannot be told
  std::unique_ptr<ReactiveTraffic> reactive_;
  Verdict reference_, human_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<ThreadPool> team_;
};

}  // namespace wam::sim
