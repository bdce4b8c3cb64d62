#pragma once
// Device memory: host memory with its exact length known and unused zones around it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>

namespace wam::simt {

/// What is known of 4 bytes of memory, or of one: who wrote or read them last. See shadow.h.
struct Cell {
  std::uint32_t segment = 0;  // 0: nobody
  std::uint32_t place = 0;    // where in the program
};

struct FreeCells {
  void operator()(Cell* cells) const { std::free(cells); }
};
/// From calloc: zeros, which cost nothing until they are touched.
using CellArray = std::unique_ptr<Cell[], FreeCells>;

/// The cells of one stretch of memory.
struct CellBlock {
  std::size_t words = 0;
  CellArray written, read;              // per 4 bytes, made by `prepare`
  CellArray bytes_written, bytes_read;  // per byte, made by `prepare_bytes`
  /// Everything was written once, by the host: no cell has to say so.
  bool all_written = false;

  void prepare(std::size_t bytes);
  void prepare_bytes();
};

struct Buffer {
  unsigned char* memory = nullptr;  // what cudaMalloc gave
  std::size_t bytes = 0;
  bool freed = false;
  CellBlock cells;
};

class DeviceBuffers {
 public:
  static constexpr std::size_t kGuard = 256;
  static constexpr std::size_t kAlignment = 256;
  /// Freed buffers kept so that a late access is known for what it is.
  static constexpr std::size_t kQuarantine = std::size_t{64} << 20;

  ~DeviceBuffers();
  /// Null when the host has no more.
  Buffer* allocate(std::size_t bytes);
  /// False when `memory` is no live buffer.
  bool release(void* memory);
  /// The buffer, live or freed lately, whose memory or guard zones hold the address; null when none does.
  Buffer* find(const void* address);
  /// [address, address + bytes) lies in one live buffer.
  bool holds(const void* address, std::size_t bytes);

  std::size_t live() const { return live_; }
  std::size_t live_bytes() const { return live_bytes_; }
  template <class Visit>
  void each(Visit visit) {
    for (auto& [end, buffer] : buffers_) visit(*buffer);
  }
  /// Changes whenever what `find` gave may have become untrue.
  std::uint64_t version() const { return version_; }

 private:
  void forget(Buffer* buffer);

  std::map<std::uintptr_t, std::unique_ptr<Buffer>> buffers_;  // by the end of the guarded stretch
  std::deque<Buffer*> quarantine_;
  std::size_t quarantined_ = 0, live_ = 0, live_bytes_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace wam::simt
