#pragma once
// A small vision-language model in memory, and what it computes, written plainly in double: for tests.

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/philox.h"
#include "vla/tensor_source.h"
#include "vla/vla_network.h"
#include "vla/vla_runner.h"

namespace wam::test {

/// Tensors made up in memory.
class MadeUpSource : public vla::TensorSource {
 public:
  const vla::TensorView* find(std::string_view name) const override {
    const auto found = views_.find(std::string(name));
    return found == views_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, view] : views_) names.push_back(name);
    return names;
  }
  void add(const std::string& name, std::vector<std::int64_t> shape, std::vector<float> values) {
    data_[name] = std::move(values);
    views_[name] = {vla::DType::f32, std::move(shape), reinterpret_cast<const std::byte*>(data_[name].data())};
  }
  void remove(const std::string& name) { views_.erase(name); }
  std::vector<float>& values(const std::string& name) { return data_.at(name); }
  const std::vector<float>& values(const std::string& name) const { return data_.at(name); }

 private:
  std::map<std::string, vla::TensorView> views_;
  std::map<std::string, std::vector<float>> data_;
};

class Uniforms {
 public:
  explicit Uniforms(std::uint32_t key) : key_(key) {}
  float next() { return unit_uniform(philox4x32({{count_++, 0, 0, 0}}, key_, 7).word[0]); }
  float next(float low, float high) { return low + (high - low) * next(); }

 private:
  std::uint32_t key_, count_ = 0;
};

/// Grouped heads, a head narrower than hidden / heads, several patches in both directions.
inline vla::VlaConfig small_vla() {
  vla::VlaConfig c;
  c.language = {.vocab = 57, .hidden = 32, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 16, .mlp_hidden = 48};
  c.vision = {.image_size = 12, .patch = 4, .width = 32, .heads = 4, .mlp_hidden = 64, .layers = 2};
  return c;
}

inline std::shared_ptr<MadeUpSource> random_source(const vla::VlaConfig& config, std::uint32_t key) {
  auto source = std::make_shared<MadeUpSource>();
  Uniforms uniforms(key);
  for (const vla::Part& part : vla::VlaNetwork(config, vla::Residency::block).tensors()) {
    std::int64_t count = 1;
    for (const std::int64_t dim : part.shape) count *= dim;
    const double columns = static_cast<double>(count / part.shape[0]);
    const bool norm = part.name.find("norm") != std::string::npos && part.name.ends_with(".weight");
    const float bound = part.shape.size() == 1 ? 0.3F : static_cast<float>(2 / std::sqrt(columns));
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = (norm ? 1.0F : 0.0F) + uniforms.next(-bound, bound);
    if (part.name.find("embed_tokens") != std::string::npos)
      for (float& v : values) v *= 4;
    source->add(part.name, part.shape, std::move(values));
  }
  return source;
}

/// The model in double, matrix by matrix.
class PlainVla {
 public:
  using Rows = std::vector<std::vector<double>>;
  PlainVla(const vla::VlaConfig& config, const MadeUpSource& source) : c_(config), s_(source) {}

