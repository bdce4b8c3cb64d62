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
  real temperature = 1;
  int top_k = 0;
  flow::PathSchedule schedule;
  /// With Mask::prefix or Mask::causal: the prefix of the input goes through the decoder once.
  bool keep_prefix = true;
  std::uint64_t seed = 0;
  /// In place of random numbers of the seed, each empty or complete: x_0 [positions], uniforms [steps, positions].
  std::vector<std::int32_t> x_0;
  std::vector<float> posterior, jump, draw;
};

struct SampleOutput {
  std::vector<std::int32_t> states, x_1;  // [steps, positions] x_t before each step, and what was decoded in it
  std::vector<std::int32_t> final;        // [positions]: x_1 of the last step
  std::vector<float> log_probability;     // [steps, positions] of x_1 among the range
  double prefix_ms = 0;                   // of a prefix that was kept
  std::vector<double> step_ms;
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
  void decode(const SampleRequest& request, int step, SampleOutput& output);
  void move(const SampleRequest& request, int step, const std::int32_t* x_1, std::int32_t* x_t);

  std::shared_ptr<const VlaWeights> weights_;
  VlaRunner& runner_;
  Backend& backend_;
  std::unique_ptr<Rows> rows_;
  std::unique_ptr<PathTable> table_;
};

}  // namespace wam::vla
