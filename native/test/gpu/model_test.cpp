// The whole model on the GPU backend: what it plans and learns is what the CPU backend plans and learns.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/call_staging.h"
#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "model/posterior_network.h"
#include "model/trainer.h"
#include "test/gpu/gpu_support.h"
#include "test/small_planner.h"

namespace wam::test {
namespace {

std::unique_ptr<Backend> gpu_backend(gpu::Precision precision = gpu::Precision::fp32) {
  gpu::Options options;
  options.precision = precision;
  return simt::make_backend(options);
}

std::unique_ptr<Backend> cpu_backend() { return cpu::make_cpu_backend(nullptr, cpu::best_isa()); }

simt::HarnessOptions unchecked() {
  simt::HarnessOptions options = simt::harness_options();
  options.check = false;
  return options;
}

/// Logits of `samples` samples of action tokens on a backend.
std::vector<real> logits_on(Backend& backend, const std::shared_ptr<const Model>& model,
                            const scene::Features& features, const std::vector<std::int32_t>& tokens, int samples,
                            bool cache) {
  PosteriorNetwork network(model, backend, samples);
  CallStaging staging(backend);
  network.set_prefix(features, samples, cache);
  network.encode_prefix();
  const real* logits = network.logits(staging.in(tokens.data(), tokens.size()), samples);
  std::vector<real> host(tokens.size() * static_cast<std::size_t>(model->config().vocab));
  backend.download(host.data(), logits, host.size() * sizeof(real));
  return host;
}

struct Variant {
  const char* name;
  ModelConfig config;
};

std::vector<Variant> variants() {
  ModelConfig llama = small_planner(MaskKind::full);
  llama.norm = NormKind::rms_norm, llama.mlp = MlpKind::swiglu, llama.rope_theta = 10000, llama.kv_heads = 1;
  llama.numeric = NumericKind::free, llama.mask_at_zero = false;
  ModelConfig causal = small_planner(MaskKind::causal);
  causal.rope_theta = 100, causal.path = PathKind::mixture, causal.mlp = MlpKind::swiglu;
  ModelConfig table = small_planner(MaskKind::prefix);
  table.numeric = NumericKind::table, table.metric = MetricKind::table, table.table_dim = 6;
  return {{"prefix mask, layer norm, gelu, fourier", small_planner(MaskKind::prefix)},
          {"full mask, rms norm, swiglu, rope, grouped heads, free rows", llama},
          {"causal mask, rope, swiglu with biases, mixture path", causal},
          {"triplet table as features and metric", table}};
}

std::vector<float> table_of(const ModelConfig& config) {
  std::vector<float> table(static_cast<std::size_t>(config.vocab) * static_cast<std::size_t>(config.table_dim));
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = std::sin(0.7f * static_cast<float>(i));
  return table;
}

std::shared_ptr<const Model> model_of(const ModelConfig& config, std::uint64_t seed) {
  if (config.numeric == NumericKind::fourier) return random_model(config, seed);
  const Network network(config);
  const std::vector<real> block = initial_weights(config, network, seed, table_of(config));
  return std::make_shared<Model>(config, named_tensors(network.layout, "", block.data()));
}

/// Greatest difference of tensors with the same names, relative to 1 + |value|.
double largest_difference(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  double worst = a.size() == b.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    for (std::size_t k = 0; k < a[i].data.size(); ++k) {
      const double x = a[i].data[k], y = b[i].data[k];
      worst = std::max(worst, std::abs(x - y) / (1 + std::abs(y)));
    }
  }
  return worst;
}

}  // namespace

