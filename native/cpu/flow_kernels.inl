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
inline double sum_row(int count, double* block_sum, F f) {
  double total = 0;
  for (int begin = 0, b = 0; begin < count; begin += kSumBlock, ++b) {
    const int end = smaller(count, begin + kSumBlock);
    Vec part = zero();
    for (int i = begin; i < end; i += kLanes) part = part + f(i, smaller(kLanes, end - i));
    const double block = static_cast<double>(sum(part));
    if (block_sum != nullptr) block_sum[b] = block;
    total += block;
  }
  return total;
}

inline Vec only(int lanes, Vec v) { return lanes == kLanes ? v : select(first_lanes(lanes), v, zero()); }

inline double metric_weights(int count, const real* distance, real beta, real* weight, double* block_sum) {
  const Vec minus_beta = splat(-beta);
  return sum_row(count, block_sum, [&](int i, int lanes) {
    const Vec e = only(lanes, exp(minus_beta * load_partial(distance + i, lanes)));
    store_partial(weight + i, e, lanes);
    return e;
  });
}

inline double metric_rates(int count, const real* distance, real beta, real reach, real* rate, double* block_sum,
                           double* rate_sum) {
  const Vec minus_beta = splat(-beta), limit = splat(reach);
  double weights = 0;
  *rate_sum = 0;
  for (int begin = 0, b = 0; begin < count; begin += kSumBlock, ++b) {
    const int end = smaller(count, begin + kSumBlock);
    Vec weight_part = zero(), rate_part = zero();
    for (int i = begin; i < end; i += kLanes) {
      const int lanes = smaller(kLanes, end - i);
      const Vec d = load_partial(distance + i, lanes);
      const Vec e = only(lanes, exp(minus_beta * d));
      const Vec r = e * max(limit - d, zero());
      store_partial(rate + i, r, lanes);
      weight_part = weight_part + e;
      rate_part = rate_part + r;
    }
    weights += static_cast<double>(sum(weight_part));
    const double block = static_cast<double>(sum(rate_part));
    if (block_sum != nullptr) block_sum[b] = block;
    *rate_sum += block;
  }
  return weights;
}

inline double logit_weights(int count, const real* logits, real highest, real inverse_temperature, real threshold,
                            real* weight, double* block_sum) {
  const Vec top = splat(highest), inverse = splat(inverse_temperature), cut = splat(threshold);
  return sum_row(count, block_sum, [&](int i, int lanes) {
    const Vec logit = load_partial(logits + i, lanes);
    const Vec e = only(lanes, select(ge(logit, cut), exp((logit - top) * inverse), zero()));
    store_partial(weight + i, e, lanes);
    return e;
  });
}

#include "cpu/flow_table.inl"

inline real row_max(int count, const real* x) {
  const real lowest = static_cast<real>(-__builtin_inf());
  Vec best = splat(lowest);
  // max gives its second operand when one is NaN
  for (int i = 0; i < count; i += kLanes) best = max(load_partial(x + i, smaller(kLanes, count - i), lowest), best);
  return max_lane(best);
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
      .first_equal = first_equal,
      .scale = scale,
      .triplet_distances = triplet_distances,
      .add_triplet_gradient = add_triplet_gradient,
  };
  return kTable;
}

}  // namespace wam::cpu::WAM_ISA
