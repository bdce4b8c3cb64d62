#pragma once
// Shapes of a Janus-like vision-language model, as config.json states them (lib/vla/janus-config.ts fills in defaults).

#include <cstdint>

namespace wam::vla {

/// Llama decoder: RMSNorm, rotary positions in half-split form, SwiGLU, grouped key/value heads.
struct LanguageConfig {
  int vocab = 0;  // rows of the embedding table and of the head
  int hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, mlp_hidden = 0;
  double norm_eps = 1e-6, rope_theta = 10000;
  bool attention_bias = false, mlp_bias = false;
  bool tied_head = false;  // the head is the embedding table
};

/// SigLIP tower: square patches, learned positions, pre-norm blocks with exact GELU, a final norm and no class token.
struct VisionConfig {
  int image_size = 0, patch = 0;  // pixels
  int width = 0, heads = 0, mlp_hidden = 0;
  int layers = 0;  // blocks that are run, after select_layer
  double norm_eps = 1e-6;

  int grid() const { return image_size / patch; }
  int tokens() const { return grid() * grid(); }
  /// Numbers of one image [3, image_size, image_size].
  std::int64_t pixels() const { return std::int64_t{3} * image_size * image_size; }
};

struct VlaConfig {
  LanguageConfig language;
  VisionConfig vision;
  int aligner_depth = 2;  // linear maps, a GELU between two

  /// Throws Error(ERR_CONFIG) that names the first bad field.
  void validate() const;
};

}  // namespace wam::vla
