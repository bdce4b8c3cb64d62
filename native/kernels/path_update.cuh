#pragma once
// One refinement step of a row in one launch: posterior from the logits, x_1, and x_t moved along the path. The
// posterior exists in registers only. A row of 20,001 logits (80 KB) is read from L2 for its maximum and from L1 for
// its sums, 1,250 and 625 cycles at 64 and 128 bytes a cycle; its weights take 20 operations a token of 128 lanes,
// 3,100.

#include "core/philox.h"
#include "kernels/path_metric.cuh"
#include "kernels/posterior.cuh"

namespace wam::WAM_GPU {

/// stay: x_t is not touched. jump: leaves at the kinetic-optimal rates. redraw: drawn from p(.|x1). mixture: to x_1
/// with a given probability, else it stays; mixture_redraw: else it becomes `source`, or a uniform token.
enum class PathMove : int { stay, jump, redraw, mixture, mixture_redraw };

struct RefineRowParams {
  int vocab = 0;
  int ldl = 0;
  int logit_rows = 0;             // row i reads logits row i % logit_rows
  int slots = 1;                  // row i is slot i % slots of sample i / slots
  int coupled = 0;                // above 0: slot s draws x_1 with the number of slot s % coupled
  const float* logits = nullptr;  // [logit_rows, vocab]
  PosteriorRule rule = PosteriorRule::argmax;
  float inverse_temperature = 1;
  int top_k = 0;                        // 0: all; 1: the greatest and what ties with it
  const std::uint64_t* seed = nullptr;  // one number
  std::uint32_t step = 0;
  RandomUse move_use = RandomUse::jump;  // word 0: jump or stay, word 1: where to
  const float* uniform = nullptr;        // [gridDim.x] draws of x_1, or null: from the seed
  std::int32_t* x_1 = nullptr;           // [gridDim.x]
  float* log_probability = nullptr;      // [gridDim.x] or null
  float* margin = nullptr;               // [gridDim.x] or null
  PosteriorParts parts;                  // top null: this block sums the row itself

  std::int32_t* x_t = nullptr;  // [gridDim.x]; null with PathMove::stay
  PathMove move = PathMove::stay;
  float beta = 0;  // finite
  float step_weight = 0;
  float power = 1;
  const float* coordinate = nullptr;  // [vocab], ascending
  double radius = 0;                  // of the band, from beta and power
  double mixture_jump = 0;
  int source = -1;
};

/// Blocks have 128 to kThreads threads, by the vocabulary: each warp sums two blocks of 64 tokens at a time.
struct RefineRowConfig {
  static constexpr int kThreads = 1024;
  static constexpr int kMinThreads = 128;
  static constexpr int threads(int vocab) {
    const int wanted = (vocab - 1) / (2 * kSumBlock) * 32 + 32;
    return wanted < kMinThreads ? kMinThreads : wanted < kThreads ? wanted : kThreads;
  }

