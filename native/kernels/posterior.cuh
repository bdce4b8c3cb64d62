#pragma once
// The network's posterior softmax(logits) of a row, read from the logits each time it is needed and never written:
// greatest logit, cut to the top k, sums for an inverse CDF. A row may be summed by one block, or its greatest logit
// and sums be taken by several blocks beforehand (posterior_top, posterior_cut, posterior_sums), with the same bits.

#include "kernels/inverse_cdf.cuh"

namespace wam::WAM_GPU {

enum class PosteriorRule : int { argmax, median, sample };

/// The greatest logit, the first token that has it, and the greatest of the others. NaN has no place in an order.
struct RowTop {
  float best, second;
  int token;  // beyond any when there is none

  // Without branches, which a warp would take both ways of.
  WAM_DEVICE void add(float v, int i) {
    const bool takes = (v > best) | ((v == best) & (i < token));
    second = takes ? best : fmaxf(second, v);
    best = takes ? v : best;
    token = takes ? i : token;
  }
  WAM_DEVICE void merge(const RowTop& other) {
    const bool theirs = (other.best > best) | ((other.best == best) & (other.token < token));
    second = fmaxf(theirs ? best : second, theirs ? other.second : other.best);
    best = theirs ? other.best : best;
    token = theirs ? other.token : token;
  }
};
inline constexpr int kNoToken = 0x7fffffff;
WAM_DEVICE RowTop no_top() { return {-infinite(), -infinite(), kNoToken}; }

WAM_DEVICE RowTop warp_top(RowTop top) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    RowTop other;
    other.best = __shfl_xor_sync(kAllLanes, top.best, distance);
    other.second = __shfl_xor_sync(kAllLanes, top.second, distance);
    other.token = __shfl_xor_sync(kAllLanes, top.token, distance);
    top.merge(other);
  }
  return top;
}

/// Top of tokens [begin, end) over the whole block, in every thread. `partial` [32] is shared. One barrier, and one
/// more is due before `partial` is used again.
WAM_DEVICE RowTop block_top(const float* logits, int begin, int end, RowTop* partial) {
  constexpr int kLoads = 4;  // in flight: a thread's row is 20 long at most before rows are split
  const int threads = static_cast<int>(blockDim.x);
  RowTop top = no_top();
  for (int base = begin + static_cast<int>(threadIdx.x); base < end; base += kLoads * threads) {
    float v[kLoads];
#pragma unroll
    for (int j = 0; j < kLoads; ++j) v[j] = end - base > j * threads ? logits[base + j * threads] : not_a_number();
#pragma unroll
    for (int j = 0; j < kLoads; ++j) top.add(v[j], base + j * threads);
  }
  top = warp_top(top);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) partial[threadIdx.x / 32] = top;
  __syncthreads();
  // Each warp merges for itself: no second barrier to hand the result round.
  return warp_top(lane < threads / 32 ? partial[lane] : no_top());
}

// --- cut to the top k ------------------------------------------------------------------------------------------------

/// Order of floats as order of unsigned numbers; NaN as -inf.
WAM_DEVICE unsigned order_key(float v) {
  const unsigned bits = __float_as_uint(v == v ? v : -infinite());
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
WAM_DEVICE float key_value(unsigned key) {
  return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key);
}

inline constexpr int kDigitBits = 11,
                     kDigits = 1 << kDigitBits;  // of floats: sign, exponent, two bits of mantissa first

/// The lane in which the running sum of `count` over lanes reaches k, and what lower lanes have together. By one warp;
/// the last lane when none does.
WAM_DEVICE int2 find_lane(int count, int k) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int running = count;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const int below = __shfl_up_sync(kAllLanes, running, distance);
    if (lane >= distance) running += below;
  }
  const unsigned reached = __ballot_sync(kAllLanes, running >= k);
  const int owner = reached != 0 ? __ffs(static_cast<int>(reached)) - 1 : 31;
  return make_int2(owner, __shfl_sync(kAllLanes, running - count, owner));
}