TEST(logits_of_the_whole_model_agree_with_the_cpu) {
  const auto data = bent_dataset(6, 90);
  const auto cpu = cpu_backend(), gpu = gpu_backend();
  scene::Features features;
  for (const Variant& variant : variants()) {
    const auto model = model_of(variant.config, 4);
    scene::FeatureBuilder builder({variant.config.max_agents, variant.config.max_lanes});
    builder.build(observed(*data, 3), {}, features);
    const int samples = 2;
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(samples) * 24);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>((i * 37) % 102);
    for (const bool cache : {true, false}) {
      const Context at(variant.name + std::string(cache ? ", cached" : ", recomputed"));
      const auto expected = logits_on(*cpu, model, features, tokens, samples, cache);
      const auto got = logits_on(*gpu, model, features, tokens, samples, cache);
      CHECK_ALL_NEAR(got.data(), expected.data(), static_cast<long>(got.size()), 2e-5);
      check_no_reports();
    }
  }
}

TEST(plans_of_a_hundred_seeds_take_the_tokens_of_the_cpu) {
  const auto data = bent_dataset(6, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 5);
  const auto cpu = cpu_backend(), gpu = gpu_backend();
  PlanEngine on_cpu(model, *cpu, {2, 8}), on_gpu(model, *gpu, {2, 8});
  PlanOutput expected, got;
  long tokens = 0, different = 0;
  double least_margin = HUGE_VAL, probability_gap = 0, margin_gap = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    // The memory checks cost most of the time; every tenth seed has them.
    const simt::ScopedOptions scope(seed % 10 == 0 ? simt::harness_options() : unchecked());
    const scene::Observation observation = observed(*data, static_cast<int>(seed * 7) % data->size());
    for (const int steps : {1, 5}) {
      PlanOptions options = sampled(steps, 1, seed);
      options.rule = static_cast<StepRule>(seed % 3);
      if (seed % 4 == 3) options.decode = options.last_decode = DecodeRule::argmax;
      if (seed % 4 == 2) options.decode = DecodeRule::median;
      on_cpu.plan(observation, options, expected);
      on_gpu.plan(observation, options, got);
      for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
        ++tokens;
        different += expected.tokens[i] != got.tokens[i];
        least_margin = std::min(least_margin, static_cast<double>(expected.margin[i]));
        margin_gap = std::max(margin_gap, static_cast<double>(std::abs(expected.margin[i] - got.margin[i])));
        probability_gap = std::max(probability_gap,
                                   static_cast<double>(std::abs(expected.log_probability[i] - got.log_probability[i])));
      }
      CHECK(expected.tokens == got.tokens);
      CHECK(expected.refinements == got.refinements);
    }
  }
  std::printf(
      "plans on the GPU backend: %ld of %ld tokens differ; least margin of two logits %.3g; log probabilities "
      "differ by %.2g at most, margins by %.2g\n",
      different, tokens, least_margin, probability_gap, margin_gap);
  CHECK(probability_gap < 1e-4);
  check_no_reports();
}

TEST(a_replayed_plan_equals_the_first_one_for_any_observation) {
  const auto data = bent_dataset(7, 90);
  for (const MaskKind mask : {MaskKind::prefix, MaskKind::full}) {
    ModelConfig config = small_planner(mask);
    if (mask == MaskKind::full) config.layers = 2;
    const auto model = random_model(config, 6);
    const auto gpu = gpu_backend(), cpu = cpu_backend();
    PlanEngine replaying(model, *gpu, {3, 4}), on_cpu(model, *cpu, {3, 4});
    const PlanOptions options = sampled(3, 3, 11);
    PlanOutput expected, got;
    // Once as it is, once recorded, then replayed, each with other prefixes (5, 1 and again many vehicles).
    for (const int window : {0, data->size() - 1, data->size() / 2, 1, 0}) {
      const Context at("window " + std::to_string(window));
      const scene::Observation observation = observed(*data, window);
      on_cpu.plan(observation, options, expected);
      replaying.plan(observation, options, got);
      CHECK(expected.tokens == got.tokens);
      CHECK(expected.samples == got.samples);
    }
    check_no_reports();
  }
}

