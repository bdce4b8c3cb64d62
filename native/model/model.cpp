#include "model/model.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "model/network.h"

namespace wam::model {

namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

ParameterLayout parameter_layout(const ModelConfig& config) {
  config.validate();
  return Network(config).layout;
}

void copy_tensors(const ParameterLayout& layout, const std::vector<NamedTensor>& tensors, std::string_view prefix,
                  real* block) {
  std::string problems;
  const auto report = [&](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
  std::vector<bool> seen(layout.tensors().size(), false);
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.name.starts_with(prefix)) continue;
    const TensorSpec* spec = layout.find(std::string_view(tensor.name).substr(prefix.size()));
    if (spec == nullptr) {
      report("extra tensor " + tensor.name);
      continue;
    }
    seen[static_cast<std::size_t>(spec - layout.tensors().data())] = true;
    if (tensor.shape != spec->shape || static_cast<std::int64_t>(tensor.data.size()) != spec->count) {
      report(tensor.name + ": expected shape " + shape_text(spec->shape) + ", received " + shape_text(tensor.shape));
      continue;
    }
    if (!std::all_of(tensor.data.begin(), tensor.data.end(), [](float v) { return std::isfinite(v); })) {
      report(tensor.name + ": holds a number that is not finite");
      continue;
    }
    std::copy(tensor.data.begin(), tensor.data.end(), block + spec->offset);
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i]) report("missing tensor " + std::string(prefix) + layout.tensors()[i].name);
  }
  if (!problems.empty()) throw Error("ERR_CHECKPOINT_CORRUPT", problems);
}

std::vector<NamedTensor> named_tensors(const ParameterLayout& layout, std::string_view prefix, const real* block) {
  std::vector<NamedTensor> out;
  for (const TensorSpec& spec : layout.tensors()) {
    NamedTensor tensor{std::string(prefix) + spec.name, spec.shape, {}};
    tensor.data.assign(block + spec.offset, block + spec.offset + spec.count);
    out.push_back(std::move(tensor));
  }
  return out;
}

Model::Model(ModelConfig config, const std::vector<NamedTensor>& tensors)
    : config_(std::move(config)), layout_(parameter_layout(config_)) {
  block_.assign(static_cast<std::size_t>(layout_.size()), real(0));
  copy_tensors(layout_, tensors, "", block_.data());
}

}  // namespace wam::model
