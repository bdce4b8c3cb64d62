// The manifest of a Janus model: counted against the published number of parameters, and against sources with damage.

#include <atomic>
#include <bit>
#include <limits>
#include <map>
#include <vector>

#include "test/test.h"
#include "test/vla_files.h"
#include "vla/manifest.h"

namespace wam::test {
namespace {

using vla::DType;
using vla::JanusShape;
using vla::TensorSpec;
using vla::TensorView;

JanusShape janus_1_5b() {
  JanusShape s;
  s.vocab = 102400;
  s.hidden = 2048, s.mlp_hidden = 5632, s.layers = 24, s.heads = 16, s.kv_heads = 16, s.head_dim = 128;
  s.vision_width = 1024, s.vision_mlp_hidden = 4096, s.vision_layers = 24, s.patch = 16, s.image_tokens = 576;
  s.aligner_depth = 2;
  return s;
}

JanusShape tiny() {
  JanusShape s;
  s.vocab = 7;
  s.hidden = 8, s.mlp_hidden = 12, s.layers = 3, s.heads = 4, s.kv_heads = 2, s.head_dim = 2;
  s.vision_width = 4, s.vision_mlp_hidden = 10, s.vision_layers = 2, s.patch = 2, s.image_tokens = 9;
  s.aligner_depth = 2;
  return s;
}

/// Tensors in memory; counts what is given back.
class MemorySource : public vla::TensorSource {
 public:
  void add(const std::string& name, std::vector<std::int64_t> shape, DType dtype = DType::f32) {
    TensorView view{dtype, std::move(shape), nullptr};
    auto& memory = memory_[name];
    memory.assign(view.bytes(), std::byte{0});
    view.data = memory.data();
    views_[name] = std::move(view);
  }
  void remove(const std::string& name) { views_.erase(name); }
  void set(const std::string& name, std::int64_t at, std::uint32_t bits) {
    const std::size_t size = item_size(views_[name].dtype);
    for (std::size_t i = 0; i < size; ++i) {
      memory_[name][static_cast<std::size_t>(at) * size + i] = static_cast<std::byte>(bits >> (8 * i));
    }
  }
  const TensorView* find(std::string_view name) const override {
    const auto found = views_.find(name);
    return found == views_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, view] : views_) names.push_back(name);
    return names;
  }
  void release(std::string_view, std::int64_t, std::int64_t count) const override { released += count; }
  mutable std::int64_t released = 0;

 private:
  std::map<std::string, TensorView, std::less<>> views_;
  std::map<std::string, std::vector<std::byte>, std::less<>> memory_;
};

MemorySource whole(const JanusShape& shape, DType dtype = DType::f32) {
  MemorySource source;
  for (const TensorSpec& spec : vla::expected_tensors(shape)) source.add(spec.name, spec.shape, dtype);
  return source;
}

std::int64_t count(const std::vector<TensorSpec>& specs, const std::string& prefix) {
  std::int64_t total = 0;
  for (const TensorSpec& spec : specs) {
    if (!spec.name.starts_with(prefix)) continue;
    std::int64_t size = 1;
    for (const std::int64_t dimension : spec.shape) size *= dimension;
    total += size;
  }
  return total;
}

std::string manifest_error(const MemorySource& source, const JanusShape& shape) {
  return error_of([&] { vla::check_manifest(vla::compare_manifest(source, shape), "dir"); });
}

TEST(vla_manifest_has_the_published_number_of_parameters) {
  const std::vector<TensorSpec> specs = vla::expected_tensors(janus_1_5b());
  // 2,089,297,547 in the published file, less the generation side (71,948,939 of VQ-16, 37,767,168 of its head,
  // 4,214,784 of its aligner, 131,072 of its embedding); the tower's 316,283,904 hold 13,645,824 of the pooling head.
  constexpr std::int64_t kAll = 2089297547 - 71948939 - 37767168 - 4214784 - 131072;
  std::int64_t pool = 1024 + 2 * (1024 * 1024 + 1024) + 2 * 1024 * 1024 + 2048 + 2048 + 2 * 4096 * 1024 + 4096 + 1024;
  CHECK_EQ(count(specs, "vision_model."), 316283904 - pool);
  CHECK_EQ(count(specs, ""), kAll - pool);
  CHECK_EQ(count(specs, "language_model."), 1652656128);
}

TEST(vla_manifest_follows_the_configuration) {
  JanusShape shape = tiny();
  const std::size_t plain = vla::expected_tensors(shape).size();
  shape.attention_bias = shape.mlp_bias = true;
  CHECK_EQ(vla::expected_tensors(shape).size(), plain + 3 * 7);
  MemorySource source = whole(shape);
  CHECK(source.find("language_model.model.layers.2.self_attn.k_proj.bias")->shape == std::vector<std::int64_t>{4});
  CHECK(source.find("language_model.model.layers.0.mlp.down_proj.bias")->shape == std::vector<std::int64_t>{8});
  shape.layers = 0;
  CHECK(
      says(error_of([&] { vla::expected_tensors(shape); }), "ERR_CONFIG", "layers: expected 1 to 2^31-1, received 0"));
  shape.layers = std::int64_t{1} << 40;
  CHECK(says(error_of([&] { vla::expected_tensors(shape); }), "ERR_CONFIG", "layers"));
}

TEST(vla_a_whole_source_fits) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const vla::Comparison found = vla::compare_manifest(whole(tiny(), dtype), tiny());
    CHECK_EQ(found.missing.size() + found.mis_shaped.size() + found.unknown.size(), std::size_t{0});
    CHECK_EQ(found.vocab, 7);
  }
}

