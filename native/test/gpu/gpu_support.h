#pragma once
// Shared by the tests of the GPU kernels: running under every schedule of the harness, arrays of a backend, random data
// and 16-bit rounding for references.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "simt/device.h"
#include "simt/harness.h"
#include "test/test.h"

namespace wam::test {

/// The reports of the harness since the last call must be none; each one is a failed check.
inline void check_no_reports() {
  for (const std::string& text : simt::take_reports()) report(false, __FILE__, __LINE__, "harness: " + text);
}

/// Whether one of the reports since the last call contains all of `parts`.
inline bool reported(const std::vector<std::string>& reports, std::initializer_list<const char*> parts) {
  for (const std::string& text : reports) {
    bool all = true;
    for (const char* part : parts) all = all && text.find(part) != std::string::npos;
    if (all) return true;
  }
  return false;
}

inline std::string join(const std::vector<std::string>& texts) {
  std::string all = std::to_string(texts.size()) + " reports";
  for (const std::string& t : texts) all += "\n  " + t;
  return all;
}

/// Runs body() with threads and blocks in forward, reverse and random order, each with asynchronous copies at the
/// latest and at the earliest moment; checks that nothing was reported. Under the address sanitizer, which does not see
/// what differs between orders (races), in one order only.
template <class Body>
void each_schedule(Body body) {
  constexpr const char* kNames[] = {"forward", "reverse", "random"};
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
#if defined(__SANITIZE_ADDRESS__)
    if (order != simt::Order::random) continue;
#endif
    for (const bool lazy : {true, false}) {
      simt::HarnessOptions options = simt::harness_options();
      options.order = order;
      options.lazy_copies = lazy;
      options.seed = 7;
      const simt::ScopedOptions scope(options);
      const Context at(std::string(kNames[static_cast<int>(order)]) + " order, copies " + (lazy ? "late" : "early"));
      body();
      check_no_reports();
    }
  }
}

/// The same for a body that returns a vector: it must be the same under every schedule, bit for bit. Returns it.
template <class Body>
auto same_under_each_schedule(Body body) {
  decltype(body()) first;
  bool have = false;
  each_schedule([&] {
    auto now = body();
    if (!have) {
      first = std::move(now);
      have = true;
      return;
    }
    CHECK_EQ(now.size(), first.size());
    if (now.size() == first.size()) CHECK_SAME_BITS(now.data(), first.data(), first.size());
  });
  return first;
}

/// An array in a backend's memory, of exactly its length, so that the harness sees the first byte beyond it.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Backend& backend, std::size_t count) : backend_(&backend), count_(count) {
    data_ = static_cast<T*>(backend.allocate(count * sizeof(T)));
  }
  DeviceArray(Backend& backend, const std::vector<T>& values) : DeviceArray(backend, values.size()) { set(values); }
  DeviceArray(DeviceArray&& other) noexcept
      : backend_(other.backend_), count_(other.count_), data_(std::exchange(other.data_, nullptr)) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  DeviceArray& operator=(DeviceArray&&) = delete;
  ~DeviceArray() {
    if (data_ != nullptr) backend_->release(data_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return count_; }
  void set(const std::vector<T>& values) {
    if (!values.empty()) backend_->upload(data_, values.data(), values.size() * sizeof(T));
  }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    if (count_ > 0) backend_->download(values.data(), data_, count_ * sizeof(T));
    return values;
  }

 private:
  Backend* backend_;
  std::size_t count_;
  T* data_ = nullptr;
};

/// Normal deviates times `scale`.
inline std::vector<float> normal_values(std::size_t count, std::uint32_t seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = scale * normal(generator);
  return values;
}

inline std::vector<std::int32_t> uniform_integers(std::size_t count, std::int32_t below, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<std::int32_t> uniform(0, below - 1);
  std::vector<std::int32_t> values(count);
  for (std::int32_t& v : values) v = uniform(generator);
  return values;
}

/// To T (bf16, f16 or float) and back. f16 goes through ldexp and nearbyint, not through the harness.
template <class T>
double round_to(double x) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(x);
  } else {
    constexpr bool kBrain = std::is_same_v<T, simt::bf16>;
    constexpr int kBits = kBrain ? 8 : 11, kLeast = kBrain ? -126 : -14;
    const float f = static_cast<float>(x);
    if (f == 0 || !std::isfinite(f)) return f;
    const int exponent = std::max(std::ilogb(f), kLeast) - (kBits - 1);
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(static_cast<double>(f), -exponent)), exponent);
    const double largest = kBrain ? 0x1.FEp127 : 65504.0;
    return std::abs(rounded) > largest ? std::copysign(HUGE_VAL, rounded) : rounded;
  }
}

}  // namespace wam::test
