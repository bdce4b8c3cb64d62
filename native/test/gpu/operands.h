#pragma once
// What the tests of row and element operations share: arrays that end where their buffer ends and begin anywhere, and
// an operation run in every order of threads.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/cuda_backend.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {

inline std::vector<double> as_doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// Arrays in a backend's memory, each in a buffer of its own that ends with it. Floats begin `shift` values after the
/// buffer, which is aligned: with a shift that is no multiple of four no 16-byte access is allowed.
class Operands {
 public:
  Operands(Backend& backend, int shift) : backend_(backend), shift_(static_cast<std::size_t>(shift)) {}
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;
  ~Operands() {
    for (void* memory : taken_) backend_.release(memory);
  }

  template <class T>
  T* put(const std::vector<T>& values) {
    const std::size_t shift = sizeof(T) == sizeof(float) ? shift_ : 0;
    taken_.reserve(taken_.size() + 1);
    T* memory = static_cast<T*>(backend_.allocate((shift + values.size()) * sizeof(T)));
    taken_.push_back(memory);
    backend_.upload(memory + shift, values.data(), values.size() * sizeof(T));
    return memory + shift;
  }
  template <class T>
  std::vector<T> get(const T* memory, std::size_t n) {
    std::vector<T> values(n);
    backend_.download(values.data(), memory, n * sizeof(T));
    return values;
  }

 private:
  Backend& backend_;
  std::size_t shift_;
  std::vector<void*> taken_;
};

/// The largest |actual - expected| / (1 + |expected|).
inline double worst_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double a = actual[i], e = expected[i];
    if (a != e) worst = std::max(worst, std::isnan(a - e) ? HUGE_VAL : std::abs(a - e) / (1 + std::abs(e)));
  }
  return worst;
}

using GpuCompute = std::function<std::vector<float>(Backend&, Operands&)>;

/// `compute` in each order of threads, with aligned and misaligned arrays. All results must have the same bits, and
/// there must be no report. Returns the result.
inline std::vector<float> compute_in_all_orders(const GpuCompute& compute, const gpu::Options& options = {}) {
  std::vector<float> first;
  for (const int shift : {0, 1, 3}) {
    for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
      if (shift == 3 && order != simt::Order::random) continue;
      const Context at("shift " + std::to_string(shift) + " order " + std::to_string(static_cast<int>(order)));
      simt::HarnessOptions harness;
      harness.order = order;
      const simt::ScopedOptions scope(harness);
      const std::unique_ptr<Backend> backend = simt::make_backend(options);
      Operands operands(*backend, shift);
      const std::vector<float> result = compute(*backend, operands);
      check_no_reports();
      if (first.empty()) {
        first = result;
      } else {
        CHECK_EQ(result.size(), first.size());
        if (result.size() == first.size()) CHECK_SAME_BITS(result.data(), first.data(), first.size());
      }
    }
  }
  return first;
}

/// ... and near the float64 reference. Returns the worst error.
inline double check_in_all_orders(const GpuCompute& compute, const std::vector<double>& expected, double tolerance) {
  const std::vector<float> result = compute_in_all_orders(compute);
  CHECK_EQ(result.size(), expected.size());
  if (result.size() != expected.size()) return HUGE_VAL;
  CHECK_ALL_NEAR(result.data(), expected.data(), static_cast<long>(expected.size()), tolerance);
  return worst_error(result, expected);
}

template <class T>
void append_to(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace wam::test
