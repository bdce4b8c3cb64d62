#pragma once
// Values that the host writes and operations read.

#include <cstddef>
#include <vector>

#include "core/arena.h"
#include "core/backend.h"

namespace wam {

/// Lists side by side in the backend's memory, so that one copy brings all of them there. On a unified backend host and
/// device memory are one, and `push` does nothing.
class StagedBlock {
 public:
  /// Lays the lists out anew: call before their `reserve`.
  void clear() { size_ = 0; }
  /// Takes the memory, after all lists were reserved; as often as the arena is laid out.
  void take(Arena& arena, const Backend& backend) {
    device_ = arena.take<std::byte>(size_);
    unified_ = backend.unified();
    if (!unified_) host_.assign(size_, std::byte{});
  }
  /// Makes what stands in the lists what operations read from now on.
  void push(Backend& backend) {
    if (!unified_) backend.upload(device_, host_.data(), size_);
  }

 private:
  template <class T>
  friend class Staged;
  static constexpr std::size_t kAlign = 64;
  std::size_t add(std::size_t bytes) {
    const std::size_t offset = size_;
    size_ += (bytes + kAlign - 1) / kAlign * kAlign;
    return offset;
  }
  std::byte* host() { return unified_ ? device_ : host_.data(); }

  std::byte* device_ = nullptr;
  std::vector<std::byte> host_;
  std::size_t size_ = 0;
  bool unified_ = true;
};

/// One list of a block.
template <class T>
class Staged {
 public:
  /// Room for `capacity` values in the block, which must stay where it is.
  void reserve(StagedBlock& block, std::size_t capacity) {
    block_ = &block;
    offset_ = block.add(capacity * sizeof(T));
  }
  T* host() const { return reinterpret_cast<T*>(block_->host() + offset_); }
  T& operator[](std::size_t i) const { return host()[i]; }
  /// Where operations find it.
  T* device() const { return reinterpret_cast<T*>(block_->device_ + offset_); }

 private:
  StagedBlock* block_ = nullptr;
  std::size_t offset_ = 0;
};

}  // namespace wam
