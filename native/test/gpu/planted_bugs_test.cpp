// Mutation tests: each mistake that one makes in such kernels must be noticed, by the harness or by the values, and the
// kernel without it must pass.

#include <algorithm>

#include "simt/runtime.h"
#include "test/gpu/gpu_support.h"
#include "test/gpu/planted/attention_bugs.h"

using namespace wam;
using namespace wam::simt;

namespace {

constexpr int kDim = AttentionBugConfig::kDim;

/// Sizes that straddle the tiles (32 queries, 16 keys), with at least three tiles of keys: with two, nothing is written
/// over. The last head's last row ends the buffer.
struct Problem {
  int heads = 2, queries = 41, keys = 3 * 16 + 5;
  std::vector<bf16> q, k, v;
  std::vector<double> o, lse;

  Problem() {
    const auto fill = [](std::size_t rows, std::uint32_t seed) {
      std::vector<bf16> to;
      for (const float x : test::normal_values(rows * kDim, seed)) to.push_back(from_float<bf16>(x));
      return to;
    };
    const auto nq = static_cast<std::size_t>(queries), nk = static_cast<std::size_t>(keys);
    const auto h = static_cast<std::size_t>(heads);
    q = fill(h * nq, 1);
    k = fill(h * nk, 2);
    v = fill(h * nk, 3);
    o.resize(q.size());
    lse.resize(h * nq);
    for (std::size_t row = 0; row < h * nq; ++row) {
      const std::size_t first = row / nq * nk;
      std::vector<double> score(nk);
      for (std::size_t j = 0; j < nk; ++j) {
        for (std::size_t d = 0; d < kDim; ++d) {
          score[j] += static_cast<double>(to_float(q[row * kDim + d])) *
                      static_cast<double>(to_float(k[(first + j) * kDim + d]));
        }
        score[j] /= std::sqrt(static_cast<double>(kDim));
      }
      const double most = *std::max_element(score.begin(), score.end());
      double sum = 0;
      for (double& s : score) sum += s = std::exp(s - most);
      lse[row] = most + std::log(sum);
      for (std::size_t j = 0; j < nk; ++j) {
        for (std::size_t d = 0; d < kDim; ++d) {
          o[row * kDim + d] += score[j] / sum * static_cast<double>(to_float(v[(first + j) * kDim + d]));
        }
      }
    }
  }
};

double worst(const std::vector<float>& got, const std::vector<double>& expected) {
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double off = std::abs(static_cast<double>(got[i]) - expected[i]);
    most = std::isnan(off) ? HUGE_VAL : std::max(most, off);
  }
  return most;
}

struct Outcome {
  std::vector<std::string> reports;
  double o_error = 0, lse_error = 0;
  std::vector<float> o;
};

