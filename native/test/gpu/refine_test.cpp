// Refinement steps against their definition in float64, against the tokens of the CPU backend, and against exact laws.
#include "test/gpu/path_support.h"

namespace wam::test {
namespace {

/// A step with its inputs on the host.
struct Step {
  int rows = 1, slots = 1, logit_rows = 1, vocab = 1;
  std::vector<float> logits;  // [logit_rows, vocab]
  TestMetric metric;
  std::vector<std::int32_t> x_t;  // [rows], or empty: decode alone
  RefineStep s;                   // scalars
  bool extras = true;             // log-probability and margin
};

struct Outcome {
  std::vector<std::int32_t> x_1, x_t;
  std::vector<float> log_probability, margin;
  std::vector<std::int32_t> tokens() const {
    std::vector<std::int32_t> all = x_1;
    all.insert(all.end(), x_t.begin(), x_t.end());
    return all;
  }
  /// Everything as bits.
  std::vector<std::int32_t> bits() const {
    std::vector<std::int32_t> all = tokens();
    for (const auto* values : {&log_probability, &margin})
      for (const float v : *values) all.push_back(std::bit_cast<std::int32_t>(v));
    return all;
  }
};

Outcome run(Backend& backend, const Step& step, std::uint64_t seed) {
  const auto rows = static_cast<std::size_t>(step.rows);
  Outcome out{std::vector<std::int32_t>(rows, -7), step.x_t, {}, {}};
  if (step.extras) out.log_probability.assign(rows, 7), out.margin.assign(rows, 7);
  const auto pointer = [](auto& v) { return v.empty() ? nullptr : v.data(); };
  CallStaging staging(backend);
  RefineStep s = step.s;
  s.rows = step.rows, s.slots = step.slots, s.vocab = step.vocab;
  s.logits = staging.in(step.logits.data(), step.logits.size());
  s.ldl = step.vocab, s.logit_rows = step.logit_rows;
  s.seed = staging.in(&seed, 1);
  s.x_1 = staging.out(out.x_1.data(), rows);
  s.x_t = staging.inout(pointer(out.x_t), out.x_t.size());
  s.log_probability = staging.out(pointer(out.log_probability), out.log_probability.size());
  s.margin = staging.out(pointer(out.margin), out.margin.size());
  s.metric = staged(staging, step.metric);
  backend.refine_step(s);
  staging.finish();
  return out;
}

constexpr DecodeRule kDecodes[] = {DecodeRule::argmax, DecodeRule::median, DecodeRule::sample};
constexpr StepRule kRules[] = {StepRule::released, StepRule::integrated, StepRule::renoise};

Step make_step(int rows, int vocab, const TestMetric& metric, std::uint32_t seed) {
  Step step;
  step.rows = step.logit_rows = rows, step.vocab = vocab;
  step.slots = std::max(1, rows / 2);
  step.logits = normal_values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(vocab), seed, 2);
  step.metric = metric;
  step.x_t = uniform_integers(static_cast<std::size_t>(rows), vocab, seed + 1);
  step.s.beta = 6, step.s.step_weight = 2.5f;
  return step;
}

Philox4 numbers(const Step& step, std::uint64_t seed, int row, RandomUse use) {
  const bool shared = use == RandomUse::posterior_draw && step.s.coupled > 0;
  const int slot = shared ? row % step.slots % step.s.coupled : row % step.slots;
  return RandomStream(seed).at(step.s.step, static_cast<std::uint32_t>(slot),
                               static_cast<std::uint32_t>(row / step.slots), use);
}

/// Decisions of `got` that float64 does not allow, with some room around boundaries; *worst_log: the greatest error of
/// a log-probability, relative beyond 1.
long wrong_rows(const Step& step, std::uint64_t seed, const Outcome& got, double* worst_log) {
  long wrong = 0;
  for (int row = 0; row < step.rows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    const float* logits = step.logits.data() + static_cast<std::ptrdiff_t>(row % step.logit_rows) * step.vocab;
    const int x_1 = got.x_1[at];
    if (x_1 < 0 || x_1 >= step.vocab) {
      ++wrong;
      continue;
    }
    const bool samples = step.s.decode == DecodeRule::sample && step.s.temperature > 0;
    const double draw = unit_uniform(numbers(step, seed, row, RandomUse::posterior_draw).word[0]);
    if (samples) {
      wrong += !chosen(posterior(logits, step.vocab, step.s.temperature, cut_at(logits, step.vocab, step.s.top_k)),
                       draw, x_1);
    } else if (step.s.decode == DecodeRule::median) {
      wrong += !chosen(posterior(logits, step.vocab), 0.5, x_1, 1e-6);
    } else {
      wrong += x_1 != std::max_element(logits, logits + step.vocab) - logits;
    }
    if (step.extras) {
      const double log_p = std::log(posterior(logits, step.vocab)[static_cast<std::size_t>(x_1)]);
      *worst_log = std::max(*worst_log, std::abs(got.log_probability[at] - log_p) / (1 + std::abs(log_p)));
      std::vector<float> sorted(logits, logits + step.vocab);
      std::sort(sorted.begin(), sorted.end(), std::greater<float>());
      wrong += got.margin[at] != (step.vocab < 2 ? 0 : sorted[0] - sorted[1]);
    }
    if (step.x_t.empty()) continue;

    const bool renoise = step.s.rule == StepRule::renoise;
    const Philox4 r = numbers(step, seed, row, renoise ? RandomUse::renoise : RandomUse::jump);
    const double jump = unit_uniform(r.word[0]), where = unit_uniform(r.word[1]);
    const int before = step.x_t[at], after = got.x_t[at];
    if (step.s.mixture) {
      const int fresh =
          step.s.source >= 0
              ? step.s.source
              : std::min(static_cast<int>(unit_uniform(r.word[1]) * static_cast<float>(step.vocab)), step.vocab - 1);
      wrong += after != (jump < step.s.mixture_jump ? x_1 : renoise ? fresh : before);
      continue;
    }
    if (renoise) {
      wrong += !chosen(step.metric.probability(x_1, step.s.beta), where, after);
      continue;
    }
    const auto rates = step.metric.rates(before, x_1, step.s.beta, step.s.step_weight);
    const double probability = -std::expm1(-std::accumulate(rates.begin(), rates.end(), 0.0));
    const bool may_stay = jump >= probability - 1e-5, may_jump = jump < probability + 1e-5;
    wrong += !((may_stay && after == before) || (may_jump && chosen(rates, where, after)));
  }
  return wrong;
}

std::string name(const Step& step) {
  return "rows=" + std::to_string(step.rows) + " vocab=" + std::to_string(step.vocab) +
         " power=" + std::to_string(step.metric.power) + " decode=" + std::to_string(static_cast<int>(step.s.decode)) +
         " rule=" + std::to_string(static_cast<int>(step.s.rule)) + (step.s.mixture ? " mixture" : "") +
         " coupled=" + std::to_string(step.s.coupled);
}

TEST(gpu_refine_steps_match_their_definition) {
  const auto gpu = gpu_backend();
  double worst_log = 0;
  for (const int vocab : {1, 2, 63, 64, 65, 401, 20001}) {
    for (const int rows : {1, 5, 24}) {
      if (vocab == 20001 && rows != 5) continue;
      int variant = 0;
      for (const DecodeRule decode : kDecodes) {
        for (const StepRule rule : kRules) {
          constexpr double kPowers[] = {1, 2, 4, 1.5};
          Step step =
              make_step(rows, vocab, line_metric(vocab, kPowers[variant % 4]), 40u + static_cast<unsigned>(variant));
          step.slots = std::max(1, rows / 2), step.s.coupled = variant % 5;
          step.s.decode = decode, step.s.rule = rule, step.s.step = 3;
          step.s.temperature = variant % 2 == 0 ? 1 : 0.7f;
          step.s.top_k = variant % 3 == 0 ? 0 : 5;
          step.s.beta = variant % 2 == 0 ? 4 : 300;
          ++variant;
          for (const bool mixture : {false, true}) {
            step.s.mixture = mixture, step.s.mixture_jump = 0.4;
            step.s.source = variant % 4 == 0 ? vocab : -1;
            const Context at(name(step));
            CHECK_EQ(wrong_rows(step, 99, run(*gpu, step, 99), &worst_log), 0);
          }
        }
      }
    }
  }
  CHECK(worst_log < 5e-7);
  std::printf("  refine: log-probabilities within %.2g (1 + |log p|)\n", worst_log);
  check_no_reports();
}

TEST(gpu_refine_steps_are_the_same_under_every_schedule) {
  for (const int vocab : {65, 401, 3000}) {
    for (const DecodeRule decode : kDecodes) {
      Step step = make_step(5, vocab, line_metric(vocab, 1), 50);
      step.s.decode = decode, step.s.top_k = 7, step.s.temperature = 0.8f;
      step.s.rule = decode == DecodeRule::median ? StepRule::renoise : StepRule::integrated;
      const Context at(name(step));
      const auto bits = same_under_each_schedule([&] { return run(*gpu_backend(), step, 5).bits(); });
      CHECK_EQ(bits.size(), 20u);
    }
  }
}

TEST(gpu_refine_steps_take_the_tokens_of_the_cpu) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  long differing = 0, decisions = 0, wrong = 0;
  double worst = 0;
  int variant = 0;
  for (const int vocab : {65, 401}) {
    for (const DecodeRule decode : kDecodes) {
      for (const StepRule rule : kRules) {
        constexpr double kPowers[] = {1, 4, 2, 1.5};
        Step step =
            make_step(24, vocab, line_metric(vocab, kPowers[variant % 4]), 60u + static_cast<unsigned>(variant));
        step.slots = 8;
        step.s.decode = decode, step.s.rule = rule, step.s.coupled = variant % 2 == 0 ? 0 : 3;
        step.s.temperature = variant % 2 == 0 ? 1 : 1.3f, step.s.top_k = variant % 3 == 1 ? 9 : 0;
        ++variant;
        const Context at(name(step));
        for (std::uint64_t seed = 0; seed < 12; ++seed) {  // of 18 variants: 10,368 tokens
          const Outcome a = run(*gpu, step, seed), b = run(*cpu, step, seed);
          for (std::size_t i = 0; i < 24; ++i) {
            decisions += 2;
            differing += (a.x_1[i] != b.x_1[i]) + (a.x_t[i] != b.x_t[i]);
          }
          wrong += wrong_rows(step, seed, a, &worst);
          CHECK_ALL_NEAR(a.log_probability.data(), b.log_probability.data(), 24, 3e-7);
          CHECK_SAME_BITS(a.margin.data(), b.margin.data(), 24);
        }
      }
    }
  }
  // Without fused multiply-add on the CPU, draws within float rounding of a boundary may go either way.
  CHECK(differing <= (cpu_rounds_alike() ? 0 : decisions / 2000));
  CHECK_EQ(wrong, 0);
  std::printf("  refine: %ld of %ld tokens differ from the CPU's\n", differing, decisions);
  check_no_reports();
}

