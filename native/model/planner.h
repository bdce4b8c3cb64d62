#pragma once
// One plan: observation -> prefix -> 1..N refinement steps -> trajectory. All memory is taken at construction.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/backend.h"
#include "model/config.h"
#include "model/warm_start.h"
#include "scene/observation.h"
#include "search/causal_scorer.h"

namespace wam::model {

class Model;

/// search: the candidate that scores best by what is known when one plans (search/causal_scorer.h).
enum class Reduce { first, medoid, mean, search };

/// What a search chose from, in this order: the samples, the median plan of one step, the plan before this one.
inline constexpr int kExtraCandidates = 2;

/// How the tokens of one sample go together. comonotone: those of one number of the waypoints (all x, all y, ...) are
/// drawn with one random number, so that a sample is fast or slow, left or right, as a whole.
enum class Coupling { independent, comonotone };

struct PlanOptions {
  int steps = 1;
  int samples = 1;  // plans that share one prefix
  std::uint64_t seed = 0;
  StepRule rule = StepRule::renoise;
  DecodeRule decode = DecodeRule::median;       // of x1 in every step but the last
  DecodeRule last_decode = DecodeRule::median;  // of the plan
  double temperature = 1;
  int top_k = 0;
  Coupling coupling = Coupling::independent;
  Reduce reduce = Reduce::medoid;
  WarmStart warm;
  bool cache = true;  // false recomputes the prefix in every step (for tests and measurement)
  /// A step that would not end by then is not begun, and given up between layers when it turns out slower than
  /// expected; the newest whole plan is given. The first step always runs.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const std::atomic<bool>* abort = nullptr;  // checked between layers of a unified backend, else between steps
  /// Called on the planning thread after each step with the number of steps run so far and the reduced plan
  /// [waypoints, 3]; null: not called.
  void (*on_step)(void* context, int steps_run, const float* trajectory) = nullptr;
  void* on_step_context = nullptr;
};

/// Poses are x, y (metres), heading (radians) of the tracked point in its own present frame, float32 for the API.
struct PlanOutput {
  std::vector<float> trajectory;       // [waypoints, 3]
  std::vector<float> refinements;      // [steps_run, waypoints, 3]: the reduced plan after each step
  std::vector<float> samples;          // [samples, waypoints, 3] of the last step run
  std::vector<std::int32_t> tokens;    // [samples, slots] of the last step run
  std::vector<float> log_probability;  // [samples, slots] of those tokens under the last posterior
  std::vector<float> margin;           // [samples, slots] top-two logit gap of the last posterior
  // Of a search alone, else empty.
  std::vector<float> extra_candidates;     // [kExtraCandidates, waypoints, 3]
  std::vector<search::Findings> findings;  // [samples + kExtraCandidates]
  std::vector<double> scores;              // of the findings; negative where there is no such candidate
  int chosen = 0;                          // index of the plan among them
  int steps_run = 0;
  bool aborted = false;  // no field above is meaningful when no step had run
  double features_us = 0, prefix_us = 0, steps_us = 0;
};

/// Limits that size the memory of a planner.
struct PlanLimits {
  int max_samples = 64;
  int max_steps = 64;
};

class PlanEngine {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  PlanEngine(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits,
             Clock clock = std::chrono::steady_clock::now);
  ~PlanEngine();
  /// Throws Error(ERR_RANGE) when options exceed the limits.
  void plan(const scene::Observation& observation, const PlanOptions& options, PlanOutput& out);
  /// Memory taken at construction, beside the model's weights and their packed copies.
  std::size_t workspace_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wam::model
