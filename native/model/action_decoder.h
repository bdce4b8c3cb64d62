#pragma once
// How the action rows become plans, as PlanEngine drives it: the prefix, then steps, each of which leaves a whole plan.

#include <memory>

#include "model/decoder.h"
#include "model/planner.h"
#include "scene/features.h"

namespace wam::model {

/// What a plan begins with.
struct PlanStart {
  /// [waypoints, 3] poses of the plan before this one as a plan from now, when options.warm is given; else null.
  const float* earlier = nullptr;
  double center_offset = 0;  // of those poses
};

class ActionDecoder {
 public:
  virtual ~ActionDecoder() = default;

  /// Throws Error(ERR_RANGE, ERR_ARGUMENT) for options that this decoder has no meaning for.
  virtual void check(const PlanOptions& options) const = 0;
  /// Takes over an observation. What `queue_*` read is in place after this, and they are operations alone: the same ones
  /// whatever the observation, on a device of its own memory.
  virtual void begin(const scene::Features& features, const PlanOptions& options, const PlanStart& start) = 0;
  virtual void queue_prefix(const PlanOptions& options) = 0;
  /// Step k of options.steps. False when `watch` gave it up: the plan of step k - 1 stands.
  virtual bool queue_step(const PlanOptions& options, int k, const LayerWatch& watch) = 0;
  /// Makes step k the last one after all, which `queue_step` took for one between others. Its logits still stand.
  virtual void decode_again(const PlanOptions& options, int k) = 0;
  /// Samples that the network runs on in step k.
  virtual int active(const PlanOptions& options, int k) const = 0;

  /// Brings step k (steps 0..k with `all`) to the host, where the two below read it.
  virtual void fetch(int k, bool all) = 0;
  /// Poses [waypoints, 3] of a sample after step k.
  virtual void write_poses(int k, int sample, double speed, double center_offset, float* pose) = 0;
  /// Whether a plan with these options also gives the medians of the first posterior, which a search looks at, and their
  /// poses once everything was fetched.
  virtual bool has_median(const PlanOptions&) const { return false; }
  virtual void write_median(double, double, float*) {}
  /// Tokens, their log-probability and margin after the last step, k; sizes are set.
  virtual void write_decision(const PlanOptions& options, int k, PlanOutput& out) = 0;
  virtual std::size_t bytes() const = 0;
};

/// Slots after which random numbers of a sample come again; 0: they never do.
inline int coupled_slots(const ModelConfig& config, Coupling coupling) {
  return coupling == Coupling::comonotone ? config.slots() / config.waypoints : 0;
}

/// Throws Error(ERR_ARGUMENT) when refinement shall begin with the plan before.
void refuse_warm_start(const PlanOptions& options, const char* decoder);

/// The decoder that the model's configuration names.
std::unique_ptr<ActionDecoder> make_action_decoder(std::shared_ptr<const Model> model, Backend& backend,
                                                   PlanLimits limits);

}  // namespace wam::model
