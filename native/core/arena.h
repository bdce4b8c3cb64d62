#pragma once
#include <cstddef>
#include <new>

#include "core/backend.h"

namespace wam {

/// Bump allocator over one block of a backend's memory, sized once. An arena built with `Arena::measuring()` hands out no
/// memory and only counts, so the same layout code first measures and then allocates. The backend must outlive it.
class Arena {
 public:
  static Arena measuring() { return Arena(); }
  Arena(Backend& backend, std::size_t bytes)
      : backend_(&backend), base_(static_cast<char*>(backend.allocate(bytes))), capacity_(bytes) {}
  Arena(Arena&& other) noexcept
      : backend_(other.backend_), base_(other.base_), capacity_(other.capacity_), used_(other.used_) {
    other.base_ = nullptr;
  }
  Arena& operator=(Arena&& other) noexcept {
    if (this != &other) {
      free();
      backend_ = other.backend_, base_ = other.base_, capacity_ = other.capacity_, used_ = other.used_;
      other.base_ = nullptr;
    }
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { free(); }

  /// Memory for `count` items, aligned to 256 bytes, zero on first use. Null while measuring.
  template <class T>
  T* take(std::size_t count) {
    const std::size_t offset = used_;
    used_ += (count * sizeof(T) + kAlign - 1) / kAlign * kAlign;
    if (base_ == nullptr) return nullptr;
    if (used_ > capacity_) throw std::bad_alloc();
    return reinterpret_cast<T*>(base_ + offset);
  }
  std::size_t used() const { return used_; }

 private:
  static constexpr std::size_t kAlign = 256;  // a cache line, and what a GPU's widest loads want
  Arena() = default;
  void free() noexcept {
    if (base_ != nullptr) backend_->release(base_);
  }

  Backend* backend_ = nullptr;
  char* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

/// The memory that `reserve(arena)` takes, which is called twice: to measure, and to hand out.
template <class Reserve>
Arena make_arena(Backend& backend, Reserve&& reserve) {
  Arena counting = Arena::measuring();
  reserve(counting);
  Arena arena(backend, counting.used());
  reserve(arena);
  return arena;
}

}  // namespace wam
