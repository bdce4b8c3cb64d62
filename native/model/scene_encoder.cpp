#include "model/scene_encoder.h"

#include <algorithm>

#include "core/error.h"

namespace wam::model {

SceneEncoder::SceneEncoder(const ModelConfig& config, const Network& network, Backend& backend)
    : config_(config), network_(network), backend_(backend) {}

void SceneEncoder::reserve(Arena& arena, StagedBlock& block, int max_observations, bool training) {
  training_ = training;
  const int most[kTokenTypes] = {1, 2, config_.max_agents, config_.max_lanes};
  int total = 0, largest = 0;
  for (int i = 0; i < kTokenTypes; ++i) {
    Type& type = types_[i];
    type.width = feature_width(static_cast<TokenType>(i));
    type.most = most[i];
    type.capacity = most[i] * max_observations;
    const auto n = static_cast<std::size_t>(type.capacity);
    type.features.reserve(block, n * type.width);
    type.active = arena.take<real>(n * config_.encoder_hidden);
    type.hidden = training ? arena.take<real>(n * config_.encoder_hidden) : nullptr;
    type.row.reserve(block, n);
    total += type.capacity;
    largest = std::max(largest, type.capacity);
  }
  stacked_ = arena.take<real>(static_cast<std::size_t>(total) * config_.hidden);
  source_.reserve(block, static_cast<std::size_t>(total));
  if (training) {
    dactive_ = arena.take<real>(static_cast<std::size_t>(largest) * config_.encoder_hidden);
    dhidden_ = arena.take<real>(static_cast<std::size_t>(largest) * config_.encoder_hidden);
  }
  begin_.reserve(static_cast<std::size_t>(max_observations));
  rows_.reserve(static_cast<std::size_t>(max_observations));
}

void SceneEncoder::clear() {
  for (Type& type : types_) type.count = 0;
  begin_.clear(), rows_.clear();
  total_ = 0;
}

void SceneEncoder::append(Type& type, const std::vector<real>& rows, int count, int& next_row) {
  if (type.count + count > type.capacity) throw Error("ERR_INTERNAL", "scene encoder: more tokens than reserved");
  std::copy_n(rows.data(), static_cast<std::int64_t>(count) * type.width,
              type.features.host() + static_cast<std::int64_t>(type.count) * type.width);
  for (int i = 0; i < count; ++i) type.row[static_cast<std::size_t>(type.count++)] = next_row++;
}

void SceneEncoder::add(const scene::Features& f) {
  int row = total_;
  begin_.push_back(row);
  append(types_[0], f.ego, 1, row);
  append(types_[1], f.path, f.paths, row);
  append(types_[2], f.agent, f.agents, row);
  append(types_[3], f.lane, f.lanes, row);
  rows_.push_back(row - total_);
  total_ = row;
}

void SceneEncoder::arrange(bool padded) {
  int first = 0;
  for (Type& type : types_) {
    type.written = padded ? type.most * observations() : type.count;
    type.out = stacked_ + static_cast<std::int64_t>(first) * config_.hidden;
    for (int k = 0; k < type.count; ++k)
      source_[static_cast<std::size_t>(type.row[static_cast<std::size_t>(k)])] = first + k;
    first += type.written;
  }
  written_ = first;
  for (int k = total_; k < written_; ++k) source_[static_cast<std::size_t>(k)] = 0;
}

void SceneEncoder::forward(const Weights& weights, real* prefix) {
  for (int i = 0; i < kTokenTypes; ++i) {
    Type& type = types_[i];
    if (type.written == 0) continue;
    const int inner = config_.encoder_hidden;
    const real* features = type.features.device();
    if (training_) {
      apply(backend_, weights, network_.encoder_in[i], type.written, features, type.width, type.hidden, inner);
      backend_.activation(Activation::gelu_erf, static_cast<std::int64_t>(type.written) * inner, type.hidden,
                          type.active);
    } else {
      apply(backend_, weights, network_.encoder_in[i], type.written, features, type.width, type.active, inner,
            {.activation = Activation::gelu_erf});
    }
    apply(backend_, weights, network_.encoder_out[i], type.written, type.active, inner, type.out, config_.hidden);
  }
  backend_.embedding(written_, config_.hidden, stacked_, source_.device(), prefix, config_.hidden, false);
}

void SceneEncoder::backward(const Weights& weights, const real* dprefix, real* grad) {
  for (int i = 0; i < kTokenTypes; ++i) {
    Type& type = types_[i];
    if (type.count == 0) continue;
    const int inner = config_.encoder_hidden;
    // The rows of a type are gathered back into the order of its tokens; `out` is free again by now.
    backend_.embedding(type.count, config_.hidden, dprefix, type.row.device(), type.out, config_.hidden, false);
    apply_backward(backend_, weights.block, network_.encoder_out[i], type.count, type.active, inner, type.out,
                   config_.hidden, dactive_, inner, grad);
    backend_.activation_backward(Activation::gelu_erf, static_cast<std::int64_t>(type.count) * inner, type.hidden,
                                 dactive_, dhidden_);
    apply_backward(backend_, weights.block, network_.encoder_in[i], type.count, type.features.device(), type.width,
                   dhidden_, inner, nullptr, 0, grad);
  }
}

}  // namespace wam::model