  Rows features(const float* pixels) const {
    const vla::VisionConfig& v = c_.vision;
    const std::string tower = "vision_model.vision_tower.";
    Rows patches;
    for (int y = 0; y < v.grid(); ++y)
      for (int x = 0; x < v.grid(); ++x) {
        std::vector<double> row;
        for (int ch = 0; ch < 3; ++ch)
          for (int i = 0; i < v.patch; ++i)
            for (int j = 0; j < v.patch; ++j)
              row.push_back(pixels[(ch * v.image_size + y * v.patch + i) * v.image_size + x * v.patch + j]);
        patches.push_back(row);
      }
    Rows h = linear(patches, tower + "patch_embed.proj");
    const auto& position = s_.values(tower + "pos_embed");
    for (std::size_t i = 0; i < h.size(); ++i)
      for (std::size_t j = 0; j < h[i].size(); ++j) h[i][j] += position[i * h[i].size() + j];
    for (int l = 0; l < v.layers; ++l) {
      const std::string name = tower + "blocks." + std::to_string(l) + ".";
      const Rows qkv = linear(layer_norm(h, name + "norm1"), name + "attn.qkv");
      const auto part = [&](int which) {
        Rows out;
        for (const auto& row : qkv)
          out.emplace_back(row.begin() + which * v.width, row.begin() + (which + 1) * v.width);
        return out;
      };
      add(h, linear(attend(part(0), part(1), part(2), v.heads, v.heads, vla::Mask::full, 0), name + "attn.proj"));
      add(h, linear(gelu(linear(layer_norm(h, name + "norm2"), name + "mlp.fc1")), name + "mlp.fc2"));
    }
    return layer_norm(h, tower + "norm");
  }

  Rows align(Rows h) const {
    for (int i = 0; i < c_.aligner_depth; ++i) {
      if (i > 0) h = gelu(h);
      h = linear(h, "aligner.layers." + std::to_string(2 * i));
    }
    return h;
  }

