#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace wam {

/// Bump allocator, sized once. An arena built with `Arena::measuring()` hands out no memory and only counts, so the
/// same layout code first measures and then allocates.
class Arena {
 public:
  static Arena measuring() { return Arena(); }
  explicit Arena(std::size_t bytes) : capacity_(round_up(bytes)) {
    base_ = static_cast<char*>(std::aligned_alloc(kAlign, capacity_ ? capacity_ : kAlign));
    if (base_ == nullptr) throw std::bad_alloc();
    std::memset(base_, 0, capacity_);
  }
  Arena(Arena&& other) noexcept : base_(other.base_), capacity_(other.capacity_), used_(other.used_) {
    other.base_ = nullptr;
  }
  Arena& operator=(Arena&& other) noexcept {
    if (this != &other) {
      std::free(base_);
      base_ = other.base_, capacity_ = other.capacity_, used_ = other.used_;
      other.base_ = nullptr;
    }
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { std::free(base_); }

  /// Memory for `count` items, aligned to a cache line, zero on first use. Null while measuring.
  template <class T>
  T* take(std::size_t count) {
    const std::size_t offset = used_;
    used_ += round_up(count * sizeof(T));
    if (base_ == nullptr) return nullptr;
    if (used_ > capacity_) throw std::bad_alloc();
    return reinterpret_cast<T*>(base_ + offset);
  }
  std::size_t used() const { return used_; }

 private:
  static constexpr std::size_t kAlign = 64;
  static std::size_t round_up(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }
  Arena() = default;

  char* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

}  // namespace wam
