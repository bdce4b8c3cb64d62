#pragma once
// Triplet margin on rows of a table and its gradient, in double: neighbours of a 20,001-token table are 1e-4 apart,
// where float has four digits left of a difference. 4,096 triplets of 64 dimensions are some 17 million double
// operations (6 in the distances, 11 in the gradient): 2 us of an H100's 64 a cycle and multiprocessor, 27 us of an RTX
// 4090's 2, where AdamW on the 20,001 x 64 table takes as long to move its 36 MB.
//
// A row of the gradient is summed by one warp over the triplets that pull at it, in their order and in double, and
// rounded once. The lists are linked as on the CPU: place 3 i + role of `next` (role 0 anchor, 1 positive, 2 negative).

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

/// What the gradient needs of a triplet; all zero but the inverse norms when it does not pull.
struct TripletTerms {
  double inverse[3];   // 1/norm of the anchor, positive and negative row; 1 when rows are not normalised
  double to_positive;  // share / |a-p+eps|, 0 at distance 0
  double to_negative;  // share / |a-n+eps|
  double along[3];     // z . d loss/dz of each role, to be projected out; 0 below the norm's floor
};
static_assert(sizeof(TripletTerms) == 64);

struct TripletDistancesParams {
  int count = 0;
  int dim = 0;
  const float* table = nullptr;            // [vocab, dim]
  const std::int32_t* anchor = nullptr;    // [count]
  const std::int32_t* positive = nullptr;  // [count]
  const std::int32_t* negative = nullptr;  // [count]
  const float* margin = nullptr;           // [count]
  int normalise = 0;
  double eps = 0;
  double share = 0;               // of the loss in the mean: scale / count
  double* loss = nullptr;         // [gridDim.x] sums of max(0, hinge)
  TripletTerms* terms = nullptr;  // [count], null when no gradient follows
  std::int32_t* row = nullptr;    // [3 count] the table row at each place, -1 when it is not pulled at
};

