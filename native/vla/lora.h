#pragma once
// Low-rank adapters (Hu et al., "LoRA", ICLR 2022): a matrix W of the checkpoint is computed with as W + B A, and only A
// [rank, in] and B [out, rank] are trained. The sum stands in the block of weights, so that the network knows nothing of
// it; it is made anew from the checkpoint after each update. Gradients of W exist for one product at a time.

#include <cstdint>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/backend.h"
#include "model/gradient.h"
#include "model/parameters.h"
#include "vla/tensor_source.h"
#include "vla/vla_network.h"

namespace wam::vla {

struct LoraConfig {
  int rank = 0;                      // 0: none
  double alpha = 0;                  // B learns alpha / rank times as fast as A
  std::vector<std::string> targets;  // names of matrices
  std::uint64_t seed = 1;            // of A; B is 0 at first
};

class LoraAdapters {
 public:
  /// Throws Error(ERR_CONFIG) for a target that is no matrix of a product.
  LoraAdapters(const VlaNetwork& network, const LoraConfig& config);
  void reserve(Arena& arena);
  /// First values.
  void start(Backend& backend);

  bool empty() const { return adapters_.empty(); }
  /// Names and places of A and B, `NAME.lora_A.weight` and `NAME.lora_B.weight`.
  const model::ParameterLayout& layout() const { return layout_; }
  real* values() const { return values_; }
  real* gradient() const { return gradient_; }
  /// How much faster than the learning rate a tensor of the layout learns.
  double speed(const model::TensorSpec& spec) const;

  /// Whether the product has adapters.
  bool adapts(const model::Linear& linear) const;
  /// As a GradientSink; null for a product without adapters.
  real* begin(const model::Linear& linear, Backend& backend);
  void end(const model::Linear& linear, Backend& backend);

  /// Writes W + B A into the block.
  void merge(const TensorSource& source, Backend& backend, real* block) const;

 private:
  struct Adapter {
    std::string name;     // of W
    std::int64_t weight;  // of W in the block
    int rows, columns;
    std::int64_t a, b;  // in the layout
  };

  const LoraConfig config_;
  std::vector<Adapter> adapters_;  // ascending by place
  model::ParameterLayout layout_;
  std::int64_t largest_ = 0;  // values of a product that has adapters
  real *values_ = nullptr, *gradient_ = nullptr, *product_ = nullptr;
};

}  // namespace wam::vla
