// Mistakes planted in the kernels of the backend themselves (WAM_PLANT in native/kernels): each must be reported by the
// harness, or change the results by far more than the tests of these kernels allow. Without one there is no report.

#include "core/error.h"
#include "test/gpu/attention_support.h"
#include "test/gpu/gemm_problem.h"
#include "test/gpu/path_support.h"
#include "test/policy_reference.h"

namespace wam::test {
namespace {

struct Trial {
  std::vector<float> values;  // empty: an error was thrown
  std::vector<std::string> reports;
};

/// Runs body(), which gives values from a backend of its own, with bug n in the kernels.
template <class Body>
Trial attempt(int n, Body body) {
  struct Planted {
    explicit Planted(int bug) { simt::set_planted_bug(bug); }
    ~Planted() { simt::set_planted_bug(0); }
  };
  Trial trial;
  {
    const Planted planted(n);
    try {
      trial.values = body();
    } catch (const Error&) {
    }
  }
  trial.reports = simt::take_reports();
  return trial;
}

/// A barrier left out or a bound set wrong: reported under every schedule.
template <class Body>
void check_reported(int n, std::initializer_list<const char*> parts, Body body) {
  if (!simt::kReportsMemory) skip("memory is checked by the address sanitizer here");
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    simt::HarnessOptions options = simt::harness_options();
    options.order = order;
    const simt::ScopedOptions scope(options);
    const Context at("bug " + std::to_string(n) + ", order " + std::to_string(static_cast<int>(order)));
    const Trial clean = attempt(0, body), wrong = attempt(n, body);
    CHECK(clean.reports.empty());
    CHECK(!clean.values.empty());
    const Context found(join(wrong.reports));
    CHECK(reported(wrong.reports, parts));
  }
}

/// A wrong index or operand: the results are off by more than `least`.
template <class Body>
void check_different(int n, double least, Body body) {
  const Context at("bug " + std::to_string(n));
  const Trial clean = attempt(0, body), wrong = attempt(n, body);
  const Context found(join(wrong.reports));
  CHECK(clean.reports.empty());
  CHECK(wrong.reports.empty());
  CHECK_EQ(wrong.values.size(), clean.values.size());
  CHECK(!clean.values.empty());
  CHECK(largest_difference(wrong.values, clean.values) > least);
}

/// A refinement step that draws x_1 from the posterior and moves along a line: tokens.
std::vector<float> refine() {
  constexpr int kRows = 6, kVocab = 300;
  const auto backend = gpu_backend();
  const TestMetric metric = line_metric(kVocab, 2.0);
  const std::vector<float> logits = normal_values(kRows * kVocab, 1, 2);
  std::vector<std::int32_t> x_t = uniform_integers(kRows, kVocab, 2), x_1(kRows);
  const std::uint64_t seed = 5;
  {
    CallStaging staging(*backend);
    RefineStep s;
    s.rows = s.logit_rows = kRows, s.slots = 2, s.vocab = s.ldl = kVocab;
    s.decode = DecodeRule::sample, s.rule = StepRule::renoise;
    s.logits = staging.in(logits.data(), logits.size());
    s.seed = staging.in(&seed, 1);
    s.x_1 = staging.out(x_1.data(), x_1.size());
    s.x_t = staging.inout(x_t.data(), x_t.size());
    s.metric = staged(staging, metric);
    s.beta = 6;
    backend->refine_step(s);
    staging.finish();
  }
  std::vector<float> tokens(x_1.begin(), x_1.end());
  tokens.insert(tokens.end(), x_t.begin(), x_t.end());
  return tokens;
}

/// Few queries measure every token, more than 32 go by bounds: tokens.
std::vector<float> nearest(int rows, int vocab) {
  constexpr int kDim = 24;
  const auto backend = simt::make_backend({});
  const auto values = [&](int count, std::uint32_t seed) {
    return DeviceArray<float>(*backend, normal_values(static_cast<std::size_t>(count * kDim), seed));
  };
  const auto query = values(rows, 3), table = values(vocab, 4);
  DeviceArray<std::int32_t> token(*backend, static_cast<std::size_t>(rows));
  backend->nearest_token(rows, vocab, kDim, query.data(), table.data(), false, token.data(), nullptr);
  const std::vector<std::int32_t> tokens = token.get();
  return std::vector<float>(tokens.begin(), tokens.end());
}

/// More columns than a tile has.
std::vector<float> multiply() {
  GemmCase g;
  g.m = 70, g.n = 136, g.k = 40, g.gap = 4, g.bias = g.residual = true;
  return GemmProblem(g).run(*gemm_backend(gpu::Precision::fp32, 1));
}

/// More than two tiles of queries for each tile of keys, so that stages are used again.
std::vector<float> attend_backward() {
  const AttentionCase c = prefix_case(1, 100, 1, 50, 2, 1, 64);
  const AttentionOperands t(c);
  const auto backend = attention_backend(gpu::Precision::bf16);
  DeviceAttention device(*backend, t);
  const Attention a = device.attention();
  backend->attention(a);
  backend->attention_backward(a, device.backward());
  return concatenated({device.dk(), device.dv()});
}

/// Losses and gradients of rows that count, in place of the logits.
std::vector<float> policy_loss() {
  constexpr int kRows = 8, kVocab = 700;
  const auto backend = simt::make_backend({});
  const auto b = make_policy_batch<float>(kRows, kVocab, 0, 2, 1.0f, [](std::size_t n, int seed, double scale) {
    return normal_values(n, static_cast<std::uint32_t>(seed), static_cast<float>(scale));
  });
  DeviceArray<float> logits(*backend, b.logits), reference(*backend, b.reference);
  DeviceArray<float> old(*backend, b.old_log_probability), advantage(*backend, b.advantage);
  DeviceArray<float> weight(*backend, b.weight), loss(*backend, std::vector<float>(kRows));
  DeviceArray<std::int32_t> token(*backend, b.token);
  PolicyLoss p;
  p.rows = kRows, p.vocab = p.ldl = p.ldr = p.lddl = kVocab;
  p.logits = p.dlogits = logits.data(), p.reference = reference.data(), p.kl_beta = 0.1f;
  p.token = token.data(), p.old_log_probability = old.data(), p.advantage = advantage.data();
  p.weight = weight.data(), p.loss = loss.data();
  backend->policy_loss(p);
  return concatenated({loss.get(), logits.get()});
}

}  // namespace

