#include "vla/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "vla/name_list.h"

namespace wam::vla {
namespace {

using Shape = std::vector<std::int64_t>;

const std::string kEmbedding = "language_model.model.embed_tokens.weight";
const std::string kHead = "language_model.lm_head.weight";
constexpr std::int64_t kPiece = std::int64_t{1} << 22;  // elements between two looks at the stop flag

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// Collects specs under a prefix.
class Specs {
 public:
  explicit Specs(std::vector<TensorSpec>& all, std::string prefix) : all_(all), prefix_(std::move(prefix)) {}
  Specs under(const std::string& name) const { return Specs(all_, prefix_ + name + "."); }
  void weight(const std::string& name, Shape shape) const { add(name + ".weight", std::move(shape)); }
  void linear(const std::string& name, Shape shape, bool bias) const {
    const std::int64_t out = shape[0];
    weight(name, std::move(shape));
    if (bias) add(name + ".bias", {out});
  }
  /// A linear layer or a normalisation with both weight and bias.
  void biased(const std::string& name, Shape shape) const { linear(name, std::move(shape), true); }
  void add(const std::string& name, Shape shape) const { all_.push_back({prefix_ + name, std::move(shape)}); }

 private:
  std::vector<TensorSpec>& all_;
  std::string prefix_;
};

void add_language(const Specs& specs, const JanusShape& s) {
  const Specs model = specs.under("model");
  model.weight("embed_tokens", {s.vocab, s.hidden});
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const Specs layer = model.under("layers").under(std::to_string(i));
    layer.weight("input_layernorm", {s.hidden});
    layer.linear("self_attn.q_proj", {s.heads * s.head_dim, s.hidden}, s.attention_bias);
    layer.linear("self_attn.k_proj", {s.kv_heads * s.head_dim, s.hidden}, s.attention_bias);
    layer.linear("self_attn.v_proj", {s.kv_heads * s.head_dim, s.hidden}, s.attention_bias);
    layer.linear("self_attn.o_proj", {s.hidden, s.heads * s.head_dim}, s.attention_bias);
    layer.weight("post_attention_layernorm", {s.hidden});
    layer.linear("mlp.gate_proj", {s.mlp_hidden, s.hidden}, s.mlp_bias);
    layer.linear("mlp.up_proj", {s.mlp_hidden, s.hidden}, s.mlp_bias);
    layer.linear("mlp.down_proj", {s.hidden, s.mlp_hidden}, s.mlp_bias);
  }
  model.weight("norm", {s.hidden});
  specs.weight("lm_head", {s.vocab, s.hidden});
}

void add_vision(const Specs& specs, const JanusShape& s) {
  const std::int64_t width = s.vision_width;
  specs.biased("patch_embed.proj", {width, 3, s.patch, s.patch});
  specs.add("pos_embed", {1, s.image_tokens, width});
  for (std::int64_t i = 0; i < s.vision_layers; ++i) {
    const Specs block = specs.under("blocks").under(std::to_string(i));
    block.biased("norm1", {width});
    block.biased("attn.qkv", {3 * width, width});
    block.biased("attn.proj", {width, width});
    block.biased("norm2", {width});
    block.biased("mlp.fc1", {s.vision_mlp_hidden, width});
    block.biased("mlp.fc2", {width, s.vision_mlp_hidden});
  }
  specs.biased("norm", {width});
}

void add_aligner(const Specs& specs, const JanusShape& s) {
  for (std::int64_t i = 0; i < s.aligner_depth; ++i) {
    specs.biased(std::to_string(2 * i), {s.hidden, i == 0 ? s.vision_width : s.hidden});
  }
}

void check_sizes(const JanusShape& s) {
  const std::pair<const char*, std::int64_t> sizes[] = {{"vocab", s.vocab},
                                                        {"hidden", s.hidden},
                                                        {"mlpHidden", s.mlp_hidden},
                                                        {"layers", s.layers},
                                                        {"heads", s.heads},
                                                        {"kvHeads", s.kv_heads},
                                                        {"headDim", s.head_dim},
                                                        {"visionWidth", s.vision_width},
                                                        {"visionMlpHidden", s.vision_mlp_hidden},
                                                        {"visionLayers", s.vision_layers},
                                                        {"patch", s.patch},
                                                        {"imageTokens", s.image_tokens},
                                                        {"alignerDepth", s.aligner_depth}};
  for (const auto& [name, size] : sizes) {
    if (size < 1 || size > std::numeric_limits<std::int32_t>::max()) {
      throw Error("ERR_CONFIG", std::string(name) + ": expected 1 to 2^31-1, received " + std::to_string(size));
    }
  }
}

/// Rows of a table [rows, columns]; 0 when it is absent or no table.
std::int64_t rows_of(const TensorSource& source, const std::string& name) {
  const TensorView* table = source.find(name);
  return table != nullptr && table->shape.size() == 2 ? table->shape[0] : 0;
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16; }

/// Whether any of [begin, end) has all exponent bits set: then adding the lowest of them carries into the sign's place.
/// Without branches, so that it runs at the speed of memory.
template <class Bits>
bool any_special(const std::byte* data, std::int64_t begin, std::int64_t end, Bits exponent) {
  constexpr Bits kSign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  const Bits lowest = static_cast<Bits>(kSign - exponent);
  Bits carried = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    Bits bits;
    std::memcpy(&bits, data + static_cast<std::size_t>(i) * sizeof bits, sizeof bits);
    carried = static_cast<Bits>(carried | static_cast<Bits>((bits & exponent) + lowest));
  }
  return (carried & kSign) != 0;
}

