#pragma once
// Where packed weights live: side by side in the order in which they were packed, which is the order in which a plan
// reads them, so that a kernel can fetch beyond the end of one into the next; in large pages where the system has them.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace wam::cpu {

class WeightChunk {
 public:
  explicit WeightChunk(std::size_t bytes) : data_(std::aligned_alloc(kPage, bytes)), bytes_(bytes) {
    if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    madvise(data_, bytes, MADV_HUGEPAGE);  // a wish: without it the same bytes lie in small pages
#endif
  }
  ~WeightChunk() { std::free(data_); }
  WeightChunk(const WeightChunk&) = delete;
  WeightChunk& operator=(const WeightChunk&) = delete;

  /// Null when there is no room left.
  void* take(std::size_t bytes) {
    const std::size_t rounded = (bytes + kAlign - 1) / kAlign * kAlign;
    if (rounded > bytes_ - used_) return nullptr;
    void* memory = static_cast<char*>(data_) + used_;
    used_ += rounded;
    return memory;
  }

  static constexpr std::size_t kPage = std::size_t{2} << 20;

 private:
  static constexpr std::size_t kAlign = 64;
  void* const data_;
  const std::size_t bytes_;
  std::size_t used_ = 0;
};

class WeightMemory {
 public:
  /// `bytes` of a chunk that lives as long as `owner`.
  void* take(std::size_t bytes, std::shared_ptr<WeightChunk>* owner) {
    void* memory = chunk_ == nullptr ? nullptr : chunk_->take(bytes);
    if (memory == nullptr) {
      constexpr std::size_t kPage = WeightChunk::kPage;
      const std::size_t wanted = std::max({bytes, kChunk, std::min(taken_ / 8, kMostChunk)});
      chunk_ = std::make_shared<WeightChunk>((wanted + kPage - 1) / kPage * kPage);
      memory = chunk_->take(bytes);
    }
    taken_ += bytes;
    *owner = chunk_;
    return memory;
  }

 private:
  // Of a small model's weights this is all; pages that nothing was written to cost no memory.
  static constexpr std::size_t kChunk = std::size_t{8} << 20;
  // Chunks grow with what a model takes: the last page of each is whole, and a large matrix must not have one of its own.
  static constexpr std::size_t kMostChunk = std::size_t{512} << 20;
  std::shared_ptr<WeightChunk> chunk_;
  std::size_t taken_ = 0;
};

}  // namespace wam::cpu
