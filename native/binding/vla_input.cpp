#include "binding/vla_input.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace wam::binding {

vla::VlaConfig read_vla_config(Napi::Value value) {
  constexpr int kMost = std::numeric_limits<int>::max();
  const Fields fields(value, "config");
  const Fields l = fields.object("language"), v = fields.object("vision");
  const auto size = [&](const Fields& of, const char* name) { return of.integer(name, 1, kMost); };
  vla::VlaConfig c;
  c.language.vocab = size(l, "vocab"), c.language.hidden = size(l, "hidden"), c.language.layers = size(l, "layers");
  c.language.heads = size(l, "heads"), c.language.kv_heads = size(l, "kvHeads");
  c.language.head_dim = size(l, "headDim"), c.language.mlp_hidden = size(l, "mlpHidden");
  c.language.norm_eps = l.number("normEps"), c.language.rope_theta = l.number("ropeTheta");
  c.language.attention_bias = l.boolean("attentionBias"), c.language.mlp_bias = l.boolean("mlpBias");
  c.language.tied_head = l.boolean("tiedHead");
  c.vision.image_size = size(v, "imageSize"), c.vision.patch = size(v, "patch"), c.vision.width = size(v, "width");
  c.vision.heads = size(v, "heads"), c.vision.mlp_hidden = size(v, "mlpHidden"), c.vision.layers = size(v, "layers");
  c.vision.norm_eps = v.number("normEps");
  c.aligner_depth = size(fields, "alignerDepth");
  c.validate();
  return c;
}

VlaInput read_vla_input(const Fields& fields, const vla::VlaConfig& config) {
  VlaInput input;
  const auto ids = fields.array_of<std::int32_t>("ids");
  const auto image = fields.array_of<std::uint8_t>("imageMask");
  const auto pixels = fields.array_of<float>("pixels");
  input.ids.assign(ids.begin(), ids.end());
  input.image.assign(image.begin(), image.end());
  const auto one = static_cast<std::size_t>(config.vision.pixels());
  if (pixels.size() % one != 0) {
    throw Error("ERR_SHAPE", fields.path("pixels") + ": expected a multiple of " + std::to_string(one) +
                                 " numbers [3, " + std::to_string(config.vision.image_size) + ", " +
                                 std::to_string(config.vision.image_size) + "], received " +
                                 std::to_string(pixels.size()));
  }
  input.pixels.assign(pixels.begin(), pixels.end());
  const auto bad = std::find_if_not(input.pixels.begin(), input.pixels.end(), [](float p) { return std::isfinite(p); });
  if (bad != input.pixels.end()) {
    throw Error("ERR_NOT_FINITE", fields.path("pixels") + "[" + std::to_string(bad - input.pixels.begin()) +
                                      "]: expected a finite number");
  }
  input.images = static_cast<int>(input.pixels.size() / one);
  input.mask = fields.choice<vla::Mask>(
      "mask", {{"causal", vla::Mask::causal}, {"full", vla::Mask::full}, {"prefix", vla::Mask::prefix}});
  input.prefix_rows = fields.integer("prefixRows", 0, std::numeric_limits<int>::max());
  return input;
}

}  // namespace wam::binding