Outcome attend(const Problem& problem, AttentionBug bug) {
  const auto device = [](const void* host, std::size_t bytes) {
    void* memory = nullptr;
    CHECK_EQ(cudaMalloc(&memory, bytes), cudaSuccess);
    if (host != nullptr) CHECK_EQ(cudaMemcpy(memory, host, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return memory;
  };
  AttentionBugParams p;
  p.q = static_cast<const bf16*>(device(problem.q.data(), problem.q.size() * 2));
  p.k = static_cast<const bf16*>(device(problem.k.data(), problem.k.size() * 2));
  p.v = static_cast<const bf16*>(device(problem.v.data(), problem.v.size() * 2));
  p.o = static_cast<float*>(device(nullptr, problem.o.size() * 4));
  p.lse = static_cast<float*>(device(nullptr, problem.lse.size() * 4));
  p.queries = problem.queries;
  p.keys = problem.keys;
  p.bug = bug;
  const std::size_t shared = AttentionBugConfig::kSharedBytes - (bug == AttentionBug::shared_too_small ? 64 : 0);
  const dim3 grid(static_cast<unsigned>((problem.queries + AttentionBugConfig::kRows - 1) / AttentionBugConfig::kRows),
                  static_cast<unsigned>(problem.heads));
  CHECK_EQ(
      launch_kernel(nullptr, "attention_with_bug", attention_with_bug, grid, AttentionBugConfig::kThreads, shared, p),
      cudaSuccess);
  Outcome outcome;
  outcome.reports = take_reports();
  outcome.o.resize(problem.o.size());
  std::vector<float> lse(problem.lse.size());
  CHECK_EQ(cudaMemcpy(outcome.o.data(), p.o, outcome.o.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
  CHECK_EQ(cudaMemcpy(lse.data(), p.lse, lse.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
  outcome.o_error = worst(outcome.o, problem.o);
  outcome.lse_error = worst(lse, problem.lse);
  for (const void* memory :
       {static_cast<const void*>(p.q), static_cast<const void*>(p.k), static_cast<const void*>(p.v),
        static_cast<const void*>(p.o), static_cast<const void*>(p.lse)}) {
    CHECK_EQ(cudaFree(const_cast<void*>(memory)), cudaSuccess);
  }
  return outcome;
}

template <class Body>
void schedules(Body body) {
  for (const Order order : {Order::forward, Order::reverse, Order::random}) {
    for (const bool lazy : {true, false}) {
      HarnessOptions options;
      options.order = order;
      options.lazy_copies = lazy;
      options.seed = 11;
      const ScopedOptions scope(options);
      const test::Context at("order " + std::to_string(static_cast<int>(order)) + (lazy ? ", late" : ", early"));
      body();
    }
  }
}

// A plain bf16 attention is off by 3e-3 here; lse comes from float sums.
constexpr double kOTolerance = 1e-2, kLseTolerance = 1e-5;

}  // namespace

TEST(planted_attention_without_a_bug_is_clean) {
  const Problem problem;
  std::vector<float> first;
  schedules([&] {
    const Outcome got = attend(problem, AttentionBug::none);
    const test::Context at(test::join(got.reports));
    CHECK(got.reports.empty());
    CHECK(got.o_error < kOTolerance);
    CHECK(got.lse_error < kLseTolerance);
    if (first.empty()) first = got.o;
    CHECK_SAME_BITS(got.o.data(), first.data(), first.size());
  });
}

TEST(planted_attention_bugs_are_reported) {
  if (!kReportsMemory) test::skip("memory is checked by the address sanitizer here");
  const struct {
    AttentionBug bug;
    const char* report;
  } expected[] = {
      // The next tile's copy over one that another warp still reads, whichever of the two the schedule lets be first.
      {AttentionBug::no_barrier_before_reuse, "cp.async in flight"},
      {AttentionBug::no_barrier_after_wait, "race in shared memory"},
      {AttentionBug::load_one_key_more, "out-of-bounds global read"},
      {AttentionBug::missing_wait, "read of bytes of a cp.async in flight"},
      {AttentionBug::warp_skips_barrier, "divergent barrier"},
      {AttentionBug::shuffle_in_branch, "divergent warp collective"},
      {AttentionBug::shared_too_small, "out-of-bounds shared write"},
      {AttentionBug::store_one_row_more, "out-of-bounds global write"},
  };
  const Problem problem;
  for (const auto& e : expected) {
    schedules([&] {
      const Outcome got = attend(problem, e.bug);
      const test::Context at("bug " + std::to_string(static_cast<int>(e.bug)) + ": " +
                             (got.reports.empty() ? "no reports" : got.reports.front()));
      const bool race = e.bug == AttentionBug::no_barrier_before_reuse &&
                        test::reported(got.reports, {"write-after-read race in shared memory"});
      CHECK(race || test::reported(got.reports, {e.report}));
      CHECK(test::reported(got.reports, {"kernel attention_with_bug"}));
    });
  }
}

TEST(planted_attention_bugs_that_only_values_show) {
  const Problem problem;
  schedules([&] {
    const Outcome swapped = attend(problem, AttentionBug::swapped_fragment);
    CHECK(swapped.reports.empty());
    CHECK(swapped.o_error > 10 * kOTolerance);
    // A zero key too many is lost in O's rounding: lse must be compared as well, and closely.
    const Outcome mask = attend(problem, AttentionBug::mask_one_key_more);
    CHECK(mask.reports.empty());
    CHECK(mask.lse_error > 100 * kLseTolerance);
  });
}