TEST(gpu_refine_steps_of_a_table_take_the_tokens_of_the_cpu) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  long differing = 0;
  double worst = 0;
  for (const StepRule rule : kRules) {
    Step step = make_step(24, 130, table_metric(130, 20), 70);
    step.slots = 8;
    step.s.decode = DecodeRule::sample, step.s.rule = rule, step.s.beta = 0.7f;
    const Context at(name(step));
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const Outcome a = run(*gpu, step, seed), b = run(*cpu, step, seed);
      differing += a.tokens() != b.tokens();
      CHECK_EQ(wrong_rows(step, seed, a, &worst), 0);
    }
  }
  CHECK(differing <= (cpu_rounds_alike() ? 0 : 1));
  check_no_reports();
}

TEST(gpu_shared_logits_give_each_row_its_own_random_numbers) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  Step step = make_step(24, 401, line_metric(401, 1), 80);
  step.slots = 4, step.logit_rows = 4;
  step.s.decode = DecodeRule::sample;
  const Outcome shared = run(*gpu, step, 3);
  Step repeated = step;
  repeated.logit_rows = 24;
  repeated.logits.clear();
  for (int row = 0; row < 24; ++row) {
    const auto first = step.logits.begin() + row % 4 * 401;
    repeated.logits.insert(repeated.logits.end(), first, first + 401);
  }
  CHECK(shared.bits() == run(*gpu, repeated, 3).bits());
  if (cpu_rounds_alike()) CHECK(shared.tokens() == run(*cpu, step, 3).tokens());
  check_no_reports();
}