TEST(vla_the_table_decides_the_vocabulary) {
  JanusShape larger = tiny();
  larger.vocab = 9;
  const MemorySource source = whole(larger);
  const vla::Comparison found = vla::compare_manifest(source, tiny());
  CHECK_EQ(found.vocab, 9);
  CHECK_EQ(manifest_error(source, tiny()), "");
  // Table and head must agree.
  MemorySource torn = whole(larger);
  torn.add("language_model.lm_head.weight", {8, 8});
  CHECK(says(manifest_error(torn, tiny()), "ERR_CHECKPOINT_CORRUPT",
             "lm_head.weight is F32 [8, 8], expected floats [9, 8]"));
}

TEST(vla_a_tied_head_may_be_absent) {
  JanusShape shape = tiny();
  MemorySource source = whole(shape);
  source.remove("language_model.lm_head.weight");
  CHECK(says(manifest_error(source, shape), "ERR_CHECKPOINT_CORRUPT", "missing (1): language_model.lm_head.weight"));
  shape.tied_head = true;
  CHECK_EQ(manifest_error(source, shape), "");
}

TEST(vla_one_error_lists_all_that_is_wrong) {
  MemorySource source = whole(tiny());
  source.remove("aligner.layers.2.bias");
  for (const char* layer : {"0", "1", "2"}) {
    source.remove(std::string("language_model.model.layers.") + layer + ".mlp.up_proj.weight");
  }
  source.add("vision_model.vision_tower.pos_embed", {1, 16, 4});
  source.add("language_model.model.norm.weight", {8}, DType::i64);
  source.add("language_model.model.layers.3.mlp.up_proj.weight", {12, 8});
  const std::string error = manifest_error(source, tiny());
  for (const char* text :
       {"dir: the weights do not fit config.json",
        "missing (4): language_model.model.layers.{0..2}.mlp.up_proj.weight, ", "aligner.layers.2.bias",
        "mis-shaped (2): ", "language_model.model.norm.weight is I64 [8], expected floats [8]",
        "pos_embed is F32 [1, 16, 4], expected floats [1, 9, 4]",
        "unknown (1): language_model.model.layers.3.mlp.up_proj.weight"}) {
    const Context context(text);
    CHECK(says(error, "ERR_CHECKPOINT_CORRUPT", text));
  }
}

TEST(vla_what_planning_does_not_need_may_be_there) {
  MemorySource source = whole(tiny());
  for (const char* name :
       {"gen_vision_model.encoder.conv_in.weight", "gen_aligner.layers.0.bias", "gen_embed.weight",
        "gen_head.vision_head.weight", "vision_model.vision_tower.attn_pool.latent",
        "language_model.model.layers.1.self_attn.rotary_emb.inv_freq", "language_model.num_head.num_head.0.weight"}) {
    source.add(name, {1});
    CHECK(vla::is_unused(name));
  }
  CHECK_EQ(vla::compare_manifest(source, tiny()).unknown.size(), std::size_t{0});
  source.add("generator.weight", {1});
  source.add("vision_model.vision_tower.attn_pool", {1});
  CHECK(vla::compare_manifest(source, tiny()).unknown ==
        std::vector<std::string>({"generator.weight", "vision_model.vision_tower.attn_pool"}));
  CHECK_EQ(manifest_error(source, tiny()), "");
}

TEST(vla_weights_that_are_not_finite_are_found) {
  struct Case {
    DType dtype;
    std::uint32_t bits;
    const char* text;
  };
  for (const Case& c : {Case{DType::f32, 0x7fc00000, "NaN"}, Case{DType::f32, 0xff800000, "minus infinite"},
                        Case{DType::bf16, 0x7f81, "NaN"}, Case{DType::bf16, 0x7f80, "infinite"},
                        Case{DType::f16, 0x7c00, "infinite"}, Case{DType::f16, 0xfe00, "NaN"}}) {
    const Context context(std::string(vla::dtype_name(c.dtype)) + " " + c.text);
    MemorySource source;
    source.add("t", {3, 5000}, c.dtype);
    // The largest finite numbers and subnormal ones pass.
    source.set("t", 0, c.dtype == DType::f32 ? 0x7f7fffff : c.dtype == DType::bf16 ? 0xff7f : 0x7bff);
    source.set("t", 1, 1);
    const std::atomic<bool> stop{false}, stopped{true};
    CHECK_EQ(error_of([&] { vla::check_finite(source, {"t", "absent"}, stop); }), "");
    CHECK_EQ(source.released, 15000);
    for (const std::int64_t at : {0, 4095, 4096, 5001, 14999}) {
      source.set("t", at, c.bits);
      const std::string place = "tensor t: value " + std::to_string(at) + ", [" + std::to_string(at / 5000) + ", " +
                                std::to_string(at % 5000) + "], is " + c.text;
      CHECK(says(error_of([&] { vla::check_finite(source, {"t"}, stop); }), "ERR_CHECKPOINT_CORRUPT", place));
      CHECK_EQ(error_of([&] { vla::check_finite(source, {"t"}, stopped); }), "");
      source.set("t", at, 0);
    }
    CHECK_EQ(vla::first_non_finite(*source.find("t"), 0, 15000), -1);
  }
  MemorySource integers;
  integers.add("i", {1}, DType::i64);
  integers.set("i", 0, 0xffffffff);
  CHECK_EQ(vla::first_non_finite(*integers.find("i"), 0, 1), -1);
}

}  // namespace
}  // namespace wam::test