/// x: the digit that the k-th largest number (k >= 1) has, y: its place among the numbers with that digit. By one warp.
WAM_DEVICE int2 find_digit(const unsigned* histogram, int k) {
  constexpr int kOwn = kDigits / 32;  // bins of a lane, lane 0 those of the greatest digits
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int greatest = kDigits - 1 - lane * kOwn;
  int count = 0;
  for (int j = 0; j < kOwn; ++j)
    count += static_cast<int>(histogram[greatest - (j + lane) % kOwn]);  // each lane its bank
  const int2 owner = find_lane(count, k);
  // The owner's 64 bins, two a lane.
  const int first = kDigits - 1 - owner.x * kOwn - 2 * lane;
  const int upper = static_cast<int>(histogram[first]), lower = static_cast<int>(histogram[first - 1]);
  const int2 pair = find_lane(upper + lower, k - owner.y);
  const int left = k - owner.y - pair.y;  // of the pair, in every lane
  const bool in_upper = left <= upper;
  const int digit = __shfl_sync(kAllLanes, in_upper ? first : first - 1, pair.x);
  return make_int2(digit, __shfl_sync(kAllLanes, in_upper ? left : left - upper, pair.x));
}

/// The k-th largest of the unsigned numbers key(i), i < count, 1 <= k <= count: radix select, a reading of all for
/// every 11 bits. In every thread of the block. `histogram` [kDigits] is shared; `slot` is two shared ints. Ends in a
/// barrier.
template <class Key, class Number>
WAM_DEVICE Key kth_largest(const Number& key, int count, int k, unsigned* histogram, int* slot) {
  constexpr int kBits = 8 * static_cast<int>(sizeof(Key));
  Key prefix = 0;
  int left = k;
  for (int known = 0; known < kBits;) {
    const int bits = min(kDigitBits, kBits - known), shift = kBits - known - bits;
    for (int b = static_cast<int>(threadIdx.x); b < kDigits; b += static_cast<int>(blockDim.x)) histogram[b] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      const Key rest = key(i) >> shift;
      if (known == 0 || rest >> bits == prefix)
        atomicAdd(&histogram[static_cast<unsigned>(rest) & ((1u << bits) - 1)], 1u);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      const int2 found = find_digit(histogram, left);
      if (threadIdx.x == 0) {
        slot[0] = found.x;
        slot[1] = found.y;
      }
    }
    __syncthreads();
    prefix = prefix << bits | static_cast<Key>(slot[0]);
    left = slot[1];
    known += bits;
  }
  __syncthreads();
  return prefix;
}

/// The k-th largest logit of a row.
WAM_DEVICE float kth_logit(const float* logits, int vocab, int k, unsigned* histogram, int* slot) {
  const auto key = [logits](int i) { return order_key(logits[i]); };
  return key_value(kth_largest<unsigned>(key, vocab, k, histogram, slot));
}

// --- weights ---------------------------------------------------------------------------------------------------------

/// exp((logit - top) / temperature) where the logit reaches the cut, else 0; NaN has no weight.
struct PosteriorWeight {
  const float* logits;
  float top, inverse_temperature, cut;
  WAM_DEVICE float load(int i) const { return logits[i]; }
  WAM_DEVICE float2 of(float logit) const {
    const float e = path_exp((logit - top) * inverse_temperature);
    return make_float2(logit >= cut ? e : 0.0f, 0.0f);
  }
};

// --- rows over several blocks ----------------------------------------------------------------------------------------

/// What posterior_top, posterior_cut and posterior_sums leave for the kernel that decides, a row of logits each.
struct PosteriorParts {
  RowTop* top = nullptr;          // [rows, splits]
  float* cut = nullptr;           // [rows], or null: no cut
  float* decision_sum = nullptr;  // [rows, chunks] of the weights that x_1 is drawn by
  float* plain_sum = nullptr;     // [rows, chunks] of softmax(logits); null: not wanted, or the same
  int splits = 0;                 // 32 at most
};

