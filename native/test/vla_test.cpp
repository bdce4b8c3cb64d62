// The vision-language model against the same model written plainly in double, and its parts against each other.
#include "vla/vla_runner.h"

#include <numeric>

#include "core/error.h"
#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "test/test.h"
#include "test/vla_reference.h"
#include "vla/vla_sampler.h"
#include "vla/vla_trainer.h"

namespace {

using namespace wam;
using namespace wam::vla;
using wam::test::MadeUpSource;
using wam::test::PlainVla;

constexpr double kTolerance = sizeof(real) == 8 ? 1e-10 : 2e-5;
constexpr Mask kMasks[] = {Mask::causal, Mask::full, Mask::prefix};
constexpr const char* kMaskNames[] = {"causal", "full", "prefix"};

/// Two images and text before, between and after them.
struct Case {
  VlaConfig config = test::small_vla();
  std::shared_ptr<MadeUpSource> source = test::random_source(config, 3);
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> image;
  std::vector<float> pixels;
  int prefix = 0;

  Case() {
    test::Uniforms uniforms(11);
    const auto text = [&](int count) {
      for (int i = 0; i < count; ++i) {
        ids.push_back(static_cast<std::int32_t>(uniforms.next() * config.language.vocab)), image.push_back(0);
      }
    };
    const auto picture = [&] { ids.insert(ids.end(), 9, 0), image.insert(image.end(), 9, 1); };
    text(3), picture(), text(2), picture(), text(4);
    prefix = static_cast<int>(ids.size());
    text(7);
    pixels.resize(static_cast<std::size_t>(2 * config.vision.pixels()));
    for (float& p : pixels) p = uniforms.next(-1, 1);
  }
  PlainVla plain() const { return {config, *source}; }
  PlainVla::Rows aligned() const {
    PlainVla::Rows rows = plain().align(plain().features(pixels.data()));
    for (auto& row : plain().align(plain().features(pixels.data() + config.vision.pixels()))) rows.push_back(row);
    return rows;
  }
};

std::vector<double> flat(const PlainVla::Rows& rows) {
  std::vector<double> out;
  for (const auto& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

struct Running {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Backend> backend;
  std::shared_ptr<const VlaWeights> weights;
  std::unique_ptr<VlaRunner> runner;

  explicit Running(const Case& c, int threads = 1, RunnerLimits limits = {.tokens = 40, .images = 2},
                   TokenRange numeric = {}, cpu::Precision precision = cpu::Precision::fp32) {
    if (threads > 1) pool = std::make_unique<ThreadPool>(threads);
    backend = cpu::make_cpu_backend(pool.get(), cpu::best_isa(), precision);
    weights = std::make_shared<VlaWeights>(c.config, c.source, *backend, numeric);
    runner = std::make_unique<VlaRunner>(weights, *backend, limits);
    runner->encode_images(2, c.pixels.data(), nullptr, nullptr);
  }
  std::vector<real> logits(std::span<const std::int32_t> positions, TokenRange range) {
    const real* from = runner->logits(positions, range);
    std::vector<real> out(positions.size() * static_cast<std::size_t>(range.count()));
    backend->download(out.data(), from, out.size() * sizeof(real));
    return out;
  }
  std::vector<real> all_logits(const Case& c) {
    std::vector<std::int32_t> positions(c.ids.size());
    std::iota(positions.begin(), positions.end(), 0);
    return logits(positions, {0, c.config.language.vocab});
  }
};

TEST(vla_features_and_aligner_match_plain_arithmetic) {
  const Case c;
  Running r(c);
  const auto tokens = static_cast<std::size_t>(2 * c.config.vision.tokens());
  std::vector<real> features(tokens * 32), aligned(tokens * 32);
  CHECK(r.runner->encode_images(2, c.pixels.data(), features.data(), aligned.data()));
  PlainVla::Rows expected = c.plain().features(c.pixels.data());
  for (auto& row : c.plain().features(c.pixels.data() + c.config.vision.pixels())) expected.push_back(row);
  CHECK_ALL_NEAR(features.data(), flat(expected).data(), static_cast<long>(features.size()), kTolerance);
  CHECK_ALL_NEAR(aligned.data(), flat(c.aligned()).data(), static_cast<long>(aligned.size()), kTolerance);
}

TEST(vla_hidden_rows_and_logits_match_plain_arithmetic_under_every_mask) {
  const Case c;
  Running r(c);
  for (int m = 0; m < 3; ++m) {
    const test::Context at(kMaskNames[m]);
    r.runner->set_input(c.ids, c.image, kMasks[m], c.prefix);
    CHECK(r.runner->run(0));
    const auto hidden = flat(c.plain().hidden(c.ids, c.image, c.aligned(), kMasks[m], c.prefix));
    CHECK_ALL_NEAR(r.runner->hidden(), hidden.data(), static_cast<long>(hidden.size()), kTolerance);
    const auto logits = flat(c.plain().logits(c.plain().hidden(c.ids, c.image, c.aligned(), kMasks[m], c.prefix)));
    CHECK_ALL_NEAR(r.all_logits(c).data(), logits.data(), static_cast<long>(logits.size()), kTolerance);
  }
}

TEST(vla_head_with_bias_and_tied_table_matches_plain_arithmetic) {
  Case c;
  c.config.language.attention_bias = c.config.language.mlp_bias = c.config.language.tied_head = true;
  c.config.aligner_depth = 3;
  c.source = test::random_source(c.config, 5);
  CHECK(c.source->find("language_model.lm_head.weight") == nullptr);
  Running r(c);
  r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
  CHECK(r.runner->run(0));
  const auto logits = flat(c.plain().logits(c.plain().hidden(c.ids, c.image, c.aligned(), Mask::prefix, c.prefix)));
  CHECK_ALL_NEAR(r.all_logits(c).data(), logits.data(), static_cast<long>(logits.size()), 10 * kTolerance);
}

TEST(vla_needed_rows_alone_are_the_same_bits) {
  const Case c;
  Running r(c, 1, {.tokens = 40, .images = 2}, {20, 41});
  const TokenRange range = r.runner->head_range({20, 41});
  CHECK_EQ(range.begin, 20), CHECK_EQ(range.end, 41);
  CHECK_EQ(r.runner->head_range({20, 42}).end, 57);
  for (int m = 0; m < 3; ++m) {
    const test::Context at(kMaskNames[m]);
    r.runner->set_input(c.ids, c.image, kMasks[m], c.prefix);
    CHECK(r.runner->run(0));
    const std::vector<real> all = r.all_logits(c);
    for (const int first : {2, c.prefix, c.prefix + 3}) {
      const std::vector<std::int32_t> positions = {first, first + 2};
      CHECK(r.runner->run(first - 1));
      const std::vector<real> some = r.logits(positions, range);
      for (int i = 0; i < 2; ++i)
        CHECK_SAME_BITS(some.data() + i * range.count(), &all[static_cast<std::size_t>(positions[i] * 57 + 20)],
                        range.count());
    }
  }
}

TEST(vla_kept_prefix_gives_the_bits_of_a_whole_pass) {
  const Case c;
  Running r(c);
  std::vector<std::int32_t> positions;
  for (int i = c.prefix; i < static_cast<int>(c.ids.size()); ++i) positions.push_back(i);
  const TokenRange vocabulary{0, c.config.language.vocab};
  for (const Mask mask : {Mask::prefix, Mask::causal}) {
    const test::Context at(kMaskNames[static_cast<int>(mask)]);
    std::vector<std::int32_t> ids = c.ids;
    r.runner->set_input(ids, c.image, mask, c.prefix);
    CHECK(r.runner->keep_prefix());
    for (int pass = 0; pass < 3; ++pass) {
      const std::vector<std::int32_t> moved = {c.prefix + pass, c.prefix + 5}, tokens = {pass, 50 - pass};
      for (int i = 0; i < 2; ++i) ids[static_cast<std::size_t>(moved[i])] = tokens[i];
      r.runner->set_tokens(moved, tokens);
      CHECK(r.runner->run_rest());
      const std::vector<real> kept = r.logits(positions, vocabulary);
      Running fresh(c);
      fresh.runner->set_input(ids, c.image, mask, c.prefix);
      CHECK(fresh.runner->run(c.prefix - 1));
      CHECK_SAME_BITS(kept.data(), fresh.logits(positions, vocabulary).data(), kept.size());
    }
  }
}

TEST(vla_threads_give_the_same_bits) {
  const Case c;
  Running one(c), three(c, 3);
  for (Running* r : {&one, &three}) {
    r->runner->set_input(c.ids, c.image, Mask::full, c.prefix);
    CHECK(r->runner->run(0));
  }
  const std::vector<real> a = one.all_logits(c), b = three.all_logits(c);
  CHECK_SAME_BITS(a.data(), b.data(), a.size());
}

TEST(vla_narrow_weights_are_near) {
  const Case c;
  const auto expected = flat(c.plain().logits(c.plain().hidden(c.ids, c.image, c.aligned(), Mask::full, c.prefix)));
  double norm = 0;
  for (const double v : expected) norm += v * v;
  for (const auto& [precision, limit] : {std::pair{cpu::Precision::bf16, 0.02}, {cpu::Precision::int8, 0.06}}) {
    Running r(c, 1, {.tokens = 40, .images = 2}, {}, precision);
    r.runner->set_input(c.ids, c.image, Mask::full, c.prefix);
    CHECK(r.runner->run(0));
    const std::vector<real> logits = r.all_logits(c);
    double error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) error += (logits[i] - expected[i]) * (logits[i] - expected[i]);
    CHECK(std::sqrt(error / norm) < limit);
    CHECK(error > 0);
  }
}

const char* code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

TEST(vla_refuses_input_that_does_not_fit) {
  const Case c;
  Running r(c);
  const auto set = [&](std::vector<std::int32_t> ids, std::vector<std::uint8_t> image, Mask mask, int prefix) {
    return std::string(code_of([&] { r.runner->set_input(ids, image, mask, prefix); }));
  };
  CHECK_EQ(set(c.ids, c.image, Mask::full, 0), "");
  std::vector<std::int32_t> ids = c.ids;
  ids[0] = 57;
  CHECK_EQ(set(ids, c.image, Mask::full, 0), "ERR_RANGE");
  ids[0] = -1;
  CHECK_EQ(set(ids, c.image, Mask::full, 0), "ERR_RANGE");
  ids = c.ids, ids[4] = -100;  // an image position
  CHECK_EQ(set(ids, c.image, Mask::full, 0), "");
  std::vector<std::uint8_t> image = c.image;
  image[0] = 1;
  CHECK_EQ(set(c.ids, image, Mask::full, 0), "ERR_SHAPE");
  image.pop_back();
  CHECK_EQ(set(c.ids, image, Mask::full, 0), "ERR_SHAPE");
  CHECK_EQ(set(c.ids, c.image, Mask::prefix, 0), "ERR_RANGE");
  CHECK_EQ(set(c.ids, c.image, Mask::prefix, 35), "ERR_RANGE");
  ids.assign(41, 0), image.assign(41, 0);
  CHECK_EQ(set(ids, image, Mask::full, 0), "ERR_RANGE");
  CHECK_EQ(set({}, {}, Mask::full, 0), "ERR_RANGE");
  CHECK_EQ(std::string(code_of([&] { r.runner->encode_images(3, c.pixels.data(), nullptr, nullptr); })), "ERR_RANGE");
}

TEST(vla_weights_name_all_that_is_wrong_with_a_checkpoint) {
  Case c;
  c.source->remove("language_model.model.norm.weight");
  c.source->add("aligner.layers.2.bias", {33}, std::vector<float>(33));
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  const auto message = [&] {
    try {
      VlaWeights(c.config, c.source, *backend);
    } catch (const Error& error) {
      return std::string(error.code()) + " " + error.what();
    }
    return std::string();
  };
  std::string text = message();
  CHECK(text.starts_with("ERR_CHECKPOINT_CORRUPT "));
  CHECK(text.find("missing tensor language_model.model.norm.weight") != std::string::npos);
  CHECK(text.find("aligner.layers.2.bias: expected shape [32], received [33]") != std::string::npos);
  for (const char* name : {"language_model.model.layers.1.mlp.up_proj.weight", "language_model.lm_head.weight",
                           "language_model.model.embed_tokens.weight", "vision_model.vision_tower.pos_embed"}) {
    Case bad;
    bad.source->values(name)[40] = NAN;
    c.source = bad.source;
    text = message();
    CHECK(text.starts_with("ERR_CHECKPOINT_CORRUPT "));
    CHECK(text.find(name) != std::string::npos);
  }
}

TEST(vla_gives_up_between_layers) {
  const Case c;
  Running r(c);
  int asked = 0;
  const model::LayerWatch watch{[](void* count, int) { return ++*static_cast<int*>(count) == 2; }, &asked};
  r.runner->set_input(c.ids, c.image, Mask::full, c.prefix);
  CHECK(!r.runner->run(0, watch));
  CHECK_EQ(asked, 2);
  asked = 0;
  CHECK(!r.runner->encode_images(2, c.pixels.data(), nullptr, nullptr, watch));
}

/// x_1 of greatest logit and the released step in plain double, for given uniforms.
TEST(vla_sampler_follows_the_released_chain) {
  const Case c;
  const int vocab = c.config.language.vocab, steps = 5;
  for (const TokenRange range : {TokenRange{0, vocab}, TokenRange{20, 41}}) {
    const test::Context at(range.begin == 0 ? "whole vocabulary" : "numeric rows");
    Running r(c, 1, {.tokens = 40, .images = 2}, {20, 41});
    VlaSampler sampler(r.weights, *r.runner, *r.backend);
    SampleRequest request;
    request.range = range;
    for (int i = c.prefix; i < c.prefix + 6; i += 2) request.positions.push_back(i);
    request.steps = steps;
    test::Uniforms uniforms(91);
    for (int i = 0; i < 3; ++i)
      request.x_0.push_back(range.begin + static_cast<int>(uniforms.next() * static_cast<float>(range.count())));
    for (int i = 0; i < 3 * steps; ++i)
      request.jump.push_back(uniforms.next()), request.draw.push_back(uniforms.next());
    SampleOutput out;
    r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
    CHECK(sampler.sample(request, Mask::prefix, out));

    const auto& table = c.source->values("language_model.model.embed_tokens.weight");
    std::vector<std::vector<double>> z;
    for (int v = range.begin; v < range.end; ++v) {
      std::vector<double> row(table.begin() + v * 32, table.begin() + (v + 1) * 32);
      double square = 0;
      for (const double x : row) square += x * x;
      for (double& x : row) x /= std::sqrt(square);
      z.push_back(row);
    }
    const auto distance = [&](std::size_t a, std::size_t b) {
      double square = 0;
      for (std::size_t j = 0; j < 32; ++j) square += (z[a][j] - z[b][j]) * (z[a][j] - z[b][j]);
      return square * square;
    };
    std::vector<std::int32_t> ids = c.ids, x(request.x_0);
    int moved = 0;
    for (int k = 0; k < steps; ++k) {
      for (std::size_t i = 0; i < 3; ++i) ids[static_cast<std::size_t>(request.positions[i])] = x[i];
      CHECK(std::equal(x.begin(), x.end(), out.states.begin() + 3 * k));
      const auto logits = c.plain().logits(c.plain().hidden(ids, c.image, c.aligned(), Mask::prefix, c.prefix));
      for (std::size_t i = 0; i < 3; ++i) {
        const auto& row = logits[static_cast<std::size_t>(request.positions[i])];
        const auto best = std::max_element(row.begin() + range.begin, row.begin() + range.end) - row.begin();
        const auto at_k = static_cast<std::size_t>(3 * k) + i;
        CHECK_EQ(out.x_1[at_k], static_cast<std::int32_t>(best));
        const auto x1 = static_cast<std::size_t>(best - range.begin), xt = static_cast<std::size_t>(x[i] - range.begin);
        if (k + 1 == steps) {
          x[i] = static_cast<std::int32_t>(best);
          continue;
        }
        const double t = static_cast<double>(k) / steps, ratio = t / (1 - t);
        const double beta = 3 * std::pow(ratio, 0.9);
        const double slope = k == 0 ? 0 : 3 * 0.9 * std::pow(ratio, -0.1) / ((1 - t) * (1 - t));
        double weights = 0, rates = 0;
        std::vector<double> rate(z.size());
        for (std::size_t y = 0; y < z.size(); ++y) {
          const double d = distance(y, x1), w = std::exp(-beta * d);
          weights += w;
          rate[y] = y == xt ? 0 : w * slope / steps * std::max(0.0, distance(xt, x1) - d);
          rates += rate[y];
        }
        if (request.jump[at_k] >= 1 - std::exp(-rates / weights)) continue;
        double sum = 0;
        std::size_t y = 0;
        while ((sum += rate[y]) <= request.draw[at_k] * rates) ++y;
        x[i] = static_cast<std::int32_t>(y) + range.begin;
        ++moved;
      }
    }
    CHECK(moved > 0);
    CHECK(std::equal(x.begin(), x.end(), out.final.begin()));
    for (const double ms : out.step_ms) CHECK(ms > 0);

    // The same without a cache, bit for bit; and a plan of one step is what the first step decoded.
    SampleRequest whole = request;
    whole.keep_prefix = false;
    SampleOutput again;
    r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
    CHECK(sampler.sample(whole, Mask::prefix, again));
    CHECK_SAME_BITS(again.states.data(), out.states.data(), out.states.size());
    CHECK_SAME_BITS(again.log_probability.data(), out.log_probability.data(), out.log_probability.size());
    whole.steps = 1, whole.jump.clear(), whole.draw.clear();
    CHECK(sampler.sample(whole, Mask::prefix, again));
    CHECK_SAME_BITS(again.final.data(), out.x_1.data(), 3);
  }
}

TEST(vla_sampler_samples_of_one_call_are_those_of_single_calls) {
  const Case c;
  Running r(c);
  VlaSampler sampler(r.weights, *r.runner, *r.backend);
  const std::size_t n = 3, steps = 4, samples = 3;
  for (const Mask mask : {Mask::prefix, Mask::full}) {
    for (const int mask_id : {-1, 7}) {
      const test::Context at(std::string(kMaskNames[static_cast<int>(mask)]) + ", mask token " +
                             std::to_string(mask_id));
      SampleRequest all;
      all.range = {20, 41};
      for (std::size_t i = 0; i < n; ++i) all.positions.push_back(c.prefix + static_cast<int>(2 * i));
      all.steps = steps, all.samples = samples, all.mask_id = mask_id;
      all.rule = StepRule::renoise, all.decode = all.last_decode = DecodeRule::sample;
      all.schedule.kind = flow::PathSchedule::Kind::kernel_width;
      test::Uniforms uniforms(17);
      for (std::size_t i = 0; i < samples * n; ++i) all.x_0.push_back(20 + static_cast<int>(uniforms.next() * 21));
      for (std::size_t i = 0; i < samples * steps * n; ++i) {
        all.posterior.push_back(uniforms.next());
        all.jump.push_back(uniforms.next()), all.draw.push_back(uniforms.next());
      }
      SampleOutput together;
      r.runner->set_input(c.ids, c.image, mask, c.prefix);
      CHECK(sampler.sample(all, mask, together));
      CHECK_EQ(together.final.size(), samples * n);
      CHECK_EQ(together.step_ms.size(), steps);
      for (std::size_t s = 0; s < samples; ++s) {
        const auto slice = [&](auto& values, std::size_t each) {
          const auto first = values.begin() + static_cast<std::ptrdiff_t>(s * each);
          values = {first, first + static_cast<std::ptrdiff_t>(each)};
        };
        SampleRequest one = all;
        one.samples = 1;
        slice(one.x_0, n);
        for (auto* values : {&one.posterior, &one.jump, &one.draw}) slice(*values, steps * n);
        SampleOutput alone;
        r.runner->set_input(c.ids, c.image, mask, c.prefix);
        CHECK(sampler.sample(one, mask, alone));
        CHECK_SAME_BITS(&together.states[s * steps * n], alone.states.data(), steps * n);
        CHECK_SAME_BITS(&together.x_1[s * steps * n], alone.x_1.data(), steps * n);
        CHECK_SAME_BITS(&together.log_probability[s * steps * n], alone.log_probability.data(), steps * n);
        CHECK_SAME_BITS(&together.final[s * n], alone.final.data(), n);
      }
      // Drawn from a seed, the first sample is what one sample alone is.
      for (auto* values : {&all.posterior, &all.jump, &all.draw}) values->clear();
      all.x_0.clear(), all.seed = 5;
      CHECK(sampler.sample(all, mask, together));
      SampleRequest one = all;
      one.samples = 1;
      SampleOutput alone;
      CHECK(sampler.sample(one, mask, alone));
      CHECK_SAME_BITS(together.states.data(), alone.states.data(), steps * n);
      CHECK(!std::equal(alone.states.begin(), alone.states.begin() + n, &together.states[steps * n]));
    }
  }
}

TEST(vla_sampler_decodes_the_last_step_by_its_own_rule) {
  const Case c;
  Running r(c);
  VlaSampler sampler(r.weights, *r.runner, *r.backend);
  SampleRequest request;
  request.range = {20, 41};
  request.positions = {c.prefix, c.prefix + 1, c.prefix + 4};
  request.steps = 3, request.decode = request.last_decode = DecodeRule::sample;
  const auto run = [&] {
    SampleOutput out;
    r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
    CHECK(sampler.sample(request, Mask::prefix, out));
    return out;
  };
  const SampleOutput sampled = run();
  request.last_decode = DecodeRule::argmax;
  const SampleOutput last = run();
  CHECK_SAME_BITS(last.states.data(), sampled.states.data(), 9);
  CHECK_SAME_BITS(last.x_1.data(), sampled.x_1.data(), 6);
  double greater = 0;
  for (std::size_t i = 6; i < 9; ++i) {
    CHECK(last.log_probability[i] >= sampled.log_probability[i]);
    greater += last.log_probability[i] - sampled.log_probability[i];
  }
  CHECK(greater > 0);
}

TEST(vla_sampler_reads_the_mask_token_at_time_0_alone) {
  const Case c;
  Running r(c);
  VlaSampler sampler(r.weights, *r.runner, *r.backend);
  SampleRequest request;
  request.range = {20, 41};
  request.positions = {c.prefix, c.prefix + 1, c.prefix + 4};
  request.steps = 2, request.mask_id = 7, request.rule = StepRule::renoise;
  request.x_0 = {21, 30, 40};
  SampleOutput out;
  r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
  CHECK(sampler.sample(request, Mask::prefix, out));
  CHECK(std::equal(request.x_0.begin(), request.x_0.end(), out.states.begin()));
  std::vector<std::int32_t> ids = c.ids;
  for (std::size_t step = 0; step < 2; ++step) {
    for (std::size_t i = 0; i < 3; ++i)
      ids[static_cast<std::size_t>(request.positions[i])] = step == 0 ? 7 : out.states[3 + i];
    const auto logits = c.plain().logits(c.plain().hidden(ids, c.image, c.aligned(), Mask::prefix, c.prefix));
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& row = logits[static_cast<std::size_t>(request.positions[i])];
      const auto best = std::max_element(row.begin() + 20, row.begin() + 41) - row.begin();
      CHECK_EQ(out.x_1[3 * step + i], static_cast<std::int32_t>(best));
    }
  }
}

/// The moves of one step, many times over, against the path's probabilities in plain double.
TEST(vla_sampler_moves_by_the_kernel_widths_schedule) {
  const Case c;
  Running r(c, 1, {.tokens = 40, .images = 2}, {20, 41});
  VlaSampler sampler(r.weights, *r.runner, *r.backend);
  SampleRequest request;
  request.range = {20, 41};
  request.positions = {c.prefix};
  request.steps = 2, request.samples = 4000, request.mask_id = 7, request.rule = StepRule::renoise;
  request.schedule.kind = flow::PathSchedule::Kind::kernel_width;
  request.schedule.initial_width = 30, request.schedule.final_width = 0.1, request.schedule.power = 1;
  SampleOutput out;
  r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
  CHECK(sampler.sample(request, Mask::prefix, out));
  const auto& table = c.source->values("language_model.model.embed_tokens.weight");
  const auto distance = [&](int a, int b) {
    double aa = 0, bb = 0, square = 0;
    for (int j = 0; j < 32; ++j)
      aa += table[a * 32 + j] * table[a * 32 + j], bb += table[b * 32 + j] * table[b * 32 + j];
    for (int j = 0; j < 32; ++j) {
      const double d = table[a * 32 + j] / std::sqrt(aa) - table[b * 32 + j] / std::sqrt(bb);
      square += d * d;
    }
    return square * square;
  };
  const double beta = 1 / std::sqrt(30 * 0.1) - 1.0 / 30;
  std::vector<double> expected(21), seen(21);
  double sum = 0;
  for (int y = 0; y < 21; ++y) sum += expected[y] = std::exp(-beta * distance(20 + y, out.x_1[0]));
  for (int s = 0; s < request.samples; ++s) ++seen[static_cast<std::size_t>(out.states[2 * s + 1] - 20)];
  double chi_square = 0;
  for (std::size_t y = 0; y < 21; ++y) {
    const double mean = expected[y] / sum * request.samples;
    chi_square += (seen[y] - mean) * (seen[y] - mean) / mean;
  }
  CHECK(chi_square < 45);  // 20 degrees of freedom: one in a thousand
}

TEST(vla_sampler_refuses_requests_that_do_not_fit) {
  const Case c;
  Running r(c);
  VlaSampler sampler(r.weights, *r.runner, *r.backend);
  r.runner->set_input(c.ids, c.image, Mask::prefix, c.prefix);
  SampleRequest good;
  good.range = {0, c.config.language.vocab};
  good.positions = {c.prefix, c.prefix + 1};
  const auto code = [&](const std::function<void(SampleRequest&)>& spoil) {
    SampleRequest request = good;
    SampleOutput out;
    spoil(request);
    return std::string(code_of([&] { sampler.sample(request, Mask::prefix, out); }));
  };
  CHECK_EQ(code([](SampleRequest&) {}), "");
  CHECK_EQ(code([](SampleRequest& s) { s.positions.clear(); }), "ERR_SHAPE");
  CHECK_EQ(code([](SampleRequest& s) { s.positions = {5, 6}; }), "ERR_RANGE");  // in the kept prefix
  CHECK_EQ(code([](SampleRequest& s) { s.keep_prefix = false, s.positions = {5, 6}; }), "ERR_RANGE");  // image rows
  CHECK_EQ(code([&](SampleRequest& s) { s.positions = {c.prefix + 1, c.prefix}; }), "ERR_RANGE");
  CHECK_EQ(code([&](SampleRequest& s) { s.positions = {c.prefix, 34}; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.range.end = 58; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.steps = 0; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.steps = 1 << 24; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.x_0 = {1}; }), "ERR_SHAPE");
  CHECK_EQ(code([](SampleRequest& s) { s.x_0 = {1, 57}; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.jump.assign(9, 0.5F); }), "ERR_SHAPE");
  CHECK_EQ(code([](SampleRequest& s) { s.draw.assign(10, 1.0F); }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.temperature = 0; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.samples = 0; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.samples = 1 << 24; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.samples = 2, s.x_0 = {1, 2}; }), "ERR_SHAPE");
  CHECK_EQ(code([](SampleRequest& s) { s.mask_id = 57; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) { s.mask_id = -2; }), "ERR_RANGE");
  CHECK_EQ(code([](SampleRequest& s) {
             s.schedule.kind = flow::PathSchedule::Kind::kernel_width, s.schedule.final_width = 2;
           }),
           "ERR_CONFIG");
}

