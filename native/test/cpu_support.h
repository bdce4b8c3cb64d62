#pragma once
// What the tests of the CPU backend share: every instruction set that runs here, with one and two threads.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/philox.h"
#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "test/test.h"

namespace wam::test {

constexpr bool kIsDouble = sizeof(real) == 8;
/// A tolerance that suits the arithmetic: `single` in the float build, 1e-11 in double.
constexpr double tolerance(double single) { return kIsDouble ? 1e-11 : single; }

inline std::vector<cpu::Isa> supported_isas() {
  std::vector<cpu::Isa> list;
  for (const cpu::Isa isa : {cpu::Isa::portable, cpu::Isa::avx2, cpu::Isa::avx512})
    if (cpu::isa_supported(isa)) list.push_back(isa);
  return list;
}

/// n values, roughly normal, a function of the seed. They are floats even in the double build, so that both builds test
/// the same numbers.
inline std::vector<real> random_values(std::size_t n, std::uint32_t seed, double scale = 1) {
  std::vector<real> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Philox4 r = philox4x32({{static_cast<std::uint32_t>(i), seed, 0, 0}}, 0x5eed, 0);
    double sum = -2;
    for (const std::uint32_t word : r.word) sum += unit_uniform(word);
    values[i] = static_cast<real>(static_cast<float>(sum * 1.7320508 * scale));
  }
  return values;
}
inline std::vector<std::int32_t> random_ids(std::size_t n, int limit, std::uint32_t seed) {
  std::vector<std::int32_t> ids(n);
  for (std::size_t i = 0; i < n; ++i)
    ids[i] = static_cast<std::int32_t>(philox4x32({{static_cast<std::uint32_t>(i), seed, 1, 0}}, 0x5eed, 0).word[0] %
                                       static_cast<std::uint32_t>(limit));
  return ids;
}
inline std::vector<double> doubles(const std::vector<real>& values) { return {values.begin(), values.end()}; }
template <class T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

using Compute = std::function<std::vector<real>(Backend&)>;

inline std::vector<real> compute_on(cpu::Isa isa, int threads, const Compute& compute) {
  std::unique_ptr<ThreadPool> pool;
  if (threads > 1) pool = std::make_unique<ThreadPool>(threads);
  return compute(*cpu::make_cpu_backend(pool.get(), isa));
}

/// Runs `compute` on every instruction set. Checks it against the float64 reference, and bit for bit: two threads
/// against one, AVX-512 against AVX2.
inline void check_everywhere(const Compute& compute, const std::vector<double>& expected, double tolerance) {
  std::vector<real> avx2;
  for (const cpu::Isa isa : supported_isas()) {
    const Context at(cpu::isa_name(isa));
    const std::vector<real> one = compute_on(isa, 1, compute), two = compute_on(isa, 2, compute);
    CHECK_EQ(one.size(), expected.size());
    CHECK_EQ(two.size(), expected.size());
    if (one.size() != expected.size() || two.size() != expected.size()) return;
    CHECK_ALL_NEAR(one.data(), expected.data(), static_cast<long>(expected.size()), tolerance);
    CHECK_SAME_BITS(two.data(), one.data(), one.size());
    if (isa == cpu::Isa::avx2) avx2 = one;
    if (isa == cpu::Isa::avx512) CHECK_SAME_BITS(one.data(), avx2.data(), one.size());
  }
}

}  // namespace wam::test
