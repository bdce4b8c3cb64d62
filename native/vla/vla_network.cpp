#include "vla/vla_network.h"

#include <utility>

#include "core/error.h"

namespace wam::vla {
namespace {

using model::Linear;
using model::Norm;

/// Adds tensors to a network in the order of the checkpoints.
class Builder {
 public:
  Builder(VlaNetwork& network, Residency residency) : network_(network), residency_(residency) {}

  Norm norm(const std::string& name, int columns, bool bias) {
    Norm n;
    n.weight = vector(name + ".weight", columns);
    if (bias) n.bias = vector(name + ".bias", columns);
    return n;
  }

  std::int64_t vector(const std::string& name, int count) { return network_.layout.add(name, {count}, true); }

  /// The linear map whose rows are those of `parts` one after the other; each part `name.weight` and, with `bias`,
  /// `name.bias`.
  Linear linear(int in, const std::vector<std::pair<std::string, int>>& parts, bool bias,
                std::vector<std::int64_t> kernel = {}) {
    Matrix matrix;
    matrix.linear.in = in;
    matrix.linear.id = static_cast<int>(network_.matrices.size());
    for (const auto& [name, rows] : parts) {
      std::vector<std::int64_t> shape = {rows};
      if (kernel.empty()) kernel = {in};
      shape.insert(shape.end(), kernel.begin(), kernel.end());
      if (residency_ == Residency::block) {
        const std::int64_t at = network_.layout.add(name + ".weight", shape, true);
        follows(at, matrix.linear.weight, std::int64_t{matrix.linear.out} * in);
        if (matrix.parts.empty()) matrix.linear.weight = at;
      }
      matrix.parts.push_back({name + ".weight", std::move(shape)});
      matrix.linear.out += rows;
    }
    int rows_before = 0;
    for (const auto& [name, rows] : parts) {
      if (!bias) break;
      const std::int64_t at = vector(name + ".bias", rows);
      follows(at, matrix.linear.bias, rows_before);
      if (rows_before == 0) matrix.linear.bias = at;
      rows_before += rows;
    }
    network_.matrices.push_back(matrix);
    return matrix.linear;
  }

  std::int64_t table(const Part& part) {
    return residency_ == Residency::block ? network_.layout.add(part.name, part.shape, true) : -1;
  }

 private:
  /// Tensors of the block begin on cache lines.
  static void follows(std::int64_t at, std::int64_t begin, std::int64_t size) {
    if (size == 0 || at == begin + size) return;
    throw Error("ERR_CONFIG",
                "heads, widths: expected multiples of 16 where matrices are trained or products have biases");
  }

