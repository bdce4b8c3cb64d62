#pragma once
// Tokens of a sequence refined along the metric path of the embedding table: logits -> x_1 -> next x_t, as often as there
// are steps. The tokens that move, and the range of the vocabulary that they are taken from, are the caller's.

#include <memory>
#include <vector>

#include "flow/schedule.h"
#include "vla/path_table.h"
#include "vla/vla_runner.h"

namespace wam::vla {

struct SampleRequest {
  std::vector<std::int32_t> positions;  // that move, ascending
  TokenRange range;                     // tokens that they are taken from
  int steps = 5;
  StepRule rule = StepRule::released;
  DecodeRule decode = DecodeRule::argmax;
  DecodeRule last_decode = DecodeRule::argmax;  // of the last step
  real temperature = 1;
  int top_k = 0;
  flow::PathSchedule schedule;
  /// What the network reads at the positions in the first step, at time 0, in place of x_0, which the chain begins with all
  /// the same; -1: x_0 itself. A token that stands for no number, if the weights were trained with one.
  std::int32_t mask_id = -1;
  /// Chains of one input, each with random numbers of its own.
  int samples = 1;
  /// With Mask::prefix or Mask::causal: the prefix of the input goes through the decoder once.
  bool keep_prefix = true;
  std::uint64_t seed = 0;
  /// In place of random numbers of the seed, each empty or complete: x_0 [samples, positions], uniforms
  /// [samples, steps, positions].
  std::vector<std::int32_t> x_0;
  std::vector<float> posterior, jump, draw;
};

struct SampleOutput {
  std::vector<std::int32_t> states, x_1;  // [samples, steps, positions] x_t before each step, what was decoded in it
  std::vector<std::int32_t> final;        // [samples, positions]: x_1 of the last step
  std::vector<float> log_probability;     // [samples, steps, positions] of x_1 among the range
  double prefix_ms = 0;                   // of a prefix that was kept
  std::vector<double> step_ms;            // [steps] of all samples together
};

class VlaSampler {
 public:
  /// All must outlive this.
  VlaSampler(std::shared_ptr<const VlaWeights> weights, VlaRunner& runner, Backend& backend);
  ~VlaSampler();

  /// Refines the input that the runner was given with the same mask; its tokens at the positions are replaced. False when
  /// `watch` gave up. Throws Error: ERR_SHAPE, ERR_RANGE for a request that does not fit.
  bool sample(const SampleRequest& request, Mask mask, SampleOutput& output, const model::LayerWatch& watch = {});

  /// Makes what steps over the range need; `sample` does it where it was not done. One range is kept at a time.
  void prepare(TokenRange range);

 private:
  struct Rows;  // in the backend's memory
  void check(const SampleRequest& request, bool keeps_prefix) const;
  void begin(const SampleRequest& request, SampleOutput& output);
  void decode(const SampleRequest& request, int sample, int step, SampleOutput& output);
  void move(const SampleRequest& request, int step, const std::int32_t* x_1, std::int32_t* x_t);

  std::shared_ptr<const VlaWeights> weights_;
  VlaRunner& runner_;
  Backend& backend_;
  std::unique_ptr<Rows> rows_;
  std::unique_ptr<PathTable> table_;
  std::vector<std::int32_t> states_;  // [samples, positions] x_t, from the begin of the range
};

}  // namespace wam::vla