TEST(gpu_rows_split_over_blocks_give_the_bits_of_rows_in_one_block) {
  const auto cpu = cpu_backend();
  double worst = 0;
  // More than 32,768 tokens may be split; from 131,073 tokens on a chunk holds two blocks of 64.
  for (const int vocab : {40001, 131201}) {
    Step step = make_step(2, vocab, line_metric(vocab, 1), 90);
    step.s.beta = 50;
    step.logits[static_cast<std::size_t>(vocab) - 1] = step.logits[11];
    // One multiprocessor is filled by two rows: no split.
    const auto on = [&](int multiprocessors) {
      simt::HarnessOptions options = simt::harness_options();
      options.multiprocessors = multiprocessors;
      const simt::ScopedOptions scope(options);
      return run(*gpu_backend(), step, 4);
    };
    for (const DecodeRule decode : kDecodes) {
      for (const int top_k : {0, 1, 50}) {
        if (decode != DecodeRule::sample && (top_k != 0 || vocab > 40001)) continue;
        step.s.decode = decode, step.s.top_k = top_k, step.s.temperature = top_k == 50 ? 0.9f : 1;
        const Context at(name(step) + " top_k=" + std::to_string(top_k));
        const Outcome one = on(1);
        CHECK_EQ(wrong_rows(step, 4, one, &worst), 0);
        for (const int multiprocessors : {2, 60}) CHECK(on(multiprocessors).bits() == one.bits());
        if (cpu_rounds_alike()) CHECK(one.tokens() == run(*cpu, step, 4).tokens());
      }
    }
    if (vocab == 40001) same_under_each_schedule([&] { return on(4).bits(); });
  }
}