TEST(a_plan_step_by_step_equals_the_plan_in_one_go) {
  const auto data = bent_dataset(5, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 7);
  const auto gpu = gpu_backend();
  PlanEngine engine(model, *gpu, {2, 8});
  PlanOptions options = sampled(4, 2, 3);
  options.last_decode = DecodeRule::median;
  PlanOutput whole, stepped, late;
  const scene::Observation observation = observed(*data, 2);
  engine.plan(observation, options, whole);
  int reported_steps = 0;
  options.on_step = [](void* count, int steps, const float*) { *static_cast<int*>(count) = steps; };
  options.on_step_context = &reported_steps;
  for (int repeat = 0; repeat < 3; ++repeat) {
    engine.plan(observation, options, stepped);
    CHECK_EQ(reported_steps, 4);
    CHECK(whole.tokens == stepped.tokens);
    CHECK(whole.refinements == stepped.refinements);
    CHECK(whole.margin == stepped.margin);
  }
  // A deadline in the past ends after a step that is decoded as a last one is.
  options.on_step = nullptr;
  options.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  engine.plan(observation, options, late);
  CHECK_EQ(late.steps_run, 1);
  options.steps = 1, options.deadline = std::chrono::steady_clock::time_point::max();
  engine.plan(observation, options, whole);
  CHECK(late.tokens == whole.tokens);
  check_no_reports();
}

TEST(plans_wait_for_what_they_read_back) {
  // Work runs only when something waits for it: whatever the backend forgot to wait for would be missing.
  simt::HarnessOptions options = simt::harness_options();
  options.deferred = true;
  const simt::ScopedOptions scope(options);
  const auto data = bent_dataset(4, 90);
  const auto model = random_model(small_planner(MaskKind::prefix), 8);
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  PlanEngine on_gpu(model, *gpu, {1, 4}), on_cpu(model, *cpu, {1, 4});
  PlanOutput expected, got;
  for (int window = 0; window < 4; ++window) {
    on_cpu.plan(observed(*data, window), sampled(2, 1, 1), expected);
    on_gpu.plan(observed(*data, window), sampled(2, 1, 1), got);
    CHECK(expected.tokens == got.tokens);
  }
  check_no_reports();
}

TEST(a_training_step_agrees_with_the_cpu_in_loss_gradients_and_weights) {
  const auto data = bent_dataset(5, 90);
  for (const Variant& variant : variants()) {
    const Context at(variant.name);
    ModelConfig config = variant.config;
    config.layers = 2;
    TrainConfig train;
    train.batch = 4, train.micro_batches = 2, train.copies = 2, train.dropout = 0.1, train.warmup = 1;
    const auto make = [&](const BackendFactory& factory) {
      return std::make_unique<Trainer>(config, train, data, factory, 2, table_of(config));
    };
    const auto on_cpu = make([] { return cpu_backend(); });
    const auto on_gpu = make([] { return gpu_backend(); });
    for (int update = 0; update < 2; ++update) {
      const StepStats expected = on_cpu->step(), got = on_gpu->step();
      CHECK_NEAR(got.loss, expected.loss, 1e-5 * expected.loss);
      CHECK_NEAR(got.grad_norm, expected.grad_norm, 1e-4 * expected.grad_norm);
    }
    // After two updates the first moment is the mean of the gradients; AdamW divides by their size, so a weight whose
    // gradient is near 0 may differ by a step of lr: its moments are what is compared tightly.
    const auto state_cpu = on_cpu->state(), state_gpu = on_gpu->state();
    std::vector<NamedTensor> moments_cpu, moments_gpu, weights_cpu, weights_gpu;
    for (std::size_t i = 0; i < state_cpu.size(); ++i) {
      const bool moment = state_cpu[i].name.find("_moment.") != std::string::npos;
      (moment ? moments_cpu : weights_cpu).push_back(state_cpu[i]);
      (moment ? moments_gpu : weights_gpu).push_back(state_gpu[i]);
    }
    const double moments = largest_difference(moments_gpu, moments_cpu);
    const double weights = largest_difference(weights_gpu, weights_cpu);
    std::printf("training on the GPU backend, %s: moments differ by %.2g, weights by %.2g at most\n", variant.name,
                moments, weights);
    CHECK(moments < 2e-6);
    CHECK(weights < 2 * train.lr);
    check_no_reports();
  }
}

