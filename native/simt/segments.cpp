#include "simt/segments.h"

#include <algorithm>
#include <bit>

namespace wam::simt {

void Segments::begin_launch() { launch_base_ = next_++; }

void Segments::begin_block(Thread* threads, unsigned count) {
  threads_ = threads;
  thread_count_ = count;
  for (unsigned w = 0; w < count / kWarp; ++w) {
    clocks_[w].own.fill(1);
    clocks_[w].known_to_all.fill(0);
    clocks_[w].uniform = true;
  }
  block_base_ = begin_epoch();
}

void Segments::block_synchronised() { begin_epoch(); }

std::uint32_t Segments::begin_epoch() {
  for (unsigned i = 0; i < thread_count_; ++i) threads_[i].segment = 0;
  for (unsigned w = 0; w < thread_count_ / kWarp; ++w) clocks_[w].group = 0;
  table_.clear();
  group_clocks_.clear();
  epoch_base_ = next_++;
  table_.emplace_back();  // the first number stands for readers of several warps
  return epoch_base_;
}

std::uint32_t Segments::begin(Thread& t) {
  table_.push_back({&t, t.warp, clocks_[t.warp->index].own[t.lane]});
  return next_++;
}

void Segments::warp_synchronised(Warp& warp, unsigned mask) {
  WarpClocks& c = clocks_[warp.index];
  c.group = 0;
  if (mask == 0xffffffffu) {
    c.known_to_all = c.own;
    c.uniform = true;
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      ++c.own[lane];
      warp.threads[lane].segment = 0;
    }
    return;
  }
  if (c.uniform) {
    c.known.fill(c.known_to_all);
    c.uniform = false;
  }
  Lanes joined{};
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    for (unsigned other = 0; other < kWarp; ++other) joined[other] = std::max(joined[other], c.known[lane][other]);
    joined[lane] = std::max(joined[lane], c.own[lane]);
  }
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    c.known[lane] = joined;
    ++c.own[lane];
    warp.threads[lane].segment = 0;
  }
}

bool Segments::ordered(std::uint32_t segment, const Thread& t) const {
  const Entry& e = table_[segment - epoch_base_];
  if (e.thread == &t) return true;
  if (e.warp != t.warp) return false;
  const Lanes& seen = known(t);
  if (e.thread != nullptr) return seen[e.thread->lane] >= e.clock;
  const Lanes& clocks = group_clocks_[e.clock];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (lane != t.lane && seen[lane] < clocks[lane]) return false;
  }
  return true;
}

std::uint32_t Segments::with_reader(std::uint32_t segment, Thread& t) {
  const Entry& e = table_[segment - epoch_base_];
  if (e.warp != t.warp) return epoch_base_;
  if (ordered(segment, t)) return of(t);
  WarpClocks& c = clocks_[t.warp->index];
  if (c.group == 0) {
    group_clocks_.push_back(c.own);
    table_.push_back({nullptr, t.warp, static_cast<std::uint32_t>(group_clocks_.size() - 1)});
    c.group = next_++;
  }
  return c.group;
}

}  // namespace wam::simt
