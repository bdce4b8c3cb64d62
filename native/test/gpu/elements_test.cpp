// Element operations, optimiser, reductions and random numbers of the GPU backend against float64.
#include <cmath>
#include <cstdio>

#include "cuda/cuda_backend_impl.h"
#include "cuda/random_launch.h"
#include "kernels/reduce.cuh"
#include "test/gpu/operands.h"

namespace wam::test {
namespace {

// Around 4 of a thread and 1024 of a block.
const std::size_t kSizes[] = {1, 3, 4, 5, 1023, 1024, 1025, 3077};

/// Random values with the tails and zeros of an activation among them.
std::vector<float> activation_inputs(std::size_t n, std::uint32_t seed) {
  std::vector<float> x = normal_values(n, seed, 3);
  const float some[] = {0.0f, -0.0f, 1e-20f, -1e-6f, 5.5f,   -5.5f, -6.5f,
                        9.0f, -9.0f, -14.0f, 40.0f,  -90.0f, 3e4f,  -3e4f};
  std::size_t at = 0;
  for (const float v : some) {
    if (at < n) x[at] = v;
    at += 5;
  }
  return x;
}

double cubic(double x) { return std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
double reference_activation(Activation kind, double x) {
  if (kind == Activation::gelu_erf) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (kind == Activation::gelu_tanh) return x / (1 + std::exp(-2 * cubic(x)));
  return x;
}
double reference_slope(Activation kind, double x) {
  if (kind == Activation::gelu_erf)
    return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
  if (kind == Activation::gelu_tanh) {
    const double s = 1 / (1 + std::exp(-2 * cubic(x))), rest = 1 / (1 + std::exp(2 * cubic(x)));
    return s + x * s * rest * 2 * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  }
  return 1;
}
constexpr Activation kActivations[] = {Activation::none, Activation::gelu_erf, Activation::gelu_tanh};

TEST(gpu_activation) {
  double worst = 0, worst_slope = 0;
  for (const Activation kind : kActivations) {
    for (const std::size_t n : kSizes) {
      const Context at("kind " + std::to_string(static_cast<int>(kind)) + " n " + std::to_string(n));
      const std::vector<float> x = activation_inputs(n, 61), dy = normal_values(n, 62);
      std::vector<double> y, dx;
      for (std::size_t i = 0; i < n; ++i) {
        y.push_back(reference_activation(kind, x[i]));
        dx.push_back(dy[i] * reference_slope(kind, x[i]));
      }
      const auto forward = [&](Backend& b, Operands& o) {
        float* in = o.put(x);
        float* out = n % 2 == 0 ? in : o.put(std::vector<float>(n));
        b.activation(kind, static_cast<std::int64_t>(n), in, out);
        return o.get(out, n);
      };
      worst = std::max(worst, check_in_all_orders(forward, y, 4e-7));
      const auto backward = [&](Backend& b, Operands& o) {
        float* d = o.put(dy);
        float* out = n % 2 == 0 ? d : o.put(std::vector<float>(n));
        b.activation_backward(kind, static_cast<std::int64_t>(n), o.put(x), d, out);
        return o.get(out, n);
      };
      worst_slope = std::max(worst_slope, check_in_all_orders(backward, dx, 1e-6));
    }
  }
  std::printf("activation: worst error %.2g, of the derivative %.2g\n", worst, worst_slope);
}

TEST(gpu_swiglu) {
  struct Case {
    int rows, cols, gap;
  };
  double worst = 0;
  for (const Case& c : {Case{1, 1, 0}, {3, 5, 2}, {7, 64, 0}, {5, 1030, 3}, {40, 36, 4}, {9, 260, 1}}) {
    const Context at(std::to_string(c.rows) + "x" + std::to_string(c.cols));
    // Gate and up are halves of one matrix, as the projection gives them.
    const int ld = 2 * c.cols + c.gap;
    const auto cols = static_cast<std::size_t>(c.cols), size = static_cast<std::size_t>(c.rows) * cols;
    std::vector<float> both = normal_values(static_cast<std::size_t>(c.rows - 1) * ld + 2 * cols, 63, 4);
    both[0] = 95, both[both.size() - 1] = -20;
    if (c.cols > 4) both[3] = -95;
    const std::vector<float> dy = normal_values(size, 64);
    std::vector<double> y(size), d = as_doubles(both);
    for (int r = 0; r < c.rows; ++r) {
      for (int j = 0; j < c.cols; ++j) {
        const std::size_t i = static_cast<std::size_t>(r * c.cols + j), gate = static_cast<std::size_t>(r * ld + j);
        const double g = both[gate], u = both[gate + cols], s = 1 / (1 + std::exp(-g));
        y[i] = g * s * u;
        d[gate] = dy[i] * u * s * (1 + g / (1 + std::exp(g)));
        d[gate + cols] = dy[i] * g * s;
      }
    }
    const auto forward = [&](Backend& b, Operands& o) {
      const float* in = o.put(both);
      float* out = o.put(std::vector<float>(size));
      b.swiglu(c.rows, c.cols, in, ld, in + c.cols, ld, out);
      return o.get(out, size);
    };
    worst = std::max(worst, check_in_all_orders(forward, y, 5e-7));
    const auto backward = [&](Backend& b, Operands& o) {
      float* in = o.put(both);
      b.swiglu_backward(c.rows, c.cols, in, ld, in + c.cols, ld, o.put(dy), in, ld, in + c.cols, ld);
      return o.get(in, both.size());
    };
    worst = std::max(worst, check_in_all_orders(backward, d, 1e-6));
  }
  std::printf("swiglu: worst error %.2g\n", worst);
}

TEST(gpu_axpy_fill_and_ema) {
  for (const std::size_t n : kSizes) {
    const Context at("n " + std::to_string(n));
    const std::vector<float> x = normal_values(n, 65), y = normal_values(n, 66);
    std::vector<double> sum, mean;
    for (std::size_t i = 0; i < n; ++i) {
      sum.push_back(std::fma(-0.75f, x[i], y[i]));
      mean.push_back(0.9f * static_cast<double>(y[i]) + (1 - static_cast<double>(0.9f)) * x[i]);
    }
    const auto count = static_cast<std::int64_t>(n);
    check_in_all_orders(
        [&](Backend& b, Operands& o) {
          float* out = o.put(y);
          b.axpy(count, -0.75f, o.put(x), out);
          return o.get(out, n);
        },
        sum, 0);
    check_in_all_orders(
        [&](Backend& b, Operands& o) {
          float* out = o.put(y);
          b.fill(count, 1.5f, out);
          return o.get(out, n);
        },
        std::vector<double>(n, 1.5), 0);
    check_in_all_orders(
        [&](Backend& b, Operands& o) {
          float* out = o.put(y);
          b.ema(count, 0.9f, o.put(x), out);
          return o.get(out, n);
        },
        mean, 1e-7);
  }
}

TEST(gpu_dropout_draws_the_documented_numbers) {
  const RandomStream stream(0x123456789abcdefull);
  for (const float p : {0.0f, 0.1f, 0.5f, 0.999f}) {
    for (const std::size_t n : kSizes) {
      const Context at("p " + std::to_string(p) + " n " + std::to_string(n));
      const std::vector<float> x = normal_values(n, 67);
      std::vector<float> expected(n);
      for (std::size_t i = 0; i < n; ++i) {
        const auto group = static_cast<std::uint64_t>(i / 4);
        const Philox4 r = stream.at(static_cast<std::uint32_t>(group), static_cast<std::uint32_t>(group >> 32), 17,
                                    RandomUse::train_dropout);
        expected[i] = x[i] * (unit_uniform(r.word[i % 4]) >= p ? 1 / (1 - p) : 0.0f);
      }
      const std::vector<float> result = compute_in_all_orders([&](Backend& b, Operands& o) {
        float* in = o.put(x);
        float* out = n % 2 == 0 ? in : o.put(std::vector<float>(n));
        b.dropout(static_cast<std::int64_t>(n), p, stream, 17, in, out);
        return o.get(out, n);
      });
      CHECK_SAME_BITS(result.data(), expected.data(), n);
    }
  }
}

TEST(gpu_sum_squares) {
  double worst = 0;
  // Around 8192 of a block; more than 256 blocks would take long here, three and a rest show the second pass.
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{1025}, std::size_t{8191},
                              std::size_t{8192}, std::size_t{8193}, std::size_t{27001}}) {
    const Context at("n " + std::to_string(n));
    std::vector<float> x = normal_values(n, 68);
    for (std::size_t i = 0; i < n; i += 7) x[i] *= 1e6f;  // what a float sum would lose the rest in
    long double sum = 0;
    for (const float v : x) sum += static_cast<long double>(v) * v;
    double result = 0;
    compute_in_all_orders([&](Backend& b, Operands& o) {
      result = b.sum_squares(static_cast<std::int64_t>(n), o.put(x));
      return std::vector<float>{static_cast<float>(result), static_cast<float>(result - static_cast<double>(sum))};
    });
    const double error = sum == 0 ? std::abs(result) : std::abs(static_cast<double>(result / sum - 1));
    CHECK_NEAR(error, 0, 1e-14);
    worst = std::max(worst, error);
  }
  std::printf("sum of squares: worst relative error %.2g\n", worst);
}

TEST(gpu_sum_of_many_partial_sums) {
  // 300 blocks, so that the second pass takes more than one number a thread.
  const std::size_t n = 300 * 8192 - 5;
  const std::vector<float> x = normal_values(n, 69);
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  const std::unique_ptr<Backend> backend = simt::make_backend({});
  Operands o(*backend, 0);
  CHECK_NEAR(backend->sum_squares(static_cast<std::int64_t>(n), o.put(x)) / sum, 1, 1e-12);
  check_no_reports();
}

TEST(gpu_adamw) {
  const float lr = 1e-3f, beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f, decay = 0.1f, scale = 0.5f;
  double worst = 0;
  for (const std::int64_t step : {std::int64_t{1}, std::int64_t{2}, std::int64_t{1000}}) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{1023}, std::size_t{1030}}) {
      const Context at("step " + std::to_string(step) + " n " + std::to_string(n));
      const std::vector<float> w = normal_values(n, 71), g = normal_values(n, 72);
      std::vector<float> m(n), v(n);  // zeros at the first step
      if (step > 1) m = normal_values(n, 73, 0.1f), v = normal_values(n, 74, 0.1f);
      for (float& value : v) value *= value;
      std::vector<double> expected, dm, dv;
      for (std::size_t i = 0; i < n; ++i) {
        const double b1 = beta1, b2 = beta2, grad = static_cast<double>(g[i]) * scale;
        const double mean = b1 * m[i] + (1 - b1) * grad, square = b2 * v[i] + (1 - b2) * grad * grad;
        const double m_hat = mean / (1 - std::pow(b1, static_cast<double>(step)));
        const double v_hat = square / (1 - std::pow(b2, static_cast<double>(step)));
        const double rate = lr, weight = w[i];
        expected.push_back(weight - rate * decay * weight -
                           rate * m_hat / (std::sqrt(v_hat) + static_cast<double>(eps)));
        dm.push_back(mean), dv.push_back(square);
      }
      append_to(expected, dm);
      append_to(expected, dv);
      const auto compute = [&](Backend& b, Operands& o) {
        float *pw = o.put(w), *pm = o.put(m), *pv = o.put(v);
        b.adamw(static_cast<std::int64_t>(n), pw, o.put(g), pm, pv, lr, beta1, beta2, eps, decay, step, scale);
        std::vector<float> out = o.get(pw, n);
        append_to(out, o.get(pm, n));
        append_to(out, o.get(pv, n));
        return out;
      };
      worst = std::max(worst, check_in_all_orders(compute, expected, 2e-7));
    }
  }
  std::printf("adamw: worst error %.2g\n", worst);
}

