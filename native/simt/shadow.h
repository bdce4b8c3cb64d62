#pragma once
// Checks every load and store of a kernel: that it lies in shared memory or in a device buffer, that it is aligned,
// that what it reads was written, and that it is in order with what other threads did to the same bytes.
//
// For every 4 bytes there is a cell with the last writer and one with the last reader, each a segment (segments.h) and
// a place in the program. Where 4 bytes are not touched as one, their cells are split into cells for each byte.

#include <array>
#include <cstdint>
#include <string>

#include "simt/device_buffers.h"
#include "simt/engine.h"
#include "simt/segments.h"

namespace wam::simt {

enum class Access { read, write, atomic };

class Shadow {
 public:
  Shadow();
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;
  unsigned char* shared() const { return shared_; }

  void begin_launch(const KernelLaunch& launch);
  void begin_block(Thread* threads, unsigned count);
  void block_synchronised() { segments_.block_synchronised(); }
  void warp_synchronised(Warp& warp, unsigned mask) { segments_.warp_synchronised(warp, mask); }

  /// `bytes` at `p`, which may be any memory.
  void access(Thread& thread, const void* p, int bytes, Access kind, const void* pc);
  void shared_access(Thread& thread, const void* p, int bytes, Access kind, const void* pc);
  void global_access(Thread& thread, const void* p, int bytes, Access kind, const void* pc);
  /// The bytes may be written from now on, and are in flight.
  void copy_issued(Thread& thread, const void* to, int bytes, const void* pc);
  void copy_completed(Thread& thread, const void* to, int bytes, const void* pc);

  // Copies and fills between kernels.
  void host_wrote(const void* to, std::size_t bytes);
  void discarded(const void* from, std::size_t bytes);
  void device_copied(const void* to, const void* from, std::size_t bytes);

  std::uint64_t accesses = 0;

 private:
  // Segments of cells that are none.
  static constexpr std::uint32_t kInFlight = 0xfffffffeu;
  static constexpr std::uint32_t kSplit = 0xffffffffu;   // the word's bytes have cells of their own
  static constexpr std::uint32_t kAtomic = 0x80000000u;  // in `place`

  /// Where an access is, for reports.
  struct At {
    Thread* thread;
    const Buffer* buffer;  // null: shared memory
    std::size_t offset;
    int bytes;
    Access kind;
    const void* pc;
  };

  template <bool kWrite>
  bool check_quickly(const CellBlock& cells, std::size_t offset, int bytes, std::uint32_t mine, const void* pc);
  Buffer& find_buffer(const At& at, const unsigned char* p);
  void check_cells(CellBlock& cells, const At& at);
  void check_bytes(CellBlock& cells, const At& at, std::size_t word, std::uint32_t mine);
  void check_cell(Cell& written, Cell& read, const At& at, std::uint32_t mine, bool known_written);
  bool before(std::uint32_t segment, const At& at, std::uint32_t mine) const;
  void split(CellBlock& cells, std::size_t word);
  void set_writer(CellBlock& cells, std::size_t offset, int bytes, Cell value);
  void renumber();
  std::uint32_t place(const void* pc) const {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(pc) - image_low_) & ~kAtomic;
  }
  const void* address(std::uint32_t place) const {
    return reinterpret_cast<const void*>(image_low_ + (place & ~kAtomic));
  }

  // shadow_reports.cpp
  std::string describe(const At& at) const;
  [[noreturn]] void fail_misaligned(const At& at) const;
  [[noreturn]] void fail_outside(const At& at, const unsigned char* p) const;
  void report_race(const At& at, Cell other, bool other_wrote) const;
  void report_unwritten(const At& at) const;
  void report_in_flight(const At& at, Cell copy) const;

  Segments segments_;
  unsigned char* arena_ = nullptr;  // shared memory with unused memory around it
  unsigned char* shared_ = nullptr;
  std::size_t arena_bytes_ = 0, shared_bytes_ = 0;
  CellBlock shared_cells_;

  // The stretch of memory that each of these program places touched last.
  struct Recent {
    std::uintptr_t low = 1;
    std::size_t bytes = 0;
    Buffer* buffer = nullptr;
  };
  static constexpr std::size_t kRecent = 256;
  std::array<Recent, kRecent> recent_;
  std::uint64_t buffers_version_ = 0;

  // Of the program or library that holds the kernels.
  std::uintptr_t image_low_ = 0, image_high_ = 0;
};

}  // namespace wam::simt
