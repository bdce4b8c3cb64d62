#include "bench/cpu/planner_model.h"

#include "bench/cpu/inputs.h"

namespace wam::bench {

model::ModelConfig planner_config() {
  model::ModelConfig config;
  config.hidden = kHidden, config.layers = 6, config.heads = config.kv_heads = 8, config.mlp_hidden = 704;
  config.mlp = model::MlpKind::swiglu;
  config.norm = model::NormKind::rms_norm, config.norm_eps = 1e-6;
  config.rope_theta = 10000;
  config.mask = model::MaskKind::prefix;
  config.waypoints = kActions / model::kValuesPerWaypoint;
  config.vocab = kVocab;
  config.numeric = model::NumericKind::free;
  return config;
}

std::vector<real> planner_weights(const model::ModelConfig& config, const model::Network& network) {
  std::vector<real> block(static_cast<std::size_t>(network.layout.size()));
  const auto at = [&](std::int64_t offset) { return &block[static_cast<std::size_t>(offset)]; };
  const auto gains = [&](const std::string& name, const model::Norm& norm) {
    const std::vector<real> values = signed_values(name, config.hidden, 0.1);
    for (int i = 0; i < config.hidden; ++i) at(norm.weight)[i] = 1 + values[static_cast<std::size_t>(i)];
  };
  const auto rows = [&](const std::string& name, std::int64_t count, double scale, std::int64_t offset) {
    const std::vector<real> values = signed_values(name, count, scale);
    std::copy(values.begin(), values.end(), at(offset));
  };
  const int hidden = config.hidden, mlp = config.mlp_hidden;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::string name = "W1.l" + std::to_string(l) + ".";
    const model::Layer& layer = network.layers[l];
    gains(name + "g1", layer.attention_norm);
    gains(name + "g2", layer.mlp_norm);
    write_transposed_linear(name + "wqkv", hidden, 3 * hidden, at(layer.qkv.weight));
    write_transposed_linear(name + "wo", hidden, hidden, at(layer.output.weight));
    write_transposed_linear(name + "wg", hidden, mlp, at(layer.up.weight));
    write_transposed_linear(name + "wu", hidden, mlp, at(layer.up.weight) + static_cast<std::int64_t>(mlp) * hidden);
    write_transposed_linear(name + "wd", mlp, hidden, at(layer.down.weight));
  }
  gains("W1.gf", network.final_norm);
  rows("W1.tok", static_cast<std::int64_t>(config.vocab) * hidden, 1, network.numeric_input.weight);
  rows("W1.time", static_cast<std::int64_t>(kSteps) * hidden, 0.5, network.slot_embedding);
  write_transposed_linear("W1.head", hidden, config.vocab, at(network.numeric_head.weight));
  return block;
}

PlannerRows::PlannerRows(Backend& backend, int held, int first, int count, model::SegmentChoice choice)
    : arena_(make_arena(backend,
                        [&](Arena& arena) { reserve(arena, backend, held * kPrefix + count * kActions, count); })) {
  all_.clear(), last_.clear();
  for (int i = 0; i < held; ++i) {
    for (int k = 0; k < kPrefix; ++k) position_[static_cast<std::size_t>(i * kPrefix + k)] = k;
  }
  for (int i = 0; i < count; ++i) {
    const model::Sequence sequence{(first + i) * kPrefix, kPrefix, held * kPrefix + i * kActions, 1};
    all_.add(model::MaskKind::prefix, sequence, kActions, choice);
    if (choice.actions) last_.add(model::MaskKind::prefix, sequence, kActions, {false, true});
    for (int k = 0; k < kActions; ++k) position_[static_cast<std::size_t>(sequence.action_begin + k)] = kPrefix + k;
  }
  staged_.push(backend);
}

void PlannerRows::reserve(Arena& arena, Backend& backend, int rows, int count) {
  staged_.clear();
  all_.reserve(staged_, count, 1), last_.reserve(staged_, count, 1);
  position_.reserve(staged_, static_cast<std::size_t>(rows));
  staged_.take(arena, backend);
}

}  // namespace wam::bench