TEST(gpu_philox_known_answers) {
  // The known-answer set of the generator's authors.
  struct Answer {
    std::uint32_t counter[4], key[2], word[4];
  };
  constexpr std::uint32_t kOnes = 0xffffffffu;
  const Answer answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
      {{kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}, {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
      {{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
       {0xa4093822u, 0x299f31d0u},
       {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}}};
  const std::unique_ptr<Backend> backend = simt::make_backend({});
  for (const Answer& a : answers) {
    Operands o(*backend, 1);
    const std::uint32_t* counter = o.put(std::vector<std::uint32_t>(a.counter, a.counter + 4));
    std::uint32_t* word = o.put(std::vector<std::uint32_t>(4));
    float* unit = o.put(std::vector<float>(4));
    backend->philox(1, counter, a.key[0], a.key[1], word, unit);
    CHECK_SAME_BITS(o.get(word, 4).data(), a.word, 4);
    for (int w = 0; w < 4; ++w) CHECK_EQ(o.get(unit, 4)[static_cast<std::size_t>(w)], (a.word[w] >> 8) * 0x1p-24);
    // The same counter as a plan's address: step, slot, sample, use.
    for (int w = 0; w < 4; ++w) {
      simt::PhiloxFillParams p;
      p.out = unit, p.n = 1, p.key0 = a.key[0], p.key1 = a.key[1];
      p.step = a.counter[0], p.first_slot = a.counter[1], p.first_sample = a.counter[2], p.use = a.counter[3];
      p.word = w;
      simt::launch_philox_fill(static_cast<simt::GpuBackend&>(*backend).stream(), p);
      CHECK_EQ(o.get(unit, 1)[0], (a.word[w] >> 8) * 0x1p-24);
    }
  }
  check_no_reports();
}

TEST(gpu_philox_of_many_counters) {
  for (const std::size_t n : {std::size_t{255}, std::size_t{257}, std::size_t{700}}) {
    std::vector<std::uint32_t> counter(4 * n);
    for (std::size_t i = 0; i < counter.size(); ++i) counter[i] = static_cast<std::uint32_t>(i * 2654435761u);
    const std::vector<float> result = compute_in_all_orders([&](Backend& b, Operands& o) {
      std::uint32_t* word = o.put(std::vector<std::uint32_t>(4 * n));
      float* unit = o.put(std::vector<float>(4 * n));
      b.philox(static_cast<std::int64_t>(n), o.put(counter), 5, 6, word, nullptr);
      b.philox(static_cast<std::int64_t>(n), o.put(counter), 5, 6, word, unit);
      return o.get(unit, 4 * n);
    });
    std::vector<float> expected;
    for (std::size_t i = 0; i < n; ++i) {
      const Philox4 r =
          philox4x32({{counter[4 * i], counter[4 * i + 1], counter[4 * i + 2], counter[4 * i + 3]}}, 5, 6);
      for (const std::uint32_t word : r.word) expected.push_back(unit_uniform(word));
    }
    CHECK_SAME_BITS(result.data(), expected.data(), 4 * n);
  }
}

TEST(gpu_philox_fill_addresses_numbers_as_a_plan_does) {
  const std::uint64_t seed = 0xfedcba9876543210ull;
  const RandomStream stream(seed);
  constexpr std::size_t kCount = 777, kSlots = 24;
  const std::vector<float> result = compute_in_all_orders([&](Backend& b, Operands& o) {
    float* out = o.put(std::vector<float>(kCount));
    simt::PhiloxFillParams p;
    p.out = out, p.n = kCount, p.key0 = stream.key0(), p.key1 = stream.key1();
    p.step = 3, p.slots = kSlots, p.use = static_cast<std::uint32_t>(RandomUse::jump), p.word = 1;
    simt::launch_philox_fill(static_cast<simt::GpuBackend&>(b).stream(), p);
    return o.get(out, kCount);
  });
  for (std::size_t i = 0; i < kCount; ++i) {
    const Philox4 r =
        stream.at(3, static_cast<std::uint32_t>(i % kSlots), static_cast<std::uint32_t>(i / kSlots), RandomUse::jump);
    CHECK_EQ(result[i], unit_uniform(r.word[1]));
  }
}

// --- reductions --------------------------------------------------------------------------------------------------------

constexpr int kReduceThreads = 96;
struct ReduceParams {
  const float* x = nullptr;  // [kReduceThreads]
  double* result = nullptr;  // [kReduceThreads, 6]
};
/// What every thread gets of each reduction, twice in a row with the same scratch.
__global__ void reduce_all(const __grid_constant__ ReduceParams p) {
  using namespace simt;
  WAM_SHARED(base);
  float* floats = reinterpret_cast<float*>(base);
  double* doubles = reinterpret_cast<double*>(base);
  const float x = p.x[threadIdx.x];
  double* to = p.result + 6 * threadIdx.x;
  to[0] = block_sum<kReduceThreads>(x, floats);
  to[1] = block_max<kReduceThreads>(x, floats);
  to[2] = block_sum<kReduceThreads>(static_cast<double>(x), doubles);
  to[3] = block_max<kReduceThreads>(static_cast<double>(x), doubles);
  to[4] = warp_sum<8>(x);
  to[5] = warp_max<4>(x);
}

TEST(gpu_reductions_give_every_thread_the_result) {
  const std::vector<float> x = normal_values(kReduceThreads, 81);
  std::vector<double> all;
  compute_in_all_orders([&](Backend& b, Operands& o) {
    ReduceParams p;
    p.x = o.put(x);
    double* result = o.put(std::vector<double>(6 * kReduceThreads));
    p.result = result;
    simt::launch(static_cast<simt::GpuBackend&>(b).stream(), "reduce_all", reduce_all,
                 {simt::dim3(1), simt::dim3(kReduceThreads), 64}, p);
    all = o.get(result, 6 * kReduceThreads);
    return std::vector<float>(all.begin(), all.end());
  });
  double sum = 0, top = x[0];
  for (const float v : x) sum += v, top = std::max(top, static_cast<double>(v));
  for (std::size_t t = 0; t < kReduceThreads; ++t) {
    double eight = 0, four = x[t / 4 * 4];
    for (std::size_t i = 0; i < 8; ++i) eight += x[t / 8 * 8 + i];
    for (std::size_t i = 0; i < 4; ++i) four = std::max(four, static_cast<double>(x[t / 4 * 4 + i]));
    const double expected[6] = {sum, top, sum, top, eight, four};
    CHECK_ALL_NEAR(&all[6 * t], expected, 6, 1e-6);
    CHECK_EQ(all[6 * t], all[0]);  // bit for bit the same in every thread
    CHECK_EQ(all[6 * t + 2], all[2]);
  }
}

}  // namespace
}  // namespace wam::test
