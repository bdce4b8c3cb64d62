// Index variables, barriers, votes, shuffles and matches.

#include "simt/builtins.h"

#include <bit>
#include <string>

#include "simt/device_state.h"
#include "simt/engine.h"
#include "simt/hooks.h"
#include "simt/report.h"

namespace wam::simt {

uint3 thread_index() { return engine().self().index; }
uint3 block_index() { return engine().block(); }
dim3 block_size() { return engine().launch().block; }
dim3 grid_size() { return engine().launch().grid; }
unsigned char* shared_memory() { return engine().shared(); }

void __syncthreads(Site at) { engine().barrier(at); }
int __syncthreads_or(int predicate, Site at) { return engine().vote(predicate != 0, at) != 0; }
int __syncthreads_and(int predicate, Site at) { return engine().vote(predicate == 0, at) == 0; }
int __syncthreads_count(int predicate, Site at) { return static_cast<int>(engine().vote(predicate != 0, at)); }

void __syncwarp(unsigned mask, Site at) {
  engine().collective(
      mask, "__syncwarp", nullptr, [](Warp& warp, unsigned m) { device_state().shadow.warp_synchronised(warp, m); },
      at);
}

void __threadfence() {}
void __threadfence_block() {}
void __threadfence_system() {}
void __trap() {
  const Quiet quiet;
  engine().fail("trap", engine().describe_kernel() + ": " + engine().describe(engine().self()) + " at {0}",
                __builtin_return_address(0));
}

namespace {

/// Calls visit(lane, operands) for the lanes of the mask.
template <class Operands, class Visit>
void each_lane(Warp& warp, unsigned mask, Visit visit) {
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    visit(lane, *static_cast<Operands*>(warp.operands[lane]));
  }
}

struct Vote {
  bool mine;
  unsigned ballot;
};
unsigned ballot(unsigned mask, bool mine, const char* name, Site at) {
  Vote vote{mine, 0};
  engine().collective(
      mask, name, &vote,
      [](Warp& warp, unsigned m) {
        unsigned all = 0;
        each_lane<Vote>(warp, m, [&](int lane, Vote& v) { all |= static_cast<unsigned>(v.mine) << lane; });
        each_lane<Vote>(warp, m, [&](int, Vote& v) { v.ballot = all; });
      },
      at);
  return vote.ballot;
}

struct Shuffled {
  std::uint64_t mine, result;
  Shuffle kind;
  unsigned operand;
  int width;
  Site at;
};

/// The lane that `lane` reads; its own where the source would lie outside its group.
int source_lane(int lane, const Shuffled& s) {
  const int base = lane & ~(s.width - 1), in_group = lane - base;
  const int operand = static_cast<int>(s.operand);
  int source = in_group;
  switch (s.kind) {
    case Shuffle::index:
      return base + (operand & (s.width - 1));
    case Shuffle::up:
      source = in_group - operand;
      break;
    case Shuffle::down:
      source = in_group + operand;
      break;
    case Shuffle::exclusive_or:
      source = in_group ^ operand;
      break;
  }
  return source < 0 || source >= s.width ? lane : base + source;
}

void run_shuffle(Warp& warp, unsigned mask) {
  each_lane<Shuffled>(warp, mask, [&](int lane, Shuffled& s) {
    const int source = source_lane(lane, s);
    if ((mask >> source & 1) != 0) {
      s.result = static_cast<Shuffled*>(warp.operands[source])->mine;
      return;
    }
    s.result = ~std::uint64_t{0};  // NaN as a float
    const Quiet quiet;
    const std::string kind = "shuffle from a lane outside the mask: ", place = " at " + describe(s.at);
    device_state().reports.add_text(kind + place, kind + engine().describe_kernel() + ": " +
                                                      engine().describe(warp.threads[lane]) + " reads lane " +
                                                      std::to_string(source) + place);
  });
}

struct Match {
  std::uint64_t mine;
  unsigned lanes;
};

}  // namespace

unsigned __ballot_sync(unsigned mask, int predicate, Site at) {
  return ballot(mask, predicate != 0, "__ballot_sync", at);
}
int __any_sync(unsigned mask, int predicate, Site at) { return ballot(mask, predicate != 0, "__any_sync", at) != 0; }
int __all_sync(unsigned mask, int predicate, Site at) { return ballot(mask, predicate == 0, "__all_sync", at) == 0; }

std::uint64_t shuffle(unsigned mask, std::uint64_t value, Shuffle kind, unsigned operand, int width, Site at) {
  static constexpr const char* kNames[] = {"__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync"};
  if (width < 1 || width > kWarp || !std::has_single_bit(static_cast<unsigned>(width))) {
    const Quiet quiet;
    engine().fail("shuffle of a width that is no power of two",
                  engine().describe_kernel() + ": " + std::to_string(width) + " at " + describe(at));
  }
  Shuffled s{value, 0, kind, operand, width, at};
  engine().collective(mask, kNames[static_cast<int>(kind)], &s, run_shuffle, at);
  return s.result;
}

unsigned match_any(unsigned mask, std::uint64_t value, Site at) {
  Match match{value, 0};
  engine().collective(
      mask, "__match_any_sync", &match,
      [](Warp& warp, unsigned m) {
        each_lane<Match>(warp, m, [&](int, Match& mine) {
          each_lane<Match>(warp, m, [&](int lane, Match& other) {
            mine.lanes |= static_cast<unsigned>(mine.mine == other.mine) << lane;
          });
        });
      },
      at);
  return match.lanes;
}

}  // namespace wam::simt
