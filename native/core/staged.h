#pragma once
// Values that the host writes and operations read.

#include <cstddef>
#include <vector>

#include "core/arena.h"
#include "core/backend.h"

namespace wam {

/// A list with a copy in the backend's memory. On a unified backend the two are one, and `push` does nothing.
template <class T>
class Staged {
 public:
  /// Room for `capacity` values. The arena must be the backend's; call again after it was measured.
  void reserve(Arena& arena, const Backend& backend, std::size_t capacity) {
    device_ = arena.take<T>(capacity);
    unified_ = backend.unified();
    if (!unified_) host_.resize(capacity);
  }
  T* host() { return unified_ ? device_ : host_.data(); }
  T& operator[](std::size_t i) { return host()[i]; }
  /// Makes the first `count` values of the host what operations read from now on.
  void push(Backend& backend, std::size_t count) {
    if (!unified_ && count > 0) backend.upload(device_, host_.data(), count * sizeof(T));
  }
  T* device() const { return device_; }

 private:
  T* device_ = nullptr;
  std::vector<T> host_;
  bool unified_ = true;
};

}  // namespace wam
