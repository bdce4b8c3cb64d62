#pragma once
#include <node_api.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "binding/counters.h"
#include "binding/job_thread.h"
#include "sim/scorer.h"

namespace wam::binding {

/// What a call of a scorer is given and gives back.
struct ScoreWork {
  /// Poses [n, count, 3] `interval` seconds apart, or with `count` 0 rollouts [n, kStates].
  std::vector<double> input;
  int n = 0, count = 0;
  double interval = 0;
  bool wants_rollouts = false;
  std::vector<double> rows, rollouts;  // [n, kScoreColumns], [n, kStates, 11]
};

/// A scorer with a thread that is started by the first call which needs it. Functions are for the JavaScript thread.
class SimScorer : public std::enable_shared_from_this<SimScorer> {
 public:
  static constexpr const char* kHandleName = "scorer";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 7};

  SimScorer(std::shared_ptr<Environment> environment, sim::Scene scene, sim::Version version, sim::Traffic traffic,
            int threads);

  /// A promise of an ArrayBuffer with the rows and then the rollouts, or of undefined when aborted.
  napi_value score(napi_env env, std::unique_ptr<ScoreWork> work, double job);
  /// On this thread, into the caller's memory; waits for a call that is running. `input`, `n`, `count` and `interval` as
  /// in ScoreWork; `rollouts` may be null.
  void score_here(const double* input, int n, int count, double interval, double* rows, sim::State* rollouts);
  void abort(napi_env env, double job);
  napi_value close(napi_env env);

  /// Hands the scorer over; this one is closed then. Throws Error: ERR_CLOSED, ERR_ARGUMENT once it has a thread.
  std::unique_ptr<sim::Scorer> take();
  /// Throws Error(ERR_CLOSED).
  const sim::Scorer& open() const;
  int threads() const { return threads_; }

 private:
  class ScoreJob;
  void compute(const double* input, int n, int count, double interval, double* rows, sim::State* rollouts);

  std::shared_ptr<Environment> environment_;
  int threads_;
  bool closed_ = false;
  std::unique_ptr<sim::Scorer> scorer_;
  std::vector<sim::TrajectoryScore> scores_;
  Counted<Count::scorers> counted_;
  std::optional<JobThread> thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
