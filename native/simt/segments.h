#pragma once
// The order of what threads do. A segment is what one thread does between two synchronisations; segments are numbered
// in the order they begin, over all launches. Blocks run one after another, and at a block barrier every older segment
// of the block is over, so that three numbers tell most of the order:
//
//   1 ... launch_base ... block_base ... epoch_base ... next
//   ordered   | other blocks of | this block,    | since the last block barrier: ordered within a thread,
//             | this launch     | ordered        | and within a warp where a __syncwarp lies between
//
// Within a warp each lane counts the synchronisations it took part in and knows of each other lane up to which count it
// is behind it (a vector clock), so that __syncwarp with any mask is exact.

#include <array>
#include <cstdint>
#include <vector>

#include "simt/engine.h"

namespace wam::simt {

class Segments {
 public:
  static constexpr std::uint32_t kFirst = 2;  // 1 stands for the host
  static constexpr std::uint32_t kHost = 1;
  static constexpr std::uint32_t kLast = 0x7fffffffu;  // numbers above have other meanings in cells

  void begin_launch();
  void begin_block(Thread* threads, unsigned count);
  void block_synchronised();
  void warp_synchronised(Warp& warp, unsigned mask);
  /// Starts numbers again; all cells must be made older than any segment.
  void renumber() { next_ = kFirst; }
  bool nearly_used_up() const { return next_ > kLast / 2; }

  std::uint32_t launch_base() const { return launch_base_; }
  std::uint32_t block_base() const { return block_base_; }
  std::uint32_t epoch_base() const { return epoch_base_; }
  /// Stands for readers of several blocks.
  std::uint32_t several_blocks() const { return launch_base_; }

  std::uint32_t of(Thread& t) {
    if (t.segment == 0) t.segment = begin(t);
    return t.segment;
  }
  /// Whether a segment since the last block barrier is before what `t` does now.
  bool ordered(std::uint32_t segment, const Thread& t) const;
  /// What stands for the readers of `segment`, one of this epoch, and `t`, together.
  std::uint32_t with_reader(std::uint32_t segment, Thread& t);
  /// The thread of a segment of this epoch; null where it stands for several.
  const Thread* thread_of(std::uint32_t segment) const { return table_[segment - epoch_base_].thread; }

 private:
  struct Entry {
    const Thread* thread = nullptr;
    const Warp* warp = nullptr;  // null: threads of several warps
    std::uint32_t clock = 0;     // of the thread; of a warp's lanes: index into group_clocks_
  };
  using Lanes = std::array<std::uint32_t, kWarp>;
  struct WarpClocks {
    Lanes own{};          // 1 + the synchronisations each lane took part in: beyond what anybody knows of it
    bool uniform = true;  // every lane knows `known_to_all`; else lane l knows known[l]
    Lanes known_to_all{};
    std::array<Lanes, kWarp> known{};
    std::uint32_t group = 0;  // the segment of "lanes of this warp" since the warp synchronised
  };
  std::uint32_t begin(Thread& t);
  std::uint32_t begin_epoch();
  const Lanes& known(const Thread& t) const {
    const WarpClocks& c = clocks_[t.warp->index];
    return c.uniform ? c.known_to_all : c.known[t.lane];
  }

  std::uint32_t next_ = kFirst, launch_base_ = kFirst, block_base_ = kFirst, epoch_base_ = kFirst;
  std::vector<Entry> table_;  // of the segments from epoch_base_
  std::vector<Lanes> group_clocks_;
  std::vector<WarpClocks> clocks_{kMaxThreads / kWarp};
  Thread* threads_ = nullptr;
  unsigned thread_count_ = 0;
};

}  // namespace wam::simt
