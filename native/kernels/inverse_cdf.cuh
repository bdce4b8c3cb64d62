#pragma once
// Inverse CDF in index order over weights that are never stored: a row's weights are summed in float by blocks of 64
// tokens, running sums of blocks are double, and once a draw has found its block the weights there are computed again.
// Sums of 64 have the tree of the CPU backend (lane l adds elements l, 16+l, 32+l, 48+l, then lanes fold 8, 4, 2, 1),
// so with the same weights they have its bits; above them double leaves 29 spare bits, whatever the order. Double is
// left to one warp a row: smaller devices do two of its operations a cycle and multiprocessor.
//
// A weight is two functions: `float load(int i)`, what token i is weighed by, and `float2 of(float loaded)`, x the
// weight and y another number summed along with it. Apart, so that four loads are in flight before the first is used.

#include "kernels/device.cuh"
#include "kernels/path_math.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

/// Tokens whose weights are summed in float. Half a warp sums them: coalesced loads of 64 bytes, no alignment asked
/// for.
inline constexpr int kSumBlock = 64;
/// Sums that are kept of a row, and that one warp scans: 10 a lane for 20,001 tokens. Chunks are blocks up to 131,072
/// tokens, which takes in the 122,401 of the released model; beyond they are several.
inline constexpr int kMaxChunks = 2048;

struct ChunkShape {
  int blocks;  // of 64 tokens, in a chunk
  int chunks;  // of the row
};
__host__ __device__ constexpr ChunkShape chunk_shape(int count) {
  const int blocks = (count - 1) / kSumBlock + 1;
  const int each = (blocks - 1) / kMaxChunks + 1;
  return {each, (blocks - 1) / each + 1};
}

/// Sums that there is room for, for any count up to `vocab`: a band of fewer tokens may have more chunks, of one block.
__host__ __device__ constexpr int sum_places(int vocab) {
  const int blocks = (vocab - 1) / kSumBlock + 1;
  return blocks < kMaxChunks ? blocks : kMaxChunks;
}

/// Sums of both numbers over tokens [begin, begin + 64) below `count`, in every lane of the half-warp.
template <bool kSecond, class Weight>
WAM_DEVICE float2 sum_block(const Weight& weight, int begin, int count) {
  const int lane = static_cast<int>(threadIdx.x) % 16;
  constexpr int kOwn = kSumBlock / 16;
  float loaded[kOwn], first = 0, second = 0;
#pragma unroll
  for (int v = 0; v < kOwn; ++v) {
    const int i = begin + 16 * v + lane;
    loaded[v] = i < count ? weight.load(i) : 0.0f;
  }
#pragma unroll
  for (int v = 0; v < kOwn; ++v) {
    const float2 w = weight.of(loaded[v]);
    const bool there = begin + 16 * v + lane < count;
    first += there ? w.x : 0.0f;
    if constexpr (kSecond) second += there ? w.y : 0.0f;
  }
  first = warp_sum<16>(first);
  if constexpr (kSecond) second = warp_sum<16>(second);
  return make_float2(first, second);
}

/// chunk_sum[c] = sum of the weights of chunk c for c in [begin, end), second_sum[c] that of the second numbers when
/// `kSecond`; by all warps of the block, no barrier.
template <bool kSecond, class Weight>
WAM_DEVICE void sum_chunks(const Weight& weight, int count, int begin, int end, float* chunk_sum, float* second_sum) {
  const int blocks = chunk_shape(count).blocks;
  const int warp = static_cast<int>(threadIdx.x) / 32, half = static_cast<int>(threadIdx.x) % 32 / 16;
  const int halves = static_cast<int>(blockDim.x) / 16;
  for (int pair = begin + 2 * warp; pair < end; pair += halves) {
    const int chunk = pair + half;
    const int limit = chunk < end ? count : 0;
    float first = 0, second = 0;
    for (int b = 0; b < blocks; ++b) {
      const float2 block = sum_block<kSecond>(weight, (chunk * blocks + b) * kSumBlock, limit);
      first += block.x;
      second += block.y;
    }
    if (threadIdx.x % 16 == 0 && chunk < end) {
      chunk_sum[chunk] = first;
      if constexpr (kSecond) second_sum[chunk] = second;
    }
  }
}

/// Sum over a row's chunks, in every lane. By one whole warp.
WAM_DEVICE double total_of(const float* chunk_sum, int chunks) {
  double sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % 32; c < chunks; c += 32) sum += static_cast<double>(chunk_sum[c]);
  return warp_sum(sum);
}

/// What one lane knows of a row's chunks: it owns `share` of them, from lane * share.
struct ChunkScan {
  int share;
  double before;  // sum of the chunks of lower lanes
  double total;   // of all; NaN when a chunk's is
};