/// Gradients against central differences of the loss, at the weights that matter most in each tensor.
TEST(vla_trainer_gradients_agree_with_differences_of_the_loss) {
  Case c;
  c.config.language.mlp_hidden = 64;  // halves of gate and up begin on cache lines
  c.source = test::random_source(c.config, 7);
  const auto backend = cpu::make_cpu_backend(nullptr, cpu::best_isa());
  const std::string layer = "language_model.model.layers.1.";
  const std::vector<std::string> names = {"language_model.model.embed_tokens.weight",
                                          "language_model.lm_head.weight",
                                          "language_model.model.norm.weight",
                                          layer + "input_layernorm.weight",
                                          layer + "self_attn.q_proj.weight",
                                          layer + "self_attn.k_proj.weight",
                                          layer + "self_attn.v_proj.weight",
                                          layer + "self_attn.o_proj.weight",
                                          layer + "mlp.gate_proj.weight",
                                          layer + "mlp.up_proj.weight",
                                          layer + "mlp.down_proj.weight"};
  VlaTrainConfig train;
  train.tokens = 40, train.images = 2, train.trainable = names;
  const auto loss = [&](const VlaExample& e, std::vector<model::NamedTensor>* gradients) {
    VlaTrainer trainer(c.config, c.source, *backend, train);
    const VlaStep step = trainer.gradients({e});
    if (gradients != nullptr) *gradients = trainer.tensors(names, true);
    return step.loss;
  };
  for (int m = 0; m < 3; ++m) {
    VlaExample e;
    e.x_t = c.ids, e.image = c.image, e.pixels = c.pixels, e.images = 2;
    e.mask = kMasks[m], e.prefix_rows = c.prefix;
    e.counted.assign(c.ids.size(), 0);
    for (std::size_t i = 0; i < c.ids.size(); ++i) {
      e.x_1.push_back((c.ids[i] + 5) % c.config.language.vocab);
      e.counted[i] = i >= static_cast<std::size_t>(c.prefix) || i == 1;
    }
    std::vector<model::NamedTensor> gradients;
    const double at = loss(e, &gradients);
    const auto logits = c.plain().logits(c.plain().hidden(e.x_t, e.image, c.aligned(), e.mask, c.prefix));
    double expected = 0, count = 0;
    for (std::size_t i = 0; i < e.x_t.size(); ++i) {
      if (e.counted[i] == 0) continue;
      double sum = 0;
      for (const double v : logits[i]) sum += std::exp(v);
      expected += std::log(sum) - logits[i][static_cast<std::size_t>(e.x_1[i])], ++count;
    }
    CHECK_NEAR(at, expected / count, 1e-4);
    for (const model::NamedTensor& gradient : gradients) {
      const test::Context context(std::string(kMaskNames[m]) + " " + gradient.name);
      const auto largest = std::max_element(gradient.data.begin(), gradient.data.end(),
                                            [](float a, float b) { return std::abs(a) < std::abs(b); });
      const auto index = static_cast<std::size_t>(largest - gradient.data.begin());
      float& weight = c.source->values(gradient.name)[index];
      const float before = weight, step = 1e-2F;
      weight = before + step;
      const double above = loss(e, nullptr);
      weight = before - step;
      const double below = loss(e, nullptr);
      weight = before;
      CHECK_NEAR((above - below) / (2 * step), *largest, 0.03 * std::abs(*largest) + 1e-4);
    }
  }
}

}  // namespace
