#pragma once
#include <cstdint>
#include <vector>

#include "core/backend.h"
#include "flow/mixture.h"
#include "flow/schedule.h"

namespace wam::model {

/// prefix_causal: the prefix sees itself, an action row the prefix and the action rows up to its own.
enum class MaskKind { causal, full, prefix, prefix_causal };
enum class NormKind { layer_norm, rms_norm };
enum class MlpKind { gelu, swiglu };
/// residual_companded: per-slot residual to constant velocity, companded (mini-recipe section 1).
/// absolute: one shared linear grid, x and y in metres, heading in degrees (the paper's form).
enum class TokenKind { residual_companded, absolute };
/// fourier: fixed features of the token coordinate. table: rows of a triplet-trained table, kept fixed.
/// free: a trained row a token.
enum class NumericKind { fourier, table, free };
enum class PathKind { metric, mixture };
/// What a mixture path swaps for data tokens: uniform random ones, or the mask token.
enum class MixtureSource { uniform, mask };
/// How the action rows become a plan. flow: tokens refined in parallel. autoregressive: one token after the other.
/// diffusion: token coordinates denoised in parallel (DDIM). regression: token coordinates in one pass.
enum class DecoderKind { flow, autoregressive, diffusion, regression };
/// What the metric path measures: the token coordinate (1-D) or the rows of the triplet-trained table.
enum class MetricKind { coordinate, table };

inline constexpr int kValuesPerWaypoint = 3;  // x, y, heading

/// Everything that config.json says about a model; lib/model/config.ts documents the fields.
struct ModelConfig {
  int hidden = 128, layers = 4, heads = 4, kv_heads = 4, mlp_hidden = 384;
  MlpKind mlp = MlpKind::gelu;
  NormKind norm = NormKind::layer_norm;
  double norm_eps = 1e-5;
  double rope_theta = 0;  // 0: no rotary positions
  MaskKind mask = MaskKind::prefix;
  int encoder_hidden = 128;
  int max_agents = 16, max_lanes = 20;

  int waypoints = 8;
  double interval_s = 0.5;
  TokenKind tokens = TokenKind::residual_companded;
  int vocab = 401;
  double compand = 5;
  std::vector<double> slot_scale;  // residual_companded: [waypoints * 3]
  double grid_min = -100, grid_step = 0.5;

  NumericKind numeric = NumericKind::fourier;
  int table_dim = 64;  // width of the triplet-trained table

  PathKind path = PathKind::metric;
  MetricKind metric = MetricKind::coordinate;
  double metric_power = 1;
  flow::PathSchedule schedule{flow::PathSchedule::Kind::kernel_width};           // of training
  flow::PathSchedule sampling_schedule{flow::PathSchedule::Kind::kernel_width};  // of the refinement steps
  flow::MixtureSchedule mixture;
  MixtureSource mixture_source = MixtureSource::uniform;
  bool mask_at_zero = true;  // feed a mask token at t = 0 instead of random tokens

  DecoderKind decoder = DecoderKind::flow;
  /// Diffusion: the coordinate over this is what is noised; about its standard deviation over the data.
  double diffusion_scale = 0.35;
  /// Diffusion: time that plans begin at, (0, 1]; 1 is pure noise, less is truncated diffusion around constant velocity.
  double diffusion_start = 1;

  int slots() const { return waypoints * kValuesPerWaypoint; }
  int head_dim() const { return hidden / heads; }
  /// Whether action rows give token coordinates instead of posteriors over tokens.
  bool continuous() const { return decoder == DecoderKind::diffusion || decoder == DecoderKind::regression; }
  /// Numeric tokens that the network embeds and gives logits of; the mask token follows them.
  int network_vocab() const { return continuous() ? 0 : vocab; }
  /// `mask` with what the decoder makes of the action rows.
  MaskKind attention() const {
    return decoder == DecoderKind::autoregressive && mask == MaskKind::prefix ? MaskKind::prefix_causal : mask;
  }
  /// Throws Error(ERR_CONFIG) that names the first bad field.
  void validate() const;
};

}  // namespace wam::model
