#pragma once
// Host arrays as arguments of a single operation: copied to a backend that has memory of its own, and results back.

#include <cstddef>
#include <vector>

#include "core/backend.h"

namespace wam {

/// `in`, `out` and `inout` give pointers that operations of the backend take; `finish` copies results back and must be
/// called after the operation. On a unified backend all pointers are the host's and nothing is copied. Null stays null.
class CallStaging {
 public:
  explicit CallStaging(Backend& backend) : backend_(backend) {}
  CallStaging(const CallStaging&) = delete;
  CallStaging& operator=(const CallStaging&) = delete;
  ~CallStaging() {
    for (void* memory : taken_) backend_.release(memory);
  }

  template <class T>
  const T* in(const T* host, std::size_t count) {
    return static_cast<const T*>(take(host, count * sizeof(T), true));
  }
  template <class T>
  T* inout(T* host, std::size_t count) {
    return static_cast<T*>(give(host, count * sizeof(T), true));
  }
  template <class T>
  T* out(T* host, std::size_t count) {
    return static_cast<T*>(give(host, count * sizeof(T), false));
  }
  void finish() {
    for (const Result& r : results_) backend_.download(r.host, r.device, r.bytes);
    results_.clear();
  }

 private:
  struct Result {
    void* host;
    const void* device;
    std::size_t bytes;
  };
  void* take(const void* host, std::size_t bytes, bool copy) {
    if (backend_.unified() || host == nullptr) return const_cast<void*>(host);
    taken_.reserve(taken_.size() + 1);
    void* memory = backend_.allocate(bytes);
    taken_.push_back(memory);
    if (copy && bytes > 0) backend_.upload(memory, host, bytes);
    return memory;
  }
  void* give(void* host, std::size_t bytes, bool copy) {
    void* memory = take(host, bytes, copy);
    if (memory != host && bytes > 0) results_.push_back({host, memory, bytes});
    return memory;
  }

  Backend& backend_;
  std::vector<void*> taken_;
  std::vector<Result> results_;
};

}  // namespace wam
