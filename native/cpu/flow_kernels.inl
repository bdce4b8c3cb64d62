// Rows of the metric path and of the posterior. See flow_kernels.h.

#include "cpu/flow_kernels.h"

namespace wam::cpu::WAM_ISA {

#include "cpu/flow_triplet.inl"

// Query rows that share one load of a token tile; all accumulators stay in registers.
#if defined(WAM_ISA_AVX512)
constexpr int kQueryRows = 8;
#else
constexpr int kQueryRows = 4;
#endif
// Sums of squares are taken over 16 dimensions, these over 256, and these in turn: an error of a few ulp for any width.
// Distances near 4 are squared again, so that ulps count against an absolute limit.
constexpr int kSumDims = 16, kGroupDims = 256;
constexpr int kBlockVecs = kSumBlock / kLanes;
constexpr real kInfinite = static_cast<real>(__builtin_inf());

/// 1 / max(|x|, 1e-12), close to double's precision: lanes are summed in float, their sums in double.
inline double vector_inverse_norm(int dim, const real* x) {
  double square = 0;
  for (int begin = 0; begin < dim; begin += 4 * kLanes) {
    const int end = smaller(dim, begin + 4 * kLanes);
    Vec squares = zero();
    for (int p = begin; p < end; p += kLanes) {
      const Vec v = load_partial(x + p, smaller(kLanes, end - p));
      squares = fma(v, v, squares);
    }
    real lane[kLanes];
    store(lane, squares);
    double part[4] = {};
    for (int l = 0; l < kLanes; ++l) part[l % 4] += static_cast<double>(lane[l]);
    square += (part[0] + part[1]) + (part[2] + part[3]);
  }
  // The square of a norm above 1e19 does not fit float.
  if (!(square < 1e37)) return inverse_norm(dim, x, nullptr);
  return 1 / larger(scalar_sqrt(square), 1e-12);
}

inline void normalise_row(int dim, const real* x, real* z) {
  const double inverse = vector_inverse_norm(dim, x);
  // The factor in two parts: rounded to one, all elements would share its error.
  const auto high = static_cast<real>(inverse);
  const Vec factor = splat(high), rest = splat(static_cast<real>(inverse - static_cast<double>(high)));
  for (int p = 0; p < dim; p += kLanes) {
    const int lanes = smaller(kLanes, dim - p);
    const Vec v = load_partial(x + p, lanes);
    store_partial(z + p, fma(v, factor, v * rest), lanes);
  }
}

/// transposed[p*16 + l] = dimension p of token l; the lanes of missing tokens and the padding dimensions are 0.
inline void fill_tile(int tokens, int dim, const real* table, bool normalise, real* rows, real* transposed) {
  const int width = (dim + kLanes - 1) / kLanes * kLanes;
  const real* source[kLanes];
  for (int l = 0; l < kLanes; ++l) {
    source[l] = l < tokens ? table + static_cast<int64_t>(l) * dim : nullptr;
    if (l < tokens && normalise) {
      normalise_row(dim, source[l], rows + l * width);
      source[l] = rows + l * width;
    }
  }
  for (int p = 0; p < dim; p += kLanes) {
    const int count = smaller(kLanes, dim - p);
    Vec block[kLanes];
    for (int l = 0; l < kLanes; ++l) block[l] = source[l] != nullptr ? load_partial(source[l] + p, count) : zero();
    transpose(block);
    for (int i = 0; i < kLanes; ++i) store(transposed + (p + i) * kLanes, block[i]);
  }
}

/// out[r] lane l = |token l - query row r|^2. One order of summation whatever kRows is.
template <int kRows>
inline void tile_distances(const real* transposed, int dim, const real* query, int64_t ldq, Vec* out) {
  for (int r = 0; r < kRows; ++r) out[r] = zero();
  for (int group = 0; group < dim; group += kGroupDims) {
    const int group_end = smaller(dim, group + kGroupDims);
    Vec group_sum[kRows];
    for (int r = 0; r < kRows; ++r) group_sum[r] = zero();
    for (int begin = group; begin < group_end; begin += kSumDims) {
      const int end = smaller(group_end, begin + kSumDims);
      Vec part[kRows];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) part[r] = zero();
      for (int p = begin; p < end; ++p) {
        const Vec token = load(transposed + p * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const Vec difference = token - splat(query[r * ldq + p]);
          part[r] = fma(difference, difference, part[r]);
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) group_sum[r] = group_sum[r] + part[r];
    }
    for (int r = 0; r < kRows; ++r) out[r] = out[r] + group_sum[r];
  }
}

/// f(token block, tokens in it, query row, distances) over all blocks and rows.
template <class F>
inline void each_distance(int vocab, int dim, const real* table, bool normalise, int rows, const real* query,
                          real* tile, F f) {
  const int width = (dim + kLanes - 1) / kLanes * kLanes;
  real* transposed = tile + kLanes * width;
  for (int v = 0; v < vocab; v += kLanes) {
    const int tokens = smaller(kLanes, vocab - v);
    fill_tile(tokens, dim, table + static_cast<int64_t>(v) * dim, normalise, tile, transposed);
    Vec distance[kQueryRows];
    int r = 0;
    for (; r + kQueryRows <= rows; r += kQueryRows) {
      tile_distances<kQueryRows>(transposed, dim, query + static_cast<int64_t>(r) * dim, dim, distance);
      for (int i = 0; i < kQueryRows; ++i) f(v, tokens, r + i, distance[i]);
    }
    for (; r < rows; ++r) {
      tile_distances<1>(transposed, dim, query + static_cast<int64_t>(r) * dim, dim, distance);
      f(v, tokens, r, distance[0]);
    }
  }
}

inline void table_distances(int vocab, int dim, const real* table, bool normalise, int rows, const real* query,
                            bool squared, real* tile, real* out, int ldo) {
  each_distance(vocab, dim, table, normalise, rows, query, tile, [&](int v, int tokens, int r, Vec distance) {
    if (squared) distance = distance * distance;
    store_partial(out + static_cast<int64_t>(r) * ldo + v, distance, tokens);
  });
}

inline Vec power_of(Vec x, real power) {
  if (power == 1) return x;
  const Vec square = x * x;
  if (power == 2) return square;
  if (power == 4) return square * square;
  // log(0) = -inf, and exp of it is 0
  return exp(splat(power) * log(x));
}

inline void line_distances(int count, const real* coordinate, real anchor, real power, real* out) {
  const Vec origin = splat(anchor);
  for (int i = 0; i < count; i += kLanes) {
    const int n = smaller(kLanes, count - i);
    store_partial(out + i, power_of(abs(load_partial(coordinate + i, n) - origin), power), n);
  }
}

/// Calls f(offset, lanes) for each vector of the row, which returns the weights to be summed, and sums by blocks.
template <class F>
inline double sum_row(int count, real* block_sum, F f) {
  double total = 0;
  int b = 0;
  for (; (b + 1) * kSumBlock <= count; ++b) {
    Vec part = zero();
#pragma GCC unroll 4
    for (int v = 0; v < kBlockVecs; ++v) part = part + f(b * kSumBlock + v * kLanes, kLanes);
    block_sum[b] = sum(part);
    total += static_cast<double>(block_sum[b]);
  }
  if (b * kSumBlock < count) {
    Vec part = zero();
    for (int i = b * kSumBlock; i < count; i += kLanes) part = part + f(i, smaller(kLanes, count - i));
    block_sum[b] = sum(part);
    total += static_cast<double>(block_sum[b]);
  }
  return total;
}

WAM_INLINE Vec load_lanes_or(const real* p, int lanes, real fill) {
  return lanes == kLanes ? load(p) : load_partial(p, lanes, fill);
}
WAM_INLINE void store_whole(real* p, Vec v, int lanes) {
  if (lanes == kLanes) {
    store(p, v);
  } else {
    store_partial(p, v, lanes);
  }
}

inline Vec only(int lanes, Vec v) { return lanes == kLanes ? v : select(first_lanes(lanes), v, zero()); }

/// exp(-beta d), d and beta not below 0.
inline double metric_weights(int count, const real* distance, real beta, real* weight, real* block_sum) {
  const Vec minus_beta = splat(-beta);
  return sum_row(count, block_sum, [=](int i, int lanes) {
    const Vec e = only(lanes, exp_to_one(minus_beta * load_lanes_or(distance + i, lanes, 0)));
    store_whole(weight + i, e, lanes);
    return e;
  });
}

/// The sums of e and of e * max(0, reach - d), e = exp(-beta d), in one pass over distances d(i, lanes).
template <class D>
WAM_INLINE double rates_of(int count, real beta, real reach, real* rate, real* block_sum, double* rate_sum, D d_of) {
  const Vec minus_beta = splat(-beta), limit = splat(reach);
  double weights = 0;
  Vec weight_part = zero();
  *rate_sum = sum_row(count, block_sum, [&](int i, int lanes) {
    const Vec d = d_of(i, lanes);
    const Vec e = only(lanes, exp_to_one(minus_beta * d));
    const Vec r = e * max(limit - d, zero());
    store_whole(rate + i, r, lanes);
    weight_part = weight_part + e;
    if ((i + kLanes) % kSumBlock == 0 || i + kLanes >= count) {
      weights += static_cast<double>(sum(weight_part));
      weight_part = zero();
    }
    return r;
  });
  return weights;
}
inline double metric_rates(int count, const real* distance, real beta, real reach, real* rate, real* block_sum,
                           double* rate_sum) {
  return rates_of(count, beta, reach, rate, block_sum, rate_sum,
                  [=](int i, int lanes) { return load_lanes_or(distance + i, lanes, 0); });
}
inline double line_rates(int count, const real* coordinate, real anchor, real power, real beta, real reach, real* rate,
                         real* block_sum, double* rate_sum) {
  const Vec origin = splat(anchor);
  const auto steps = [=](int i, int lanes) { return abs(load_lanes_or(coordinate + i, lanes, anchor) - origin); };
  if (power == 1) return rates_of(count, beta, reach, rate, block_sum, rate_sum, steps);
  return rates_of(count, beta, reach, rate, block_sum, rate_sum,
                  [=](int i, int lanes) { return power_of(steps(i, lanes), power); });
}

/// One vector of logit weights.
WAM_INLINE Vec logit_weight(const real* logits, int lanes, Vec top, Vec inverse_temperature, Vec cut) {
  const Vec logit = load_lanes_or(logits, lanes, -kInfinite);
  return only(lanes, select(ge(logit, cut), exp_to_one((logit - top) * inverse_temperature), zero()));
}
inline double logit_sums(int count, const real* logits, real highest, real inverse_temperature, real threshold,
                         real* block_sum) {
  const Vec top = splat(highest), inverse = splat(inverse_temperature), cut = splat(threshold);
  return sum_row(count, block_sum,
                 [=](int i, int lanes) { return logit_weight(logits + i, lanes, top, inverse, cut); });
}
inline void logit_weights(int count, const real* logits, real highest, real inverse_temperature, real threshold,
                          real* weight) {
  const Vec top = splat(highest), inverse = splat(inverse_temperature), cut = splat(threshold);
  for (int i = 0; i < count; i += kLanes) {
    const int lanes = smaller(kLanes, count - i);
    store_whole(weight + i, logit_weight(logits + i, lanes, top, inverse, cut), lanes);
  }
}

#include "cpu/flow_table.inl"

inline real row_max(int count, const real* x) {
  // max gives its second operand when one is NaN
  Vec best[4];
  for (Vec& v : best) v = splat(-kInfinite);
  int i = 0;
  for (; i + kSumBlock <= count; i += kSumBlock) {
#pragma GCC unroll 4
    for (int v = 0; v < kBlockVecs; ++v) best[v] = max(load(x + i + v * kLanes), best[v]);
  }
  for (; i < count; i += kLanes) best[0] = max(load_partial(x + i, smaller(kLanes, count - i), -kInfinite), best[0]);
  return max_lane(max(max(best[0], best[1]), max(best[2], best[3])));
}

/// The greatest element less the greatest of the others; NaN left out, 0 when there are not two.
inline real top_two_gap(int count, const real* x) {
  Vec first = splat(-kInfinite), second = first;
  for (int i = 0; i < count; i += kLanes) {
    // max gives its second operand when one is NaN
    const Vec v = max(load_lanes_or(x + i, smaller(kLanes, count - i), -kInfinite), splat(-kInfinite));
    second = max(second, min(first, v));
    first = max(first, v);
  }
  real a[kLanes], b[kLanes];
  store(a, first), store(b, second);
  real best = -kInfinite, next = -kInfinite;
  for (int l = 0; l < kLanes; ++l) {
    const real both = smaller(best, a[l]);
    best = larger(best, a[l]);
    next = larger(larger(next, both), b[l]);
  }
  return next > -kInfinite ? best - next : 0;
}

/// RandomStream::at(step, row % slots, row / slots, use) of rows [0, rows): unit_uniform of word 0, and of word 1 to
/// `second` unless it is null. Sixteen rows side by side.
inline void row_uniforms(const RowCounters& c, int rows, float* first, float* second) {
  uint32_t slot = 0, sample = 0;
  for (int begin = 0; begin < rows; begin += kLanes) {
    uint32_t slots[kLanes], samples[kLanes];
    for (int l = 0; l < kLanes; ++l) {
      slots[l] = slot, samples[l] = sample;
      if (++slot == c.slots) slot = 0, ++sample;
    }
    Words w0 = splat_words(c.step), w1 = load_words(slots), w2 = load_words(samples), w3 = splat_words(c.use);
    uint32_t key0 = c.key0, key1 = c.key1;
    for (int round = 0; round < 10; ++round) {
      Words low0, low1;
      const Words high0 = multiply_words(w0, 0xD2511F53u, &low0), high1 = multiply_words(w2, 0xCD9E8D57u, &low1);
      w0 = high1 ^ w1 ^ splat_words(key0);
      w2 = high0 ^ w3 ^ splat_words(key1);
      w1 = low1, w3 = low0;
      key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
    }
    uint32_t words[2][kLanes];
    memcpy(words[0], &w0, sizeof words[0]);
    memcpy(words[1], &w1, sizeof words[1]);
    const int count = smaller(kLanes, rows - begin);
    for (int l = 0; l < count; ++l)
      first[begin + l] = static_cast<float>(static_cast<int32_t>(words[0][l] >> 8)) * 0x1p-24f;
    if (second == nullptr) continue;
    for (int l = 0; l < count; ++l)
      second[begin + l] = static_cast<float>(static_cast<int32_t>(words[1][l] >> 8)) * 0x1p-24f;
  }
}

inline int first_equal(int count, const real* x, real value) {
  const Vec wanted = splat(value);
  for (int i = 0; i < count; i += kLanes) {
    const int lanes = smaller(kLanes, count - i);
    const unsigned hits = bits(eq(load_partial(x + i, lanes), wanted) & first_lanes(lanes));
    if (hits != 0) return i + __builtin_ctz(hits);
  }
  return 0;
}

inline void scale(int count, real factor, const real* x, real* y) {
  const Vec f = splat(factor);
  for (int i = 0; i < count; i += kLanes) {
    const int lanes = smaller(kLanes, count - i);
    store_partial(y + i, f * load_partial(x + i, lanes), lanes);
  }
}

const FlowKernels& flow_kernels() {
  static constexpr FlowKernels kTable = {
      .normalise_row = normalise_row,
      .table_distances = table_distances,
      .line_distances = line_distances,
      .metric_weights = metric_weights,
      .metric_rates = metric_rates,
      .line_rates = line_rates,
      .logit_sums = logit_sums,
      .logit_weights = logit_weights,
      .pack_table_block = pack_table_block,
      .pack_strip = pack_strip,
      .nearest_centers = nearest_centers,
      .nearest_in_table = nearest_in_table,
      .table_reach = table_reach,
      .table_path_sums = table_path_sums,
      .table_block_weights = table_block_weights,
      .dot_error = dot_error,
      .row_max = row_max,
      .top_two_gap = top_two_gap,
      .row_uniforms = row_uniforms,
      .first_equal = first_equal,
      .scale = scale,
      .spread_row = spread_row,
      .triplet_distances = triplet_distances,
      .add_triplet_gradient = add_triplet_gradient,
      .finish_triplet_row = finish_triplet_row,
      .whole_triplet = whole_triplet,
  };
  return kTable;
}

}  // namespace wam::cpu::WAM_ISA