template <class Bits>
std::int64_t first_special(const std::byte* data, std::int64_t begin, std::int64_t end, Bits exponent) {
  constexpr std::int64_t kBlock = 4096;
  for (std::int64_t at = begin; at < end; at += kBlock) {
    const std::int64_t stop = std::min(at + kBlock, end);
    if (!any_special(data, at, stop, exponent)) continue;
    while (!any_special(data, at, at + 1, exponent)) ++at;
    return at;
  }
  return -1;
}

/// `at` as indices: "[3, 17]".
std::string place(const Shape& shape, std::int64_t at) {
  Shape index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    index[i] = at % shape[i];
    at /= shape[i];
  }
  return shape_text(index);
}

}  // namespace

TensorPart part_of(std::string_view name) {
  constexpr std::pair<std::string_view, TensorPart> kPrefixes[] = {
      {"language_model.", TensorPart::language}, {"vision_model.", TensorPart::vision},
      {"aligner.", TensorPart::aligner},         {"gen_vision_model.", TensorPart::generation},
      {"gen_aligner.", TensorPart::generation},  {"gen_embed.", TensorPart::generation},
      {"gen_head.", TensorPart::generation}};
  for (const auto& [prefix, part] : kPrefixes) {
    if (name.starts_with(prefix)) return part;
  }
  return TensorPart::other;
}

bool is_unused(std::string_view name) {
  return part_of(name) == TensorPart::generation || name.starts_with("vision_model.vision_tower.attn_pool.") ||
         name.starts_with("language_model.num_head.") || name.ends_with(".rotary_emb.inv_freq");
}

std::vector<TensorSpec> expected_tensors(const JanusShape& shape) {
  check_sizes(shape);
  std::vector<TensorSpec> all;
  add_language(Specs(all, "language_model."), shape);
  add_vision(Specs(all, "vision_model.vision_tower."), shape);
  add_aligner(Specs(all, "aligner.layers."), shape);
  return all;
}

Comparison compare_manifest(const TensorSource& source, const JanusShape& configured) {
  JanusShape shape = configured;
  for (const std::string& table : {kHead, kEmbedding}) {
    if (const std::int64_t rows = rows_of(source, table); rows > 0) shape.vocab = rows;
  }
  Comparison result;
  result.vocab = shape.vocab;
  std::unordered_set<std::string> expected;
  for (const TensorSpec& spec : expected_tensors(shape)) {
    expected.insert(spec.name);
    const TensorView* found = source.find(spec.name);
    if (found == nullptr) {
      if (spec.name != kHead || !shape.tied_head) result.missing.push_back(spec.name);
    } else if (found->shape != spec.shape || !is_float(found->dtype)) {
      result.mis_shaped.push_back(spec.name + " is " + dtype_name(found->dtype) + " " + shape_text(found->shape) +
                                  ", expected floats " + shape_text(spec.shape));
    }
  }
  for (const std::string& name : source.names()) {
    if (!expected.contains(name) && !is_unused(name)) result.unknown.push_back(name);
  }
  return result;
}

void check_manifest(const Comparison& comparison, const std::string& where) {
  if (comparison.missing.empty() && comparison.mis_shaped.empty()) return;
  std::string message;
  const auto list = [&](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    message += (message.empty() ? "" : "; ") + std::string(what) + " (" + std::to_string(names.size()) +
               "): " + name_list(names);
  };
  list("missing", comparison.missing);
  list("mis-shaped", comparison.mis_shaped);
  list("unknown", comparison.unknown);
  throw Error("ERR_CHECKPOINT_CORRUPT", where + ": the weights do not fit config.json: " + message);
}

std::int64_t first_non_finite(const TensorView& tensor, std::int64_t begin, std::int64_t count) {
  switch (tensor.dtype) {
    case DType::f32:
      return first_special<std::uint32_t>(tensor.data, begin, begin + count, 0x7f800000);
    case DType::bf16:
      return first_special<std::uint16_t>(tensor.data, begin, begin + count, 0x7f80);
    case DType::f16:
      return first_special<std::uint16_t>(tensor.data, begin, begin + count, 0x7c00);
    default:
      return -1;
  }
}

void check_finite(const TensorSource& source, const std::vector<std::string>& names, const std::atomic<bool>& stop) {
  for (const std::string& name : names) {
    const TensorView* tensor = source.find(name);
    if (tensor == nullptr) continue;
    const std::int64_t size = tensor->size();
    for (std::int64_t begin = 0; begin < size; begin += kPiece) {
      if (stop.load()) return;
      const std::int64_t count = std::min(kPiece, size - begin);
      const std::int64_t at = first_non_finite(*tensor, begin, count);
      if (at >= 0) {
        float value;
        read_f32(*tensor, at, 1, &value);
        const char* text = std::isnan(value) ? "NaN" : value > 0 ? "infinite" : "minus infinite";
        throw Error("ERR_CHECKPOINT_CORRUPT", "tensor " + name + ": value " + std::to_string(at) + ", " +
                                                  place(tensor->shape, at) + ", is " + text);
      }
      source.release(name, begin, count);
    }
  }
}

}  // namespace wam::vla