/// Eight lanes a triplet: the eight interleaved partial sums of the CPU backend.
struct TripletDistancesConfig {
  static constexpr int kThreads = 256;
  static constexpr int kLanes = 8;
  static constexpr int kTriplets = kThreads / kLanes;
  static constexpr int kMaxBlocks = 256;  // whose sums the host adds up
  static constexpr int kSharedBytes = 8 * kReduceScratch<kThreads>;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    triplet_distances(const __grid_constant__ TripletDistancesParams p) {
  WAM_SHARED(shared);
  constexpr int kLanes = Config::kLanes;
  constexpr double kFloor = 1e-12;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  double loss = 0;
  for (int base = static_cast<int>(blockIdx.x) * Config::kTriplets; base < p.count;
       base += static_cast<int>(gridDim.x) * Config::kTriplets) {
    const int at = base + static_cast<int>(threadIdx.x) / kLanes;
    const bool own = at < p.count;
    const int i = own ? at : p.count - 1;
    const std::int32_t id[3] = {p.anchor[i], p.positive[i], p.negative[i]};
    const float* a = p.table + static_cast<std::int64_t>(id[0]) * p.dim;
    const float* b = p.table + static_cast<std::int64_t>(id[1]) * p.dim;
    const float* c = p.table + static_cast<std::int64_t>(id[2]) * p.dim;
    double inverse[3] = {1, 1, 1};
    bool projected[3] = {false, false, false};
    if (p.normalise) {
      double square[3] = {0, 0, 0};
      for (int k = lane; k < p.dim; k += kLanes) {
        const double x[3] = {static_cast<double>(a[k]), static_cast<double>(b[k]), static_cast<double>(c[k])};
#pragma unroll
        for (int r = 0; r < 3; ++r) square[r] = fma(x[r], x[r], square[r]);
      }
#pragma unroll
      for (int r = 0; r < 3; ++r) {
        const double norm = sqrt(warp_sum<kLanes>(square[r]));
        projected[r] = !(norm < kFloor);
        inverse[r] = 1 / (norm < kFloor ? kFloor : norm);
      }
    }
    double square_positive = 0, square_negative = 0;
    for (int k = lane; k < p.dim; k += kLanes) {
      const double za = static_cast<double>(a[k]) * inverse[0];
      const double to_positive = za - static_cast<double>(b[k]) * inverse[1] + p.eps;
      const double to_negative = za - static_cast<double>(c[k]) * inverse[2] + p.eps;
      square_positive = fma(to_positive, to_positive, square_positive);
      square_negative = fma(to_negative, to_negative, square_negative);
    }
    const double positive = sqrt(warp_sum<kLanes>(square_positive));
    const double negative = sqrt(warp_sum<kLanes>(square_negative));
    const double hinge = positive - negative + static_cast<double>(p.margin[i]);
    const bool pulls = hinge > 0;
    if (own && pulls && lane == 0) loss += hinge;
    if (p.terms == nullptr) continue;

    // d|x|/dx = x/|x|, and 0 at 0. z = x/|x|: dx = (dz - z (z.dz)) / |x|; below the floor z is x times a constant.
    const double cp = pulls && positive > 0 ? p.share / positive : 0;
    const double cn = pulls && negative > 0 ? p.share / negative : 0;
    double along[3] = {0, 0, 0};
    if (p.normalise) {
      for (int k = lane; k < p.dim; k += kLanes) {
        const double za = static_cast<double>(a[k]) * inverse[0];
        const double zp = static_cast<double>(b[k]) * inverse[1], zn = static_cast<double>(c[k]) * inverse[2];
        const double pull = cp * (za - zp + p.eps), push = cn * (za - zn + p.eps);
        along[0] = fma(za, pull - push, along[0]);
        along[1] = fma(zp, -pull, along[1]);
        along[2] = fma(zn, push, along[2]);
      }
#pragma unroll
      for (int r = 0; r < 3; ++r) {
        along[r] = warp_sum<kLanes>(along[r]);
        if (!projected[r]) along[r] = 0;
      }
    }
    if (own && lane == 0) {
      p.terms[i] = {{inverse[0], inverse[1], inverse[2]}, cp, cn, {along[0], along[1], along[2]}};
    }
    if (own && lane < 3) {
      const std::int32_t mine = lane == 0 ? id[0] : lane == 1 ? id[1] : id[2];
      p.row[3 * i + lane] = pulls ? mine : -1;
    }
  }
  loss = block_sum<Config::kThreads>(loss, reinterpret_cast<double*>(shared));
  if (threadIdx.x == 0) p.loss[blockIdx.x] = loss;
}

struct TripletListsParams {
  int places = 0;  // 3 count
  int vocab = 0;
  const std::int32_t* row = nullptr;  // [places] of TripletDistancesParams
  int rows_per_warp = 0;
  std::int32_t* first = nullptr;  // [vocab] the first place of each row, -1: none
  std::int32_t* next = nullptr;   // [places] the place after, of the same row, -1: none
};

/// A warp owns a range of table rows and reads all places from the last to the first, 32 at a time, putting its own at
/// the head of their lists: no sort, no atomics. 12,288 places are 384 steps of a coalesced read and a vote, from the
/// L1 that the block's eight warps share; about 12 steps of a warp find something.
struct TripletListsConfig {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / 32;
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) triplet_lists(const __grid_constant__ TripletListsParams p) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(blockIdx.x) * Config::kWarps + static_cast<int>(threadIdx.x) / 32;
  const std::int64_t begin = static_cast<std::int64_t>(warp) * p.rows_per_warp;
  const std::int64_t limit = begin + p.rows_per_warp;
  const std::int64_t end = limit < p.vocab ? limit : p.vocab;
  for (std::int64_t v = begin + lane; v < end; v += 32) p.first[v] = -1;
  __syncwarp(kAllLanes);
  if (begin < end) {  // of the whole warp
    for (int base = (p.places - 1) / 32 * 32; base >= 0; base -= 32) {
      const int place = base + lane;
      const std::int32_t row = place < p.places ? p.row[place] : -1;
      const bool own = row >= begin && row < end;
      if (__ballot_sync(kAllLanes, own) == 0) continue;
      const unsigned same = __match_any_sync(kAllLanes, own ? row : -1);
      const unsigned above = lane == 31 ? 0u : same & (0xffffffffu << (lane + 1));
      const unsigned below = same & ((1u << lane) - 1);
      if (own) p.next[place] = above != 0 ? base + __ffs(static_cast<int>(above)) - 1 : p.first[row];
      __syncwarp(kAllLanes);  // the old head has been read
      if (own && below == 0) p.first[row] = place;
      __syncwarp(kAllLanes);
    }
  }
}

