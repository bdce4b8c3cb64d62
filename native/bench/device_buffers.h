#pragma once
// Operands on the device, kept until the bench ends.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/backend.h"

namespace wam::bench {

class DeviceBuffers {
 public:
  explicit DeviceBuffers(Backend& backend) : backend_(backend) {}
  DeviceBuffers(const DeviceBuffers&) = delete;
  DeviceBuffers& operator=(const DeviceBuffers&) = delete;
  ~DeviceBuffers() {
    for (void* memory : taken_) backend_.release(memory);
  }

  Backend& backend() { return backend_; }

  template <class T>
  T* zeros(std::size_t count) {
    taken_.reserve(taken_.size() + 1);
    void* memory = backend_.allocate(count * sizeof(T));
    taken_.push_back(memory);
    return static_cast<T*>(memory);
  }
  template <class T>
  T* copy(const std::vector<T>& host) {
    T* memory = zeros<T>(host.size());
    backend_.upload(memory, host.data(), host.size() * sizeof(T));
    return memory;
  }
  /// Numbers of [low, high), the same in every run. Zeros would do for time, but clocks depend on how many bits change.
  real* random(std::size_t count, double low = -1, double high = 1) {
    std::vector<real> host(count);
    for (real& value : host) value = static_cast<real>(low + (high - low) * next());
    return copy(host);
  }
  std::int32_t* random_tokens(std::size_t count, int vocab) {
    std::vector<std::int32_t> host(count);
    for (std::int32_t& value : host) value = static_cast<std::int32_t>(next() * vocab);
    return copy(host);
  }
  void keep(std::unique_ptr<PackedWeight> weight) { weights_.push_back(std::move(weight)); }

 private:
  /// A number of [0, 1): splitmix64.
  double next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }

  Backend& backend_;
  std::vector<void*> taken_;
  std::vector<std::unique_ptr<PackedWeight>> weights_;
  std::uint64_t state_ = 1;
};

}  // namespace wam::bench