  /// Hidden rows after the final norm; `image` rows take `aligned` in order.
  Rows hidden(const std::vector<std::int32_t>& ids, const std::vector<std::uint8_t>& image, const Rows& aligned,
              vla::Mask mask, int prefix) const {
    const vla::LanguageConfig& l = c_.language;
    const auto& table = s_.values("language_model.model.embed_tokens.weight");
    Rows h;
    std::size_t used = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (image[i] != 0) {
        h.push_back(aligned[used++]);
      } else {
        const auto from = table.begin() + static_cast<std::ptrdiff_t>(ids[i]) * l.hidden;
        h.emplace_back(from, from + l.hidden);
      }
    }
    for (int layer = 0; layer < l.layers; ++layer) {
      const std::string name = "language_model.model.layers." + std::to_string(layer) + ".";
      const Rows x = rms_norm(h, name + "input_layernorm");
      Rows q = linear(x, name + "self_attn.q_proj"), k = linear(x, name + "self_attn.k_proj");
      rotate(q, l.heads), rotate(k, l.kv_heads);
      const Rows v = linear(x, name + "self_attn.v_proj");
      add(h, linear(attend(q, k, v, l.heads, l.kv_heads, mask, prefix), name + "self_attn.o_proj"));
      const Rows y = rms_norm(h, name + "post_attention_layernorm");
      Rows gate = linear(y, name + "mlp.gate_proj");
      const Rows up = linear(y, name + "mlp.up_proj");
      for (std::size_t i = 0; i < gate.size(); ++i)
        for (std::size_t j = 0; j < gate[i].size(); ++j)
          gate[i][j] = gate[i][j] / (1 + std::exp(-gate[i][j])) * up[i][j];
      add(h, linear(gate, name + "mlp.down_proj"));
    }
    return rms_norm(h, "language_model.model.norm");
  }

  /// Shifted: row i is the head of hidden row i - 1.
  Rows logits(const Rows& hidden) const {
    Rows head = linear(hidden, c_.language.tied_head ? "language_model.model.embed_tokens" : "language_model.lm_head");
    head.insert(head.begin(), std::vector<double>(head[0].size(), 0.0));
    head.pop_back();
    return head;
  }

 private:
  Rows linear(const Rows& x, const std::string& name) const {
    const auto& w = s_.values(name + ".weight");
    const bool biased = s_.find(name + ".bias") != nullptr;
    const std::size_t in = x[0].size(), out = w.size() / in;
    Rows y;
    for (const auto& row : x) {
      std::vector<double> to(out);
      for (std::size_t o = 0; o < out; ++o) {
        double sum = biased ? s_.values(name + ".bias")[o] : 0;
        for (std::size_t i = 0; i < in; ++i) sum += row[i] * w[o * in + i];
        to[o] = sum;
      }
      y.push_back(std::move(to));
    }
    return y;
  }
  static void add(Rows& x, const Rows& y) {
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x[i].size(); ++j) x[i][j] += y[i][j];
  }
  static Rows gelu(Rows x) {
    for (auto& row : x)
      for (double& v : row) v = v * 0.5 * std::erfc(-v / std::sqrt(2.0));
    return x;
  }
  Rows layer_norm(Rows x, const std::string& name) const {
    const auto &w = s_.values(name + ".weight"), &b = s_.values(name + ".bias");
    for (auto& row : x) {
      double mean = 0, variance = 0;
      for (const double v : row) mean += v / static_cast<double>(row.size());
      for (const double v : row) variance += (v - mean) * (v - mean) / static_cast<double>(row.size());
      for (std::size_t j = 0; j < row.size(); ++j)
        row[j] = (row[j] - mean) / std::sqrt(variance + c_.vision.norm_eps) * w[j] + b[j];
    }
    return x;
  }
  Rows rms_norm(Rows x, const std::string& name) const {
    const auto& w = s_.values(name + ".weight");
    for (auto& row : x) {
      double square = 0;
      for (const double v : row) square += v * v / static_cast<double>(row.size());
      for (std::size_t j = 0; j < row.size(); ++j) row[j] = row[j] / std::sqrt(square + c_.language.norm_eps) * w[j];
    }
    return x;
  }
  void rotate(Rows& x, int heads) const {
    const int dim = c_.language.head_dim, half = dim / 2;
    for (std::size_t p = 0; p < x.size(); ++p)
      for (int h = 0; h < heads; ++h)
        for (int i = 0; i < half; ++i) {
          const double angle = static_cast<double>(p) * std::pow(c_.language.rope_theta, -2.0 * i / dim);
          double &a = x[p][static_cast<std::size_t>(h * dim + i)],
                 &b = x[p][static_cast<std::size_t>(h * dim + i + half)];
          const double a0 = a, b0 = b;
          a = a0 * std::cos(angle) - b0 * std::sin(angle), b = b0 * std::cos(angle) + a0 * std::sin(angle);
        }
  }
  static bool sees(vla::Mask mask, std::size_t query, std::size_t key, int prefix) {
    if (mask == vla::Mask::full) return true;
    if (mask == vla::Mask::causal) return key <= query;
    return query >= static_cast<std::size_t>(prefix) || key < static_cast<std::size_t>(prefix);
  }
  static Rows attend(const Rows& q, const Rows& k, const Rows& v, int heads, int kv_heads, vla::Mask mask, int prefix) {
    const std::size_t dim = q[0].size() / static_cast<std::size_t>(heads);
    Rows out(q.size(), std::vector<double>(q[0].size(), 0.0));
    for (std::size_t i = 0; i < q.size(); ++i)
      for (int h = 0; h < heads; ++h) {
        const std::size_t at = static_cast<std::size_t>(h) * dim,
                          from = static_cast<std::size_t>(h / (heads / kv_heads)) * dim;
        std::vector<double> score(k.size());
        double highest = -INFINITY, total = 0;
        for (std::size_t j = 0; j < k.size(); ++j) {
          score[j] = -INFINITY;
          if (!sees(mask, i, j, prefix)) continue;
          score[j] = 0;
          for (std::size_t d = 0; d < dim; ++d) score[j] += q[i][at + d] * k[j][from + d];
          score[j] /= std::sqrt(static_cast<double>(dim));
          highest = std::max(highest, score[j]);
        }
        for (double& s : score) total += s = std::exp(s - highest);
        for (std::size_t j = 0; j < k.size(); ++j)
          for (std::size_t d = 0; d < dim; ++d) out[i][at + d] += score[j] / total * v[j][from + d];
      }
    return out;
  }

  const vla::VlaConfig c_;
  const MadeUpSource& s_;
};

}  // namespace wam::test