TEST(gpu_logits_without_order_or_weight_give_a_token_of_the_vocabulary) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  const std::vector<std::vector<float>> rows = {{-kInfinite, 1, -kInfinite, 2},
                                                {kNan, 1, kNan, 2},
                                                {kNan, kNan, kNan, kNan},
                                                {0, kInfinite, 0, kInfinite},
                                                {-kInfinite, -kInfinite, -kInfinite, -kInfinite}};
  for (const DecodeRule decode : kDecodes) {
    for (const int top_k : {0, 1, 2}) {
      for (const double temperature : {1.0, 0.0, 1e-45}) {
        Step step = make_step(5, 4, line_metric(4, 1), 1);
        step.logits.clear();
        for (const auto& row : rows) step.logits.insert(step.logits.end(), row.begin(), row.end());
        step.s.decode = decode, step.s.top_k = top_k, step.s.temperature = static_cast<float>(temperature);
        const Context at(name(step) + " top_k=" + std::to_string(top_k) +
                         " temperature=" + std::to_string(temperature));
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
          const Outcome a = run(*gpu, step, seed), b = run(*cpu, step, seed);
          for (std::size_t i = 0; i < 5; ++i) {
            CHECK(a.x_1[i] >= 0 && a.x_1[i] < 4);
            CHECK_EQ(a.x_1[i], b.x_1[i]);
            CHECK_EQ(a.x_t[i], b.x_t[i]);
          }
          CHECK(a.x_1[0] % 2 == 1 && a.x_1[1] % 2 == 1);  // the only tokens with a weight are 1 and 3
        }
      }
    }
  }
  check_no_reports();
}

TEST(gpu_ties_at_the_last_of_top_k_all_stay) {
  const auto gpu = gpu_backend();
  Step step = make_step(64, 5, line_metric(5, 1), 2);
  step.slots = 64, step.logit_rows = 1, step.x_t.clear();
  step.logits = {2, 5, 1, 2, 2};
  step.s.decode = DecodeRule::sample, step.s.top_k = 2, step.s.temperature = 8;
  std::vector<bool> seen(5);
  for (const int token : run(*gpu, step, 1).x_1) seen[static_cast<std::size_t>(token)] = true;
  CHECK((seen == std::vector<bool>{true, true, false, true, true}));
  // And among many, some of them equal at the cut, zeros of both signs among them.
  for (const int top_k : {1, 2, 30, 64, 299, 300}) {
    Step many = make_step(5, 300, line_metric(300, 1), 3);
    for (float& l : many.logits) l = std::round(2 * l) / 2;
    many.s.decode = DecodeRule::sample, many.s.top_k = top_k;
    const Context at("top_k=" + std::to_string(top_k));
    double worst = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) CHECK_EQ(wrong_rows(many, seed, run(*gpu, many, seed), &worst), 0);
  }
  check_no_reports();
}

