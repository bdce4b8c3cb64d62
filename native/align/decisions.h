#pragma once
// Which network inputs and tokens stand for a group of plans in the policy objective: the estimators of a plan's
// log-probability (wamflow-spec section 7).

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "align/rollouts.h"
#include "model/flow_noise.h"

namespace wam::align {

/// chain: x_1 of every step given that step's input. What moves x_t afterwards depends on x_1 and not on the weights, so
/// the sum over steps is the log-probability of the whole chain up to a constant: exact.
/// last: x_1 of the last step, which is the plan, given the last input. Leaves out what the weights did for that input.
/// one_shot: the plan given an input that is noised from it anew at a random time, or the mask token. The probability of
/// another process than the one that drew it: biased, the cheapest and independent of the number of steps.
enum class Estimator { chain, last, one_shot };

/// Tokens drawn for network inputs, on the host.
struct Decisions {
  std::vector<int> scenes;          // that take part, of the micro-batch
  std::vector<int> blocks;          // [scenes] network inputs of each
  std::vector<std::int32_t> input;  // [all blocks, slots]
  std::vector<int> block;           // [decisions] the input that a decision was made for
  std::vector<std::int32_t> token;  // [decisions, slots]
  std::vector<real> advantage;      // [decisions]
  std::vector<real> old;            // [decisions, slots] log-probability under the weights that drew them; or none yet

  int decisions() const { return static_cast<int>(block.size()); }
  void clear();
  void begin_scene(int scene);
  /// A decision of the scene begun last. Equal mask inputs of a scene are one block.
  void add(std::span<const std::int32_t> input, std::span<const std::int32_t> token, double advantage, int mask_token);

 private:
  int mask_block_ = -1;
};

/// Most blocks that `collect` makes of `scenes` scenes.
int most_blocks(Estimator estimator, int scenes, int samples, int steps);
int most_decisions(Estimator estimator, int scenes, int samples, int steps);

/// Collects the decisions behind the plans of a micro-batch.
class Collector {
 public:
  /// Room for `scenes` scenes of `samples` plans. `metric` must outlive this.
  Collector(const model::ModelConfig& config, const TokenMetric& metric, Backend& backend, Estimator estimator,
            int scenes, int samples);

  struct Draw {
    RandomStream stream{0};
    std::uint32_t update = 0, first_scene = 0;  // number of the micro-batch's first scene in the batch
    double zero_share = 0;                      // one_shot: of decisions at t = 0
  };
  /// `advantage` [scenes, samples]; scenes that are not kept are left out.
  void collect(const Rollouts& rollouts, int steps, std::span<const double> advantage, const std::vector<bool>& keep,
               const Draw& draw, Decisions& out);

 private:
  void renoise(const std::int32_t* plans, int scenes, const Draw& draw);

  const model::ModelConfig& config_;
  Backend& backend_;
  Estimator estimator_;
  int samples_;
  model::NoiseProcess noise_;
  StagedBlock staged_;
  Arena arena_;
  std::vector<std::int32_t> noised_;  // [scenes, samples, slots]
};

}  // namespace wam::align
