#pragma once
#include <cstddef>
#include <vector>

#include "core/backend.h"

namespace wam::bench {

/// Zeros in the backend's memory. The backend must outlive it.
template <class T>
class Buffer {
 public:
  Buffer(Backend& backend, std::size_t count)
      : backend_(backend), data_(static_cast<T*>(backend.allocate(count * sizeof(T)))), count_(count) {}
  Buffer(Backend& backend, const std::vector<T>& values) : Buffer(backend, values.size()) {
    backend.upload(data_, values.data(), values.size() * sizeof(T));
  }
  ~Buffer() { backend_.release(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() const { return data_; }
  std::size_t size() const { return count_; }

 private:
  Backend& backend_;
  T* const data_;
  const std::size_t count_;
};

}  // namespace wam::bench