  // Chunk sums: of the weights that x_1 is drawn by, of the plain posterior, of what moves x_t, of the path's weights.
  // The histogram of a selection is done with before there are sums.
  static constexpr int kSums = 4;
  static constexpr int kTopBytes = kThreads / 32 * static_cast<int>(sizeof(RowTop));
  static constexpr int kSumOffset = kTopBytes + 16;  // after each warp's top and x_1
  static constexpr int shared_bytes(int vocab, bool selects) {
    const int sums = kSums * sum_places(vocab) * 4;
    return kSumOffset + (selects && sums < kDigits * 4 ? kDigits * 4 : sums);
  }
};

/// grid (rows).
template <class Config>
__global__ void __launch_bounds__(Config::kThreads) refine_row(const __grid_constant__ RefineRowParams p) {
  WAM_SHARED(shared);
  const ChunkShape shape = chunk_shape(p.vocab);
  const bool split = p.parts.top != nullptr, selects = !split && p.top_k > 1;
  auto* partial_top = reinterpret_cast<RowTop*>(shared);
  auto* slot = reinterpret_cast<int*>(shared + Config::kTopBytes);
  auto* histogram = reinterpret_cast<unsigned*>(shared + Config::kSumOffset);
  auto* decision_sum = reinterpret_cast<float*>(shared + Config::kSumOffset);
  const int places = sum_places(p.vocab);
  float *plain_sum = decision_sum + places, *move_sum = plain_sum + places, *weight_sum = move_sum + places;

  const int row = static_cast<int>(blockIdx.x), logit_row = row % p.logit_rows;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const float* logits = p.logits + static_cast<std::int64_t>(logit_row) * p.ldl;
  const int x_t = p.move == PathMove::stay ? 0 : p.x_t[row];
  const int slot_of_row = WAM_PLANT(2, row % p.slots, row);
  const int draw_slot = p.coupled > 0 ? slot_of_row % p.coupled : slot_of_row;
  const auto random = [&](RandomUse use, int position) {
    return RandomStream(*p.seed).at(p.step, static_cast<std::uint32_t>(position),
                                    static_cast<std::uint32_t>(row / p.slots), use);
  };

  // --- the posterior ---------------------------------------------------------------------------------------------
  const RowTop top = split ? merged_top(p.parts, logit_row) : block_top(logits, 0, p.vocab, partial_top);
  const float cut =
      selects ? kth_logit(logits, p.vocab, p.top_k, histogram, slot) : cut_of(p.parts, logit_row, p.top_k, top);
  const bool draws = p.rule != PosteriorRule::argmax;
  const PosteriorWeight decision = {logits, top.best, p.inverse_temperature, cut};
  // log p(x_1) is of softmax(logits), whatever x_1 was drawn from.
  const bool tempered = p.inverse_temperature != 1.0f || p.top_k != 0;
  if (split) {
    decision_sum = p.parts.decision_sum + static_cast<std::int64_t>(logit_row) * shape.chunks;
    plain_sum = p.parts.plain_sum + static_cast<std::int64_t>(logit_row) * shape.chunks;
  } else {
    if (draws || p.log_probability != nullptr)
      sum_chunks<false>(decision, p.vocab, 0, shape.chunks, decision_sum, nullptr);
    if (tempered && p.log_probability != nullptr) {
      const PosteriorWeight plain = {logits, top.best, 1.0f, -infinite()};
      sum_chunks<false>(plain, p.vocab, 0, shape.chunks, plain_sum, nullptr);
    }
  }

  // --- x_1 ---------------------------------------------------------------------------------------------------------
  int x_1 = top.token == kNoToken ? 0 : top.token;
  if (draws) {
    __syncthreads();
    if (warp == 0) {
      const ChunkScan scan = scan_chunks(decision_sum, shape.chunks);
      const bool median = p.rule == PosteriorRule::median;
      double share = 0.5;
      if (!median) {
        share = static_cast<double>(
            p.uniform != nullptr ? p.uniform[row] : unit_uniform(random(RandomUse::posterior_draw, draw_slot).word[0]));
      }
      x_1 = pick(decision, p.vocab, decision_sum, scan, share * scan.total, median);
      if (lane == 0) *slot = x_1;
    }
    if (WAM_PLANT(1, true, false)) __syncthreads();
    x_1 = *slot;
  }

  // --- the path around x_1 -------------------------------------------------------------------------------------------
  Band band = {0, 0};
  PathWeight<LineDistance> weight = {{p.coordinate, 0, p.power}, p.beta, 0, p.move == PathMove::jump};
  const bool metric = p.move == PathMove::jump || p.move == PathMove::redraw;
  if (metric) {
    const float anchor = p.coordinate[x_1];
    band = find_band(p.coordinate, p.vocab, anchor, p.radius);  // by every warp for itself: no barrier
    weight.reach = power_of(fabsf(p.coordinate[x_t] - anchor), p.power);
    weight.distance.source = p.coordinate + band.begin;
    weight.distance.anchor = anchor;
    sum_chunks<true>(weight, band.count, 0, chunk_shape(band.count).chunks, move_sum, weight_sum);
  }
  __syncthreads();

  if (warp == 0 && p.move != PathMove::stay) {
    const Philox4 r = random(p.move_use, slot_of_row);
    const float jump = unit_uniform(r.word[0]), draw = unit_uniform(r.word[1]);
    int next = x_t;
    if (metric) {
      next = move_token(weight, band, move_sum, weight_sum, p.step_weight, jump, draw, x_t);
    } else if (static_cast<double>(jump) < p.mixture_jump) {
      next = x_1;
    } else if (p.move == PathMove::mixture_redraw) {
      next = p.source >= 0 ? p.source : min(static_cast<int>(draw * static_cast<float>(p.vocab)), p.vocab - 1);
    }
    if (lane == 0) p.x_t[row] = next;
  }
  if (warp == 1) {  // while warp 0 decides
    if (lane == 0) {
      p.x_1[row] = x_1;
      if (p.margin != nullptr) p.margin[row] = p.vocab < 2 ? 0.0f : top.best - top.second;
    }
    if (p.log_probability != nullptr) {
      const double total = total_of(tempered ? plain_sum : decision_sum, shape.chunks);
      if (lane == 0) {
        p.log_probability[row] =
            static_cast<float>(static_cast<double>(logits[x_1]) - static_cast<double>(top.best) - log(total));
      }
    }
  }
}

}  // namespace wam::WAM_GPU