  VlaNetwork& network_;
  const Residency residency_;
};

/// Rows [first, first + count) of a map.
Linear rows_of(const Linear& whole, int first, int count) {
  Linear part = whole;
  part.weight += std::int64_t{first} * whole.in;
  if (whole.bias >= 0) part.bias += first;
  part.out = count;
  return part;
}

}  // namespace

VlaNetwork::VlaNetwork(const VlaConfig& config, Residency residency) {
  config.validate();
  Builder builder(*this, residency);
  const LanguageConfig& l = config.language;
  const VisionConfig& v = config.vision;

  embedding = {"language_model.model.embed_tokens.weight", {l.vocab, l.hidden}};
  embedding_offset = builder.table(embedding);
  language_shape = {l.layers,
                    l.hidden,
                    l.heads,
                    l.kv_heads,
                    l.head_dim,
                    l.mlp_hidden,
                    model::MlpKind::swiglu,
                    model::NormKind::rms_norm,
                    l.norm_eps,
                    l.rope_theta};
  const int queries = l.heads * l.head_dim, keys = l.kv_heads * l.head_dim;
  language.split = residency == Residency::packed;
  for (int i = 0; i < l.layers; ++i) {
    const std::string name = "language_model.model.layers." + std::to_string(i) + ".";
    const auto projection = [&](const char* which) { return name + "self_attn." + which + "_proj"; };
    model::Layer layer;
    layer.attention_norm = builder.norm(name + "input_layernorm", l.hidden, false);
    if (language.split) {
      layer.query = builder.linear(l.hidden, {{projection("q"), queries}}, l.attention_bias);
      layer.key_value = builder.linear(l.hidden, {{projection("k"), keys}, {projection("v"), keys}}, l.attention_bias);
      language.last_key_value = layer.key_value;
    } else {
      layer.qkv = builder.linear(
          l.hidden, {{projection("q"), queries}, {projection("k"), keys}, {projection("v"), keys}}, l.attention_bias);
      language.last_key_value = rows_of(layer.qkv, queries, 2 * keys);
    }
    layer.output = builder.linear(queries, {{projection("o"), l.hidden}}, l.attention_bias);
    layer.mlp_norm = builder.norm(name + "post_attention_layernorm", l.hidden, false);
    layer.up = builder.linear(l.hidden, {{name + "mlp.gate_proj", l.mlp_hidden}, {name + "mlp.up_proj", l.mlp_hidden}},
                              l.mlp_bias);
    layer.down = builder.linear(l.mlp_hidden, {{name + "mlp.down_proj", l.hidden}}, l.mlp_bias);
    language.layers.push_back(layer);
  }
  language.final_norm = builder.norm("language_model.model.norm", l.hidden, false);
  head = l.tied_head ? embedding : Part{"language_model.lm_head.weight", {l.vocab, l.hidden}};
  head_offset = l.tied_head ? embedding_offset : builder.table(head);

  const std::string tower = "vision_model.vision_tower.";
  patch = builder.linear(3 * v.patch * v.patch, {{tower + "patch_embed.proj", v.width}}, true, {3, v.patch, v.patch});
  position = layout.add(tower + "pos_embed", {1, v.tokens(), v.width}, true);
  vision_shape = {v.layers,
                  v.width,
                  v.heads,
                  v.heads,
                  v.width / v.heads,
                  v.mlp_hidden,
                  model::MlpKind::gelu,
                  model::NormKind::layer_norm,
                  v.norm_eps,
                  0};
  for (int i = 0; i < v.layers; ++i) {
    const std::string name = tower + "blocks." + std::to_string(i) + ".";
    model::Layer layer;
    layer.attention_norm = builder.norm(name + "norm1", v.width, true);
    layer.qkv = builder.linear(v.width, {{name + "attn.qkv", 3 * v.width}}, true);
    layer.output = builder.linear(v.width, {{name + "attn.proj", v.width}}, true);
    layer.mlp_norm = builder.norm(name + "norm2", v.width, true);
    layer.up = builder.linear(v.width, {{name + "mlp.fc1", v.mlp_hidden}}, true);
    layer.down = builder.linear(v.mlp_hidden, {{name + "mlp.fc2", v.width}}, true);
    vision.layers.push_back(layer);
  }
  vision.last_key_value = rows_of(vision.layers.back().qkv, v.width, 2 * v.width);
  vision.final_norm = builder.norm(tower + "norm", v.width, true);

  for (int i = 0; i < config.aligner_depth; ++i) {
    const std::string name = "aligner.layers." + std::to_string(2 * i);
    aligner.push_back(builder.linear(i == 0 ? v.width : l.hidden, {{name, l.hidden}}, true));
  }
}

std::vector<Part> VlaNetwork::tensors() const {
  std::vector<Part> all;
  for (const model::TensorSpec& spec : layout.tensors()) all.push_back({spec.name, spec.shape});
  if (embedding_offset >= 0) return all;
  for (const Matrix& matrix : matrices) all.insert(all.end(), matrix.parts.begin(), matrix.parts.end());
  all.push_back(embedding);
  if (head.name != embedding.name) all.push_back(head);
  return all;
}

}  // namespace wam::vla