TEST(gpu_extreme_steps_stay_defined_and_agree_with_the_cpu) {
  const auto gpu = gpu_backend(), cpu = cpu_backend();
  for (const float beta : {0.0f, 1e-30f, 1e30f, kInfinite}) {
    for (const float weight : {0.0f, 1.0f, kInfinite}) {
      for (const StepRule rule : kRules) {
        Step step = make_step(5, 65, line_metric(65, 1), 4);
        step.x_t[0] = 20, step.x_t[1] = 21;  // equal coordinates
        step.logits[20] = 30, step.logits[65 + 20] = 30;
        step.s.beta = beta, step.s.step_weight = weight, step.s.rule = rule;
        const Context at(name(step) + " beta=" + std::to_string(beta) + " weight=" + std::to_string(weight));
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
          const Outcome a = run(*gpu, step, seed), b = run(*cpu, step, seed);
          CHECK(a.tokens() == b.tokens());
          if (rule != StepRule::renoise) CHECK_EQ(a.x_t[0], 20);  // as near as can be: stays
          for (const int token : a.x_t) CHECK(token >= 0 && token < 65);
        }
      }
    }
  }
  check_no_reports();
}

TEST(gpu_frequencies_of_refine_steps_follow_the_law) {
  // All rows share one row of logits and stand at one token: x_1 ~ posterior, x_t marginalised over x_1.
  const int vocab = 17, from = 3, rows = 2048, seeds = 3;
  const auto gpu = gpu_backend();
  for (const StepRule rule : {StepRule::integrated, StepRule::renoise}) {
    Step step = make_step(rows, vocab, line_metric(vocab, 1), 5);
    step.slots = 32, step.logit_rows = 1, step.extras = false;
    step.logits = normal_values(vocab, 6);
    step.x_t.assign(rows, from);
    step.s.decode = DecodeRule::sample, step.s.rule = rule, step.s.beta = 2, step.s.step_weight = 1.2f;
    const auto p = posterior(step.logits.data(), vocab);
    std::vector<double> moved(vocab, 0.0);
    for (int x_1 = 0; x_1 < vocab; ++x_1) {
      auto law = rule == StepRule::renoise ? step.metric.probability(x_1, step.s.beta)
                                           : step.metric.rates(from, x_1, step.s.beta, step.s.step_weight);
      if (rule != StepRule::renoise) {
        const double total = std::accumulate(law.begin(), law.end(), 0.0), jumps = -std::expm1(-total);
        for (double& v : law) v *= total > 0 ? jumps / total : 0;
        law[from] += 1 - jumps;
      }
      for (std::size_t v = 0; v < law.size(); ++v) moved[v] += p[static_cast<std::size_t>(x_1)] * law[v];
    }
    std::vector<double> count_1(vocab, 0.0), count_t(vocab, 0.0);
    for (int seed = 0; seed < seeds; ++seed) {
      const Outcome got = run(*gpu, step, 1000u + static_cast<unsigned>(seed));
      for (const int token : got.x_1) count_1[static_cast<std::size_t>(token)] += 1;
      for (const int token : got.x_t) count_t[static_cast<std::size_t>(token)] += 1;
    }
    const double draws = rows * seeds;
    for (std::size_t v = 0; v < vocab; ++v) {
      CHECK_NEAR(count_1[v] / draws, p[v], 5 * std::sqrt(p[v] * (1 - p[v]) / draws) + 1e-9);
      CHECK_NEAR(count_t[v] / draws, moved[v], 5 * std::sqrt(moved[v] * (1 - moved[v]) / draws) + 1e-9);
    }
  }
  check_no_reports();
}

TEST(gpu_replayed_steps_read_the_seed_anew) {
  const auto gpu = gpu_backend();
  for (const bool table : {false, true}) {
    Step step = make_step(5, 65, table ? table_metric(65, 6) : line_metric(65, 1), 8);
    step.s.decode = DecodeRule::sample, step.s.beta = 1;
    CallStaging staging(*gpu);
    RefineStep s = step.s;
    s.rows = 5, s.slots = step.slots, s.vocab = s.ldl = 65, s.logit_rows = 5;
    s.logits = staging.in(step.logits.data(), step.logits.size());
    DeviceArray<std::uint64_t> seed(*gpu, 1);
    DeviceArray<std::int32_t> x_1(*gpu, 5), x_t(*gpu, 5);
    s.seed = seed.data(), s.x_1 = x_1.data(), s.x_t = x_t.data();
    s.metric = staged(staging, step.metric);
    for (std::uint64_t n = 0; n < 4; ++n) {
      seed.set({n});
      x_t.set(step.x_t);
      gpu->replay(table ? 1 : 2, [&] { gpu->refine_step(s); });
      const Outcome direct = run(*gpu, step, n);
      CHECK(x_1.get() == direct.x_1);
      CHECK(x_t.get() == direct.x_t);
    }
  }
  check_no_reports();
}

}  // namespace
}  // namespace wam::test
