#include "model/parameters.h"

namespace wam::model {

std::int64_t ParameterLayout::add(std::string name, std::vector<std::int64_t> shape, bool decay, bool trained) {
  TensorSpec spec{std::move(name), std::move(shape), size_, 1, decay, trained};
  for (std::int64_t dim : spec.shape) spec.count *= dim;
  tensors_.push_back(spec);
  // Each tensor begins on a cache line.
  size_ += (spec.count + 15) / 16 * 16;
  return spec.offset;
}

const TensorSpec* ParameterLayout::find(std::string_view name) const {
  for (const TensorSpec& spec : tensors_) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace wam::model