/// Sum of the lanes below, and of all.
WAM_DEVICE double exclusive_sum(double value, double* total) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  double running = value;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const double below = __shfl_up_sync(kAllLanes, running, distance);
    if (lane >= distance) running += below;
  }
  *total = __shfl_sync(kAllLanes, running, 31);
  const double before = __shfl_up_sync(kAllLanes, running, 1);
  return lane == 0 ? 0.0 : before;
}

/// By one whole warp.
WAM_DEVICE ChunkScan scan_chunks(const float* chunk_sum, int chunks) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  ChunkScan scan;
  scan.share = (chunks - 1) / 32 + 1;
  double own = 0;
  bool broken = false;
  for (int c = lane * scan.share; c < min(chunks, (lane + 1) * scan.share); ++c) {
    const float s = chunk_sum[c];
    own += s > 0 ? static_cast<double>(s) : 0.0;
    broken = broken || s != s;
  }
  scan.before = exclusive_sum(own, &scan.total);
  // A target made of a NaN is never passed: the last token with a weight is taken, as on the CPU.
  if (__any_sync(kAllLanes, broken)) scan.total = static_cast<double>(not_a_number());
  return scan;
}

/// One lane's candidate in a search by running sums: the first place where the sum passes the target, or, when it never
/// does, the last with a weight at all.
struct Candidate {
  int place = -1;
  double start = 0;  // running sum before it
  bool passed = false;
  WAM_DEVICE void offer(int at, float value, double* running, double target, bool inclusive) {
    if (passed || !(value > 0)) return;
    place = at, start = *running;
    *running += static_cast<double>(value);
    passed = inclusive ? *running >= target : *running > target;
  }
};

/// The least passing place over the lanes, whose places ascend; else the last with a weight; else `none` at 0.
WAM_DEVICE Candidate elect(const Candidate& own, int none) {
  const unsigned passing = __ballot_sync(kAllLanes, own.passed), weighted = __ballot_sync(kAllLanes, own.place >= 0);
  const int winner = passing != 0 ? __ffs(static_cast<int>(passing)) - 1 : 31 - __clz(static_cast<int>(weighted));
  Candidate best;
  best.place = __shfl_sync(kAllLanes, own.place, winner & 31);
  best.start = __shfl_sync(kAllLanes, own.start, winner & 31);
  best.passed = passing != 0;
  if (weighted == 0) best.place = none, best.start = 0;
  return best;
}

/// Least index whose running sum exceeds `target`, or reaches it when `inclusive`; never one of weight 0 unless all are
/// (then 0). By one whole warp, all lanes with the same arguments but `scan`.
template <class Weight>
WAM_DEVICE int pick(const Weight& weight, int count, const float* chunk_sum, const ChunkScan& scan, double target,
                    bool inclusive) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const ChunkShape shape = chunk_shape(count);
  Candidate own;
  double running = scan.before;
  for (int c = lane * scan.share; c < min(shape.chunks, (lane + 1) * scan.share); ++c)
    own.offer(c, chunk_sum[c], &running, target, inclusive);
  const Candidate chunk = elect(own, 0);

  int block = chunk.place * shape.blocks;
  double start = chunk.start;
  if (shape.blocks > 1) {
    // The same in every lane: blocks two at a time, one by each half of the warp.
    Candidate found;
    running = chunk.start;
    for (int b = 0; b < shape.blocks; b += 2) {
      const int mine = block + b + lane / 16;
      const float sum = sum_block<false>(weight, mine * kSumBlock, b + lane / 16 < shape.blocks ? count : 0).x;
      found.offer(block + b, __shfl_sync(kAllLanes, sum, 0), &running, target, inclusive);
      found.offer(block + b + 1, __shfl_sync(kAllLanes, sum, 16), &running, target, inclusive);
    }
    if (found.place >= 0) block = found.place, start = found.start;
  }

  const int first = block * kSumBlock + 2 * lane;
  const float w0 = first < count ? weight.of(weight.load(first)).x : 0.0f;
  const float w1 = first + 1 < count ? weight.of(weight.load(first + 1)).x : 0.0f;
  const double d0 = w0 > 0 ? static_cast<double>(w0) : 0.0, d1 = w1 > 0 ? static_cast<double>(w1) : 0.0;
  double total;
  running = start + exclusive_sum(d0 + d1, &total);
  Candidate token;
  token.offer(first, w0, &running, target, inclusive);
  token.offer(first + 1, w1, &running, target, inclusive);
  return elect(token, block * kSumBlock).place;
}

}  // namespace wam::WAM_GPU