TEST(a_training_step_gives_the_same_bits_under_every_schedule) {
  const auto data = bent_dataset(4, 90);
  ModelConfig config = small_planner(MaskKind::prefix);
  config.layers = 1, config.vocab = 33;
  TrainConfig train;
  train.batch = 2, train.micro_batches = 1, train.copies = 1;
  same_under_each_schedule([&] {
    Trainer trainer(config, train, data, [] { return gpu_backend(); }, 1, {});
    trainer.step();
    std::vector<float> all;
    for (const NamedTensor& t : trainer.state()) all.insert(all.end(), t.data.begin(), t.data.end());
    return all;
  });
}

TEST(a_tokenizer_step_agrees_with_the_cpu) {
  std::vector<double> coordinate(77);
  for (std::size_t i = 0; i < coordinate.size(); ++i) coordinate[i] = -1 + static_cast<double>(i) / 38;
  TokenizerTrainConfig config;
  config.batch = 96;
  TokenizerTrainer on_cpu(coordinate, 12, config, [] { return cpu_backend(); });
  TokenizerTrainer on_gpu(coordinate, 12, config, [] { return gpu_backend(); });
  for (int update = 0; update < 3; ++update) {
    const TokenizerStats expected = on_cpu.step(), got = on_gpu.step();
    CHECK_NEAR(got.loss, expected.loss, 1e-7);
    CHECK_EQ(got.order_violations, expected.order_violations);
  }
  CHECK(largest_difference(on_gpu.state(), on_cpu.state()) < 1e-5);
  check_no_reports();
}

TEST(sixteen_bit_plans_stay_close_to_those_in_float) {
  const auto data = bent_dataset(6, 90);
  ModelConfig config = small_planner(MaskKind::prefix);
  config.hidden = 64, config.heads = 2;  // heads of 32: the tensor-core path
  const auto model = random_model(config, 5);
  const auto cpu = cpu_backend();
  scene::FeatureBuilder builder({config.max_agents, config.max_lanes});
  scene::Features features;
  builder.build(observed(*data, 3), {}, features);
  const std::vector<std::int32_t> tokens(24, 50);
  const auto expected = logits_on(*cpu, model, features, tokens, 1, true);
  double size = 0;
  for (const real v : expected) size = std::max(size, static_cast<double>(std::abs(v)));
  for (const gpu::Precision precision : {gpu::Precision::bf16, gpu::Precision::f16}) {
    const auto gpu = gpu_backend(precision);
    const auto got = logits_on(*gpu, model, features, tokens, 1, true);
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(got[i] - expected[i])));
    }
    std::printf("logits with %s products differ by %.2g of the largest\n",
                precision == gpu::Precision::bf16 ? "bf16" : "f16", worst / size);
    // 2^-8 and 2^-11 a rounding, a few tens of them on the way through three layers.
    CHECK(worst / size < (precision == gpu::Precision::bf16 ? 0.05 : 0.008));
    CHECK(worst > 0);
    check_no_reports();
  }
}

TEST(a_device_that_is_too_small_is_an_error_and_the_next_planner_works) {
  const auto model = random_model(small_planner(MaskKind::prefix), 9);
  simt::HarnessOptions options = simt::harness_options();
  options.device_memory = std::size_t{1} << 16;
  std::string code;
  {
    const simt::ScopedOptions scope(options);
    const auto gpu = gpu_backend();
    try {
      PlanEngine engine(model, *gpu, {64, 64});
    } catch (const Error& error) {
      code = error.code();
    }
  }
  CHECK_EQ(code, "ERR_OUT_OF_MEMORY");
  const auto gpu = gpu_backend();
  PlanEngine engine(model, *gpu, {1, 2});
  PlanOutput out;
  const auto data = bent_dataset(4, 90);
  engine.plan(observed(*data, 0), sampled(1, 1, 1), out);
  CHECK_EQ(out.steps_run, 1);
  check_no_reports();
}

}  // namespace wam::test
