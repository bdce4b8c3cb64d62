#include "model/numeric_tables.h"

namespace wam::model {

namespace {

std::int64_t input_size(const ModelConfig& config) {
  return (static_cast<std::int64_t>(config.network_vocab()) + 1) * config.hidden;
}

}  // namespace

std::int64_t NumericTables::size(const ModelConfig& config) {
  return input_size(config) + static_cast<std::int64_t>(config.network_vocab()) * config.hidden;
}

NumericTables NumericTables::at(const ModelConfig& config, real* block) {
  return {block, block == nullptr ? nullptr : block + input_size(config)};
}

NumericTables NumericTables::take(const ModelConfig& config, Arena& arena) {
  return at(config, arena.take<real>(static_cast<std::size_t>(size(config))));
}

void make_numeric_tables(const ModelConfig& config, const Network& network, Backend& backend, const real* block,
                         NumericTables& out) {
  const auto n = static_cast<std::int64_t>(config.network_vocab()) * config.hidden;
  const auto copy = [&](const real* from, std::int64_t count, real* to) {
    backend.fill(count, 0, to);
    backend.axpy(count, 1, from, to);
  };
  if (config.continuous()) {
    // The mask row alone.
  } else if (config.numeric == NumericKind::free) {
    copy(block + network.numeric_input.weight, n, out.input);
    copy(block + network.numeric_head.weight, n, out.head);
  } else {
    const Weights weights{block, nullptr};
    const real* features = block + network.token_features;
    apply(backend, weights, network.numeric_input, config.vocab, features, network.feature_dim, out.input,
          config.hidden);
    apply(backend, weights, network.numeric_head, config.vocab, features, network.feature_dim, out.head, config.hidden);
  }
  copy(block + network.mask_embedding, config.hidden, out.input + n);
}

void numeric_tables_backward(const ModelConfig& config, const Network& network, Backend& backend, const real* block,
                             const NumericTables& gradient, real* grad) {
  const auto n = static_cast<std::int64_t>(config.network_vocab()) * config.hidden;
  backend.axpy(config.hidden, 1, gradient.input + n, grad + network.mask_embedding);
  if (config.continuous()) return;
  if (config.numeric == NumericKind::free) {
    backend.axpy(n, 1, gradient.input, grad + network.numeric_input.weight);
    backend.axpy(n, 1, gradient.head, grad + network.numeric_head.weight);
    return;
  }
  const real* features = block + network.token_features;
  apply_backward(backend, block, network.numeric_input, config.vocab, features, network.feature_dim, gradient.input,
                 config.hidden, nullptr, 0, grad);
  apply_backward(backend, block, network.numeric_head, config.vocab, features, network.feature_dim, gradient.head,
                 config.hidden, nullptr, 0, grad);
}

}  // namespace wam::model