struct PosteriorPartParams {
  int vocab = 0;
  int ldl = 0;
  const float* logits = nullptr;  // [gridDim.x, vocab]
  int top_k = 0;                  // 0: all; 1: the greatest and what ties with it
  float inverse_temperature = 1;
  PosteriorParts parts;
};

struct PosteriorPartConfig {
  static constexpr int kThreads = 512;
  static constexpr int kMaxSplits = 32;  // one a lane of the warp that merges them
  static constexpr int kTopBytes = kThreads / 32 * static_cast<int>(sizeof(RowTop));
  static constexpr int kCutBytes = kDigits * 4 + 8;
};

/// First chunk of a split; splits take whole chunks, so sums do not depend on their number.
__host__ __device__ constexpr int split_begin(int chunks, int split, int splits) {
  return static_cast<int>(static_cast<long long>(chunks) * split / splits);
}

/// grid (rows, splits): the top of each split.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) posterior_top(const __grid_constant__ PosteriorPartParams p) {
  WAM_SHARED(shared);
  const int row = static_cast<int>(blockIdx.x), split = static_cast<int>(blockIdx.y), splits = p.parts.splits;
  const ChunkShape shape = chunk_shape(p.vocab);
  const int tokens = shape.blocks * kSumBlock;
  const int begin = split_begin(shape.chunks, split, splits) * tokens;
  const int end = min(p.vocab, split_begin(shape.chunks, split + 1, splits) * tokens);
  const float* logits = p.logits + static_cast<std::int64_t>(row) * p.ldl;
  const RowTop top = block_top(logits, begin, end, reinterpret_cast<RowTop*>(shared));
  if (threadIdx.x == 0) p.parts.top[static_cast<std::int64_t>(row) * splits + split] = top;
}

/// grid (rows): the k-th largest logit.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) posterior_cut(const __grid_constant__ PosteriorPartParams p) {
  WAM_SHARED(shared);
  auto* histogram = reinterpret_cast<unsigned*>(shared);
  const float* logits = p.logits + static_cast<std::int64_t>(blockIdx.x) * p.ldl;
  const float cut = kth_logit(logits, p.vocab, p.top_k, histogram, reinterpret_cast<int*>(histogram + kDigits));
  if (threadIdx.x == 0) p.parts.cut[blockIdx.x] = cut;
}

/// Merges a row's splits: in every lane of a warp.
WAM_DEVICE RowTop merged_top(const PosteriorParts& parts, int row) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  return warp_top(lane < parts.splits ? parts.top[static_cast<std::int64_t>(row) * parts.splits + lane] : no_top());
}

/// The cut that a row's weights have: -inf for none.
WAM_DEVICE float cut_of(const PosteriorParts& parts, int row, int top_k, const RowTop& top) {
  if (parts.cut != nullptr) return parts.cut[row];
  return top_k == 1 ? top.best : -infinite();
}

/// grid (rows, splits): sums of the chunks of each split.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) posterior_sums(const __grid_constant__ PosteriorPartParams p) {
  const int row = static_cast<int>(blockIdx.x), split = static_cast<int>(blockIdx.y);
  const int chunks = chunk_shape(p.vocab).chunks;
  const int begin = split_begin(chunks, split, p.parts.splits), end = split_begin(chunks, split + 1, p.parts.splits);
  const RowTop top = merged_top(p.parts, row);
  const float* logits = p.logits + static_cast<std::int64_t>(row) * p.ldl;
  const std::int64_t at = static_cast<std::int64_t>(row) * chunks;
  const PosteriorWeight decision = {logits, top.best, p.inverse_temperature, cut_of(p.parts, row, p.top_k, top)};
  sum_chunks<false>(decision, p.vocab, begin, end, p.parts.decision_sum + at, nullptr);
  if (p.parts.plain_sum != nullptr) {
    const PosteriorWeight plain = {logits, top.best, 1.0f, -infinite()};
    sum_chunks<false>(plain, p.vocab, begin, end, p.parts.plain_sum + at, nullptr);
  }
}

}  // namespace wam::WAM_GPU