TEST(planted_in_policy_loss) {
  check_reported(9, {"shared", "kernel policy_loss", "native/kernels/policy_loss.cuh:"}, policy_loss);
}

TEST(planted_in_policy_loss_gradient) { check_different(10, 0.02, policy_loss); }

TEST(planted_in_path_update) {
  check_reported(1, {"shared", "kernel refine_row", "native/kernels/path_update.cuh:"}, refine);
}

TEST(planted_in_path_update_random_numbers) { check_different(2, 0.5, refine); }

TEST(planted_in_token_lookup) {
  check_reported(3, {"out-of-bounds global read", "kernel token_scan", "native/kernels/token_distance.cuh:"},
                 [] { return nearest(5, 70); });
}

TEST(planted_in_token_lookup_of_many) {
  check_different(4, 0.5, [] { return nearest(40, 200); });
}

TEST(planted_in_gemm_epilogue) {
  check_reported(5, {"kernel gemm_fp32", "native/kernels/gemm_epilogue.cuh:"}, multiply);
}

TEST(planted_in_gemm_epilogue_bias) { check_different(6, 0.5, multiply); }

TEST(planted_in_attention_backward) {
  check_reported(7, {"kernel attention_backward_dkdv", "native/kernels/attention_"}, attend_backward);
}

TEST(planted_in_attention_backward_delta) { check_different(8, 0.1, attend_backward); }

}  // namespace wam::test
