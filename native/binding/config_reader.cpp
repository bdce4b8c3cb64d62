#include "binding/config_reader.h"

#include <cstdint>
#include <limits>

#include "binding/fields.h"

namespace wam::binding {
namespace {

constexpr int kMaxInt = std::numeric_limits<int>::max();
constexpr std::int64_t kMaxSteps = 1'000'000'000;
constexpr std::int64_t kMaxSeed = (std::int64_t{1} << 53) - 1;

flow::PathSchedule read_schedule(const Fields& fields, double power) {
  using Kind = flow::PathSchedule::Kind;
  flow::PathSchedule schedule;
  schedule.kind = fields.choice<Kind>("kind", {{"published", Kind::published}, {"kernel_width", Kind::kernel_width}});
  schedule.a = fields.number("a");
  schedule.c = fields.number("c");
  schedule.initial_width = fields.number("initialWidth");
  schedule.final_width = fields.number("finalWidth");
  schedule.power = power;
  return schedule;
}

flow::MixtureSchedule read_mixture(const Fields& fields) {
  using Kind = flow::MixtureSchedule::Kind;
  flow::MixtureSchedule mixture;
  mixture.kind = fields.choice<Kind>("kind", {{"cond_ot", Kind::cond_ot},
                                              {"polynomial", Kind::polynomial},
                                              {"cosine", Kind::cosine},
                                              {"vp", Kind::vp},
                                              {"linear_vp", Kind::linear_vp}});
  mixture.exponent = fields.number("exponent");
  mixture.beta_min = fields.number("betaMin");
  mixture.beta_max = fields.number("betaMax");
  return mixture;
}

}  // namespace

model::ModelConfig read_model_config(Napi::Value value) {
  using namespace model;
  const Fields fields(value, "config");
  ModelConfig config;
  config.hidden = fields.integer("hidden", 1, kMaxInt);
  config.layers = fields.integer("layers", 1, kMaxInt);
  config.heads = fields.integer("heads", 1, kMaxInt);
  config.kv_heads = fields.integer("kvHeads", 1, kMaxInt);
  config.mlp_hidden = fields.integer("mlpHidden", 1, kMaxInt);
  config.mlp = fields.choice<MlpKind>("mlp", {{"gelu", MlpKind::gelu}, {"swiglu", MlpKind::swiglu}});
  config.norm =
      fields.choice<NormKind>("norm", {{"layer_norm", NormKind::layer_norm}, {"rms_norm", NormKind::rms_norm}});
  config.norm_eps = fields.number("normEps");
  config.rope_theta = fields.number("ropeTheta");
  config.mask = fields.choice<MaskKind>(
      "mask", {{"causal", MaskKind::causal}, {"full", MaskKind::full}, {"prefix", MaskKind::prefix}});
  config.encoder_hidden = fields.integer("encoderHidden", 1, kMaxInt);
  config.max_agents = fields.integer("maxAgents", 0, kMaxInt);
  config.max_lanes = fields.integer("maxLanes", 0, kMaxInt);
  config.waypoints = fields.integer("waypoints", 1, kMaxInt);
  config.interval_s = fields.number("intervalS");
  config.tokens = fields.choice<TokenKind>(
      "tokens", {{"residual_companded", TokenKind::residual_companded}, {"absolute", TokenKind::absolute}});
  config.vocab = fields.integer("vocab", 1, kMaxInt);
  config.compand = fields.number("compand");
  config.slot_scale = fields.numbers("slotScale");
  config.grid_min = fields.number("gridMin");
  config.grid_step = fields.number("gridStep");
  config.numeric = fields.choice<NumericKind>(
      "numeric", {{"fourier", NumericKind::fourier}, {"table", NumericKind::table}, {"free", NumericKind::free}});
  config.table_dim = fields.integer("tableDim", 1, kMaxInt);
  config.path = fields.choice<PathKind>("path", {{"metric", PathKind::metric}, {"mixture", PathKind::mixture}});
  config.metric =
      fields.choice<MetricKind>("metric", {{"coordinate", MetricKind::coordinate}, {"table", MetricKind::table}});
  config.metric_power = fields.number("metricPower");
  config.schedule = read_schedule(fields.object("schedule"), config.metric_power);
  config.sampling_schedule = read_schedule(fields.object("samplingSchedule"), config.metric_power);
  if (!fields.get("mixture").IsUndefined()) config.mixture = read_mixture(fields.object("mixture"));
  config.mask_at_zero = fields.boolean("maskAtZero");
  config.mixture_source = fields.choice<MixtureSource>(
      "mixtureSource", {{"uniform", MixtureSource::uniform}, {"mask", MixtureSource::mask}});
  config.decoder = fields.choice<DecoderKind>("decoder", {{"flow", DecoderKind::flow},
                                                          {"autoregressive", DecoderKind::autoregressive},
                                                          {"diffusion", DecoderKind::diffusion},
                                                          {"regression", DecoderKind::regression}});
  config.diffusion_scale = fields.number("diffusionScale");
  config.diffusion_start = fields.number("diffusionStart");
  config.validate();
  return config;
}

model::TrainConfig read_train_config(Napi::Value value) {
  const Fields fields(value, "train");
  model::TrainConfig config;
  config.steps = fields.integer64("steps", 1, kMaxSteps);
  config.batch = fields.integer("batch", 1, 1 << 20);
  config.micro_batches = fields.integer("microBatches", 1, config.batch);
  config.copies = fields.integer("copies", 1, 1 << 10);
  config.lr = fields.number("lr");
  config.beta1 = fields.number("beta1");
  config.beta2 = fields.number("beta2");
  config.eps = fields.number("eps");
  config.weight_decay = fields.number("weightDecay");
  config.clip = fields.number("clip");
  config.warmup = fields.integer64("warmup", 0, kMaxSteps);
  config.ema = fields.number("ema");
  config.dropout = fields.number("dropout");
  config.smear = fields.number("smear");
  config.zero_fraction = fields.number("zeroFraction");
  config.augment = fields.boolean("augment");
  config.seed = static_cast<std::uint64_t>(fields.integer64("seed", 0, kMaxSeed));
  return config;
}

model::TokenizerTrainConfig read_tokenizer_train_config(Napi::Value value) {
  const Fields fields(value, "train");
  model::TokenizerTrainConfig config;
  config.steps = fields.integer64("steps", 1, kMaxSteps);
  config.batch = fields.integer("batch", 1, 1 << 24);
  config.lr = fields.number("lr");
  config.margin_per_gap = fields.number("marginPerGap");
  config.margin = fields.number("margin");
  config.seed = static_cast<std::uint64_t>(fields.integer64("seed", 0, kMaxSeed));
  return config;
}

}  // namespace wam::binding
