#pragma once
// The weights of a model: one contiguous block, so that optimiser, EMA, gradient norm and a later all-reduce each are
// one pass, with names and shapes as they stand in model.safetensors.

#include <string>
#include <string_view>
#include <vector>

#include "core/real.h"

namespace wam::model {

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0;  // into the block, elements
  std::int64_t count = 0;
  bool decay = false;   // weight decay applies (matrices)
  bool trained = true;  // false: a fixed buffer such as the token features
};

class ParameterLayout {
 public:
  /// Appends a tensor and returns its offset.
  std::int64_t add(std::string name, std::vector<std::int64_t> shape, bool decay, bool trained = true);
  const std::vector<TensorSpec>& tensors() const { return tensors_; }
  const TensorSpec* find(std::string_view name) const;
  std::int64_t size() const { return size_; }

 private:
  std::vector<TensorSpec> tensors_;
  std::int64_t size_ = 0;
};

}  // namespace wam::model
