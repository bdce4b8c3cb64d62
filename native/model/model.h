#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend.h"
#include "model/config.h"
#include "model/parameters.h"

namespace wam::model {

/// A tensor that came from or goes to a checkpoint.
struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> data;
};

/// The parameter names and shapes of a model with this configuration (what model.safetensors must hold, no more, no
/// less).
ParameterLayout parameter_layout(const ModelConfig& config);

/// Copies the tensors whose names begin with `prefix` into a block of this layout. Throws Error(ERR_CHECKPOINT_CORRUPT)
/// with one list of all that is missing, extra, mis-shaped or not finite.
void copy_tensors(const ParameterLayout& layout, const std::vector<NamedTensor>& tensors, std::string_view prefix,
                  real* block);
std::vector<NamedTensor> named_tensors(const ParameterLayout& layout, std::string_view prefix, const real* block);

/// Immutable weights, shared by any number of planners.
class Model {
 public:
  /// Throws Error(ERR_CHECKPOINT_CORRUPT) that lists missing, extra and mis-shaped tensors and the first non-finite one.
  Model(ModelConfig config, const std::vector<NamedTensor>& tensors);

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  const real* data() const { return block_.data(); }

 private:
  ModelConfig config_;
  ParameterLayout layout_;
  std::vector<real> block_;
};

}  // namespace wam::model