struct TripletGradientParams {
  int places = 0;  // 3 count
  int dim = 0;
  const float* table = nullptr;            // [vocab, dim]
  const std::int32_t* anchor = nullptr;    // [count]
  const std::int32_t* positive = nullptr;  // [count]
  const std::int32_t* negative = nullptr;  // [count]
  double eps = 0;
  const TripletTerms* terms = nullptr;  // [count]
  const std::int32_t* row = nullptr;    // [places]
  const std::int32_t* first = nullptr;  // [vocab]; null: every place for itself, added with atomics
  const std::int32_t* next = nullptr;   // [places]
  float* dtable = nullptr;              // [vocab, dim], added to
};

/// A warp takes a place; the first of a row walks the row's list. 128 dimensions at a time in registers.
struct TripletGradientConfig {
  static constexpr int kThreads = 256;
  static constexpr int kPlaces = kThreads / 32;
  static constexpr int kDims = 4;  // of a lane
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) triplet_gradient(const __grid_constant__ TripletGradientParams p) {
  constexpr int kDims = Config::kDims;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int head = static_cast<int>(blockIdx.x) * Config::kPlaces + static_cast<int>(threadIdx.x) / 32;
  if (head >= p.places) return;
  const std::int32_t row = p.row[head];
  if (row < 0 || (p.first != nullptr && p.first[row] != head)) return;
  for (int begin = lane; begin < p.dim; begin += 32 * kDims) {
    double gradient[kDims] = {};
    for (int place = head; place >= 0; place = p.first != nullptr ? p.next[place] : -1) {
      const int i = place / 3, role = place % 3;
      const TripletTerms& t = p.terms[i];
      const float* a = p.table + static_cast<std::int64_t>(p.anchor[i]) * p.dim;
      const float* b = p.table + static_cast<std::int64_t>(p.positive[i]) * p.dim;
      const float* c = p.table + static_cast<std::int64_t>(p.negative[i]) * p.dim;
      const double ia = t.inverse[0], ip = t.inverse[1], in = t.inverse[2], along = t.along[role];
      const double inverse = role == 0 ? ia : role == 1 ? ip : in;
      const double cp = role == 0 ? t.to_positive : role == 1 ? -t.to_positive : 0;
      const double cn = role == 0 ? -t.to_negative : role == 1 ? 0 : t.to_negative;
#pragma unroll
      for (int d = 0; d < kDims; ++d) {
        const int k = begin + 32 * d;
        if (k >= p.dim) continue;
        const double za = static_cast<double>(a[k]) * ia, zp = static_cast<double>(b[k]) * ip;
        const double zn = static_cast<double>(c[k]) * in, own = role == 0 ? za : role == 1 ? zp : zn;
        const double pull = cp * (za - zp + p.eps) + cn * (za - zn + p.eps);
        gradient[d] += inverse * (pull - own * along);
      }
    }
#pragma unroll
    for (int d = 0; d < kDims; ++d) {
      const int k = begin + 32 * d;
      if (k >= p.dim) continue;
      float* to = p.dtable + static_cast<std::int64_t>(row) * p.dim + k;
      if (p.first != nullptr) {
        *to = static_cast<float>(static_cast<double>(*to) + gradient[d]);
      } else {
        atomicAdd(to, static_cast<float>(gradient[d]));
      }
    }
  }
}

}  // namespace wam::WAM_GPU
