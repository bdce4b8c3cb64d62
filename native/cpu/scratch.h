#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

namespace wam::cpu {

/// Cache-line aligned memory that only ever grows; `get` may drop the old contents.
class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
    other.bytes_ = 0;
  }
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::free(data_); }

  template <class T>
  T* get(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t need = (count * sizeof(T) + 63) / 64 * 64;
    if (need > bytes_) {
      std::free(data_);
      data_ = nullptr, bytes_ = 0;
      // Half as much again, so that slowly growing shapes settle after a few calls.
      const std::size_t bytes = (need + need / 2 + 63) / 64 * 64;
      data_ = std::aligned_alloc(64, bytes);
      if (data_ == nullptr) throw std::bad_alloc();
      bytes_ = bytes;
    }
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// `count` values at `memory`, which moves on to the next cache line.
template <class T>
T* take(char*& memory, std::size_t count) {
  T* taken = reinterpret_cast<T*>(memory);
  memory += (count * sizeof(T) + 63) / 64 * 64;
  return taken;
}

}  // namespace wam::cpu
