#include "model/network.h"

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/philox.h"
#include "model/diffusion.h"
#include "model/token_features.h"
#include "scene/features.h"

namespace wam::model {

int feature_width(TokenType type) {
  switch (type) {
    case TokenType::ego:
      return scene::kEgoFeatures;
    case TokenType::path:
      return scene::kPathFeatures;
    case TokenType::agent:
      return scene::kAgentFeatures;
    default:
      return scene::kLaneFeatures;
  }
}

StackShape stack_shape(const ModelConfig& c) {
  return {c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim(), c.mlp_hidden, c.mlp, c.norm, c.norm_eps, c.rope_theta};
}

Network::Network(const ModelConfig& config) {
  const auto linear = [&](const std::string& name, int in, int out, bool bias) {
    Linear l;
    l.in = in, l.out = out, l.id = linear_count++;
    l.weight = layout.add(name + ".weight", {out, in}, true);
    if (bias) l.bias = layout.add(name + ".bias", {out}, false);
    return l;
  };
  const auto norm = [&](const std::string& name) {
    Norm n;
    n.weight = layout.add(name + ".weight", {config.hidden}, false);
    if (config.norm == NormKind::layer_norm) n.bias = layout.add(name + ".bias", {config.hidden}, false);
    return n;
  };
  const char* types[kTokenTypes] = {"ego", "path", "agent", "lane"};
  for (int i = 0; i < kTokenTypes; ++i) {
    const std::string name = std::string("encoder.") + types[i];
    encoder_in[i] = linear(name + ".in_proj", feature_width(static_cast<TokenType>(i)), config.encoder_hidden, true);
    encoder_out[i] = linear(name + ".out_proj", config.encoder_hidden, config.hidden, true);
  }
  // Biases go with layer_norm; the Llama-like form (rms_norm) has none.
  const bool bias = config.norm == NormKind::layer_norm;
  const int head_dim = config.head_dim();
  for (int i = 0; i < config.layers; ++i) {
    const std::string name = "decoder.layers." + std::to_string(i);
    Layer layer;
    layer.attention_norm = norm(name + ".input_layernorm");
    layer.qkv =
        linear(name + ".self_attn.qkv_proj", config.hidden, (config.heads + 2 * config.kv_heads) * head_dim, bias);
    layer.output = linear(name + ".self_attn.o_proj", config.heads * head_dim, config.hidden, bias);
    layer.mlp_norm = norm(name + ".post_attention_layernorm");
    const int up = config.mlp == MlpKind::swiglu ? 2 * config.mlp_hidden : config.mlp_hidden;
    layer.up = linear(name + ".mlp.up_proj", config.hidden, up, bias);
    layer.down = linear(name + ".mlp.down_proj", config.mlp_hidden, config.hidden, bias);
    layers.push_back(layer);
  }
  last_key_value = layers.back().qkv;
  last_key_value.weight += static_cast<std::int64_t>(config.heads) * head_dim * config.hidden;
  if (bias) last_key_value.bias += config.heads * head_dim;
  last_key_value.out = 2 * config.kv_heads * head_dim;
  last_key_value.id = linear_count++;
  final_norm = norm("decoder.norm");
  slot_embedding = layout.add("slot_embedding.weight", {config.slots(), config.hidden}, false);
  mask_embedding = layout.add("mask_embedding.weight", {1, config.hidden}, false);
  if (config.continuous()) {
    value_head = linear("value.head", config.hidden, 1, true);
    if (config.decoder == DecoderKind::diffusion) {
      value_input = linear("value.input", 1, config.hidden, false);
      time_input = linear("value.time", kTimeFeatures, config.hidden, false);
    }
    return;
  }
  if (config.numeric == NumericKind::table || config.metric == MetricKind::table) {
    metric_table = layout.add("numeric.table", {config.vocab, config.table_dim}, false, false);
  }
  if (config.numeric == NumericKind::free) {
    numeric_input = linear("numeric.input", config.hidden, config.vocab, false);
    numeric_head = linear("numeric.head", config.hidden, config.vocab, false);
    return;
  }
  feature_dim = token_feature_width(config);
  token_features = layout.add("numeric.features", {config.vocab, feature_dim}, false, false);
  numeric_input = linear("numeric.input", feature_dim, config.hidden, false);
  numeric_head = linear("numeric.head", feature_dim, config.hidden, false);
}

std::vector<real> initial_weights(const ModelConfig& config, const Network& network, std::uint64_t seed,
                                  const std::vector<float>& table) {
  std::vector<real> block(static_cast<std::size_t>(network.layout.size()), real(0));
  const RandomStream stream(seed);
  const auto& tensors = network.layout.tensors();
  const auto index_of = [&](std::int64_t offset) {
    std::uint32_t i = 0;
    while (tensors[i].offset != offset) ++i;
    return i;
  };
  const auto uniform = [&](std::int64_t offset, double bound) {
    const std::uint32_t id = index_of(offset);
    for (std::int64_t i = 0; i < tensors[id].count; ++i) {
      const Philox4 r = stream.at(static_cast<std::uint32_t>(i / 4), id, 0, RandomUse::initial_weight);
      block[static_cast<std::size_t>(offset + i)] =
          static_cast<real>(bound * (2.0 * unit_uniform(r.word[i % 4]) - 1.0));
    }
  };
  const auto ones = [&](const Norm& norm) {
    for (int i = 0; i < config.hidden; ++i) block[static_cast<std::size_t>(norm.weight + i)] = 1;
  };
  // Uniform in +-1/sqrt(in): variance 1/(3 in).
  const auto linear = [&](const Linear& l, double gain) { uniform(l.weight, gain / std::sqrt(l.in)); };

  for (int i = 0; i < kTokenTypes; ++i) {
    linear(network.encoder_in[i], 1);
    linear(network.encoder_out[i], 1);
    uniform(network.encoder_out[i].bias, 0.5);
  }
  const double residual = 1 / std::sqrt(2.0 * config.layers);  // so that the residual stream does not grow with depth
  for (const Layer& layer : network.layers) {
    ones(layer.attention_norm), ones(layer.mlp_norm);
    linear(layer.qkv, 1), linear(layer.up, 1);
    linear(layer.output, residual), linear(layer.down, residual);
  }
  ones(network.final_norm);
  uniform(network.slot_embedding, 0.5);
  uniform(network.mask_embedding, 0.5);
  if (config.continuous()) {
    linear(network.value_head, 0.1);
    if (config.decoder == DecoderKind::diffusion) linear(network.value_input, 1), linear(network.time_input, 1);
    return block;
  }
  if (config.numeric == NumericKind::free) {
    uniform(network.numeric_input.weight, 0.5);
    uniform(network.numeric_head.weight, 0.02);
  } else {
    linear(network.numeric_input, 1);
    linear(network.numeric_head, 0.1);  // near-uniform first posteriors
  }
  if (network.metric_table >= 0) {
    const std::size_t expected = static_cast<std::size_t>(config.vocab) * config.table_dim;
    if (table.size() != expected) {
      throw Error("ERR_CONFIG", "numeric.table: expected a trained table of " + std::to_string(expected) +
                                    " numbers, received " + std::to_string(table.size()));
    }
    for (std::size_t i = 0; i < expected; ++i) block[static_cast<std::size_t>(network.metric_table) + i] = table[i];
  }
  if (network.token_features >= 0) {
    write_token_features(config, network.metric_table >= 0 ? &block[network.metric_table] : nullptr,
                         &block[network.token_features]);
  }
  return block;
}

TokenMetric token_metric(const ModelConfig& config, const Network& network, const real* block, const real* coordinate) {
  TokenMetric metric;
  metric.vocab = config.vocab;
  metric.power = static_cast<real>(config.metric_power);
  if (config.metric == MetricKind::coordinate || config.continuous()) {
    metric.coordinate = coordinate;
  } else {
    metric.table = block + network.metric_table;
    metric.dim = config.table_dim;
  }
  return metric;
}

}  // namespace wam::model
