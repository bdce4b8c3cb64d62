// Distances to a packed token table, and the two things asked of them: the nearest token, and the weights of the metric
// path. Included by flow_kernels.inl inside its namespace.
//
// Rows come in strips as the matrix product takes them, [dim][kStrip], so that a block of 64 tokens is one product:
// |e|^2 + |q|^2 - 2 e.q, off by `dot_error` at most. Where that is not good enough distances are sums of squared
// differences, in the one order that all of the flow operations use. Blocks that are too far from all rows of a strip
// to matter are left out: |q - e| >= |q - c| - radius for the tokens e of a block around c.

#if defined(WAM_ISA_AVX512)
constexpr int kDifferenceRows = 4, kDifferenceVecs = 2;
#elif defined(WAM_ISA_AVX2)
constexpr int kDifferenceRows = 3, kDifferenceVecs = 1;
#else
constexpr int kDifferenceRows = 2, kDifferenceVecs = 1;
#endif
static_assert(kStrip % kDifferenceRows == 0 && kSumBlock % (kDifferenceVecs * kLanes) == 0);
constexpr real kRounding = sizeof(real) == 4 ? static_cast<real>(0x1p-24) : static_cast<real>(0x1p-53);
// Squares from here on count as infinite: twice a sum of them must fit float.
constexpr real kLargestSquare = static_cast<real>(1e37);

/// Bound on the error of |e|^2 + |q|^2 - 2 e.q, |e|^2 and |q|^2 in any order of magnitude below kLargestSquare: dim + 4
/// roundings of at most |e|^2 + |q|^2, and products that underflow.
inline real dot_error(int dim, real squares) {
  return static_cast<real>(dim + 8) * (kRounding * squares + static_cast<real>(1e-37));
}

inline real square_of(int dim, const real* x, int step) {
  double square = 0;
  for (int p = 0; p < dim; ++p) {
    const double v = static_cast<double>(x[static_cast<int64_t>(p) * step]);
    square += v * v;
  }
  return square < static_cast<double>(kLargestSquare) ? static_cast<real>(square) : kInfinite;
}

// --- packing -----------------------------------------------------------------------------------------------------------

/// One block of a table: panel [dim][kSumBlock], squares [kSumBlock]; center [dim] and radius unless `center` is null.
/// scratch: 16 rows of table_width(dim).
inline void pack_table_block(int tokens, int dim, const real* table, bool normalise, real* scratch, real* panel,
                             real* squares, real* center, real* radius) {
  const int width = table_width(dim);
  for (int first = 0; first < kSumBlock; first += kLanes) {
    const real* source[kLanes];
    for (int l = 0; l < kLanes; ++l) {
      const int v = first + l;
      source[l] = v < tokens ? table + static_cast<int64_t>(v) * dim : nullptr;
      if (v < tokens && normalise) {
        normalise_row(dim, source[l], scratch + l * width);
        source[l] = scratch + l * width;
      }
      squares[v] = v < tokens ? square_of(dim, source[l], 1) : kInfinite;
    }
    for (int p = 0; p < dim; p += kLanes) {
      const int count = smaller(kLanes, dim - p);
      Vec block[kLanes];
      for (int l = 0; l < kLanes; ++l) block[l] = source[l] != nullptr ? load_partial(source[l] + p, count) : zero();
      transpose(block);
      for (int i = 0; i < count; ++i) store(panel + static_cast<int64_t>(p + i) * kSumBlock + first, block[i]);
    }
  }
  if (center == nullptr) return;
  double furthest[kSumBlock] = {};
  for (int p = 0; p < dim; ++p) {
    const real* row = panel + static_cast<int64_t>(p) * kSumBlock;
    double sum = 0;
    for (int l = 0; l < tokens; ++l) sum += static_cast<double>(row[l]);
    center[p] = static_cast<real>(sum / tokens);
    for (int l = 0; l < tokens; ++l) {
      const double d = static_cast<double>(row[l]) - static_cast<double>(center[p]);
      furthest[l] += d * d;
    }
  }
  double most = 0;
  for (int l = 0; l < tokens; ++l) most = larger(most, furthest[l]);
  *radius = static_cast<real>(scalar_sqrt(most) * (1 + 1e-6));
}

/// strip [dim][kStrip] of `rows` rows, the others zeros; square[r] = |row r|^2.
inline void pack_strip(int rows, int dim, const real* const* row, real* strip, real* square) {
  for (int p = 0; p < dim; p += kLanes) {
    const int count = smaller(kLanes, dim - p);
    Vec block[kLanes];
    for (int r = 0; r < kLanes; ++r) block[r] = r < rows ? load_partial(row[r] + p, count) : zero();
    transpose(block);
    for (int i = 0; i < count; ++i) store_partial(strip + static_cast<int64_t>(p + i) * kStrip, block[i], kStrip);
  }
  for (int r = 0; r < kStrip; ++r) square[r] = r < rows ? square_of(dim, row[r], 1) : 0;
}

// --- distances -----------------------------------------------------------------------------------------------------------

/// product [rows][kSumBlock] of a strip and a panel.
inline void block_product(int rows, int dim, const real* strip, const real* panel, real* product) {
  for (int j = 0; j < kSumBlock; j += kPanel)
    kTiles.strip_major[rows](dim, strip, kStrip, panel + j, kSumBlock, product + j, kSumBlock);
}

/// out[r * ldo] for kRows rows, kVecs vectors of tokens each: sums of squared differences in the order of
/// tile_distances. Element p of row r lies at query[p * step + r].
template <int kRows, int kVecs>
inline void difference_tile(int dim, const real* panel, const real* query, int step, real* out, int ldo) {
  Vec total[kRows][kVecs];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) total[r][v] = zero();
  for (int group = 0; group < dim; group += kGroupDims) {
    const int group_end = smaller(dim, group + kGroupDims);
    Vec group_sum[kRows][kVecs];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVecs; ++v) group_sum[r][v] = zero();
    for (int begin = group; begin < group_end; begin += kSumDims) {
      const int end = smaller(group_end, begin + kSumDims);
      Vec part[kRows][kVecs];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) part[r][v] = zero();
      for (int p = begin; p < end; ++p) {
        Vec token[kVecs];
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) token[v] = load(panel + static_cast<int64_t>(p) * kSumBlock + v * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const Vec q = splat(query[static_cast<int64_t>(p) * step + r]);
#pragma GCC unroll 8
          for (int v = 0; v < kVecs; ++v) {
            const Vec difference = token[v] - q;
            part[r][v] = fma(difference, difference, part[r][v]);
          }
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) group_sum[r][v] = group_sum[r][v] + part[r][v];
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVecs; ++v) total[r][v] = total[r][v] + group_sum[r][v];
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) store(out + r * ldo + v * kLanes, total[r][v]);
}

/// distance [rows][kSumBlock], with room for a whole strip.
inline void block_differences(int rows, int dim, const real* strip, const real* panel, real* distance) {
  for (int r = 0; r < rows; r += kDifferenceRows)
    for (int j = 0; j < kSumBlock; j += kDifferenceVecs * kLanes)
      difference_tile<kDifferenceRows, kDifferenceVecs>(dim, panel + j, strip + r, kStrip, distance + r * kSumBlock + j,
                                                        kSumBlock);
}

/// bound [rows][ldb]: at most |q - c|^2 for the centers c of all blocks, less than 0 perhaps.
inline void center_bounds(const TableView& t, int rows, const real* strip, const real* square, real* bound, int ldb) {
  alignas(64) real product[kStrip * kSumBlock];
  for (int first = 0; first < t.blocks; first += kSumBlock) {
    const int count = smaller(kSumBlock, t.blocks - first);
    block_product(rows, t.dim, strip, t.centers + static_cast<int64_t>(first) * t.dim, product);
    for (int r = 0; r < rows; ++r) {
      const Vec own = splat(square[r]), error = splat(dot_error(t.dim, t.largest + square[r]));
      for (int j = 0; j < count; j += kLanes) {
        const Vec both = load(t.center_squares + first + j) + own;
        store(bound + static_cast<int64_t>(r) * ldb + first + j,
              fma(splat(-2), load(product + r * kSumBlock + j), both) - error);
      }
    }
  }
}

/// needed[b] = 1 where a token of block b may lie within `reach` of the row that the bounds are of.
inline void mark_blocks(const TableView& t, const real* bound, real reach, uint8_t* needed) {
  const Vec limit = splat(reach);
  for (int b = 0; b < t.blocks; b += kLanes) {
    const Vec sum = limit + load(t.radius + b);
    unsigned near = bits(le(load(bound + b), sum * sum));
    if (t.blocks - b < kLanes) near &= (1u << (t.blocks - b)) - 1;
    for (; near != 0; near &= near - 1) needed[b + __builtin_ctz(near)] = 1;
  }
}

// --- nearest token -----------------------------------------------------------------------------------------------------------

/// The block whose center is nearest to each of `rows` rows: what rows are put in order by. A hint, no more.
inline void nearest_centers(const TableView& t, int rows, const real* strip, const real* square, real* scratch,
                            int32_t* block) {
  const int ldb = table_bounds_size(t.blocks);
  center_bounds(t, rows, strip, square, scratch, ldb);
  for (int r = 0; r < rows; ++r) {
    const real* bound = scratch + static_cast<int64_t>(r) * ldb;
    Vec least = splat(kInfinite), at = zero();
    for (int b = 0; b < t.blocks; b += kLanes) {
      const Vec here = load_partial(bound + b, smaller(kLanes, t.blocks - b), kInfinite);
      const Mask closer = lt(here, least);
      least = select(closer, here, least);
      at = select(closer, splat(static_cast<real>(b)), at);
    }
    real value[kLanes], first[kLanes];
    store(value, least), store(first, at);
    int winner = 0;
    for (int l = 1; l < kLanes; ++l)
      if (value[l] < value[winner]) winner = l;
    block[r] = smaller(static_cast<int32_t>(first[winner]) + winner, t.blocks - 1);
  }
}

/// The least distance of a row to the tokens of one block, by the rule, merged into *least and *token.
inline void decide_block(const TableView& t, int block, const real* query, int step, real* least, int32_t* token) {
  alignas(64) real distance[kSumBlock];
  difference_tile<1, kBlockVecs>(t.dim, t.panels + static_cast<int64_t>(block) * t.dim * kSumBlock, query, step,
                                 distance, kSumBlock);
  const int first = block * kSumBlock, tokens = smaller(kSumBlock, t.vocab - first);
  Vec best = splat(kInfinite);
  for (int j = 0; j < tokens; j += kLanes)
    best = min(load_partial(distance + j, smaller(kLanes, tokens - j), kInfinite), best);
  const real d = min_lane(best);
  if (!(d < *least)) return;  // blocks come in order: a tie is the first one's
  for (int j = 0; j < tokens; ++j) {
    if (distance[j] == d) {
      *least = d, *token = first + j;
      return;
    }
  }
}

/// Nearest tokens of `rows` rows in strips; `near` are blocks to look at first. Products find the blocks that may hold
/// the nearest token, differences decide between them: the result is that of differences alone.
inline void nearest_in_table(const TableView& t, int rows, const real* strips, const real* square, const int32_t* near,
                             const NearestScratch& scratch, int32_t* token, real* distance) {
  alignas(64) real product[kStrip * kSumBlock];
  const int ldb = table_bounds_size(t.blocks), count = (rows + kStrip - 1) / kStrip;
  const bool bounded = t.largest < kLargestSquare;
  real* least = scratch.least;  // of a row so far: |e|^2 - 2 e.q
  real* error = scratch.least + rows;
  for (int r = 0; r < rows; ++r) {
    least[r] = kInfinite;
    error[r] = dot_error(t.dim, t.largest + square[r]);
  }
  // `seen` [rows][ldb]: that least of a block that may hold the nearest token
  for (int64_t i = 0; i < static_cast<int64_t>(rows) * ldb; i += kLanes) store(scratch.seen + i, splat(kInfinite));
  const auto look = [&](int block, int strip) {
    const int first = strip * kStrip, here = smaller(kStrip, rows - first);
    block_product(here, t.dim, strips + static_cast<int64_t>(first) * t.dim,
                  t.panels + static_cast<int64_t>(block) * t.dim * kSumBlock, product);
    Vec squares[kBlockVecs];
    for (int v = 0; v < kBlockVecs; ++v) squares[v] = load(t.squares + block * kSumBlock + v * kLanes);
    for (int r = 0; r < here; ++r) {
      Vec closest = splat(kInfinite);
      for (int v = 0; v < kBlockVecs; ++v)
        closest = min(fma(splat(-2), load(product + r * kSumBlock + v * kLanes), squares[v]), closest);
      // Distances by differences have an error too, of at most twice `error`.
      if (bits(lt(closest, splat(least[first + r] + 8 * error[first + r]))) == 0) continue;
      const real value = min_lane(closest);
      scratch.seen[static_cast<int64_t>(first + r) * ldb + block] = value;
      least[first + r] = smaller(least[first + r], value);
    }
  };
  for (int s = 0; bounded && s < count; ++s) {
    const int first = s * kStrip, here = smaller(kStrip, rows - first);
    uint8_t* needed = scratch.needed + static_cast<int64_t>(s) * ldb;
    for (int b = 0; b < t.blocks; ++b) needed[b] = 0;
    const auto done = [&](int r) {
      for (int i = first; i < r; ++i)
        if (near[i] == near[r]) return true;
      return false;
    };
    for (int r = first; r < first + here; ++r)
      if (!done(r)) look(near[r], s);
    center_bounds(t, here, strips + static_cast<int64_t>(first) * t.dim, square + first, scratch.bound, ldb);
    for (int r = 0; r < here; ++r) {
      const real furthest = least[first + r] + square[first + r] + error[first + r];
      // More than the rounding of differences, and than squares that underflow.
      const real reach =
          scalar_sqrt(larger(furthest, real{0})) * static_cast<real>(1 + 0x1p-12) + static_cast<real>(1e-17);
      mark_blocks(t, scratch.bound + static_cast<int64_t>(r) * ldb, reach, needed);
    }
    for (int r = first; r < first + here; ++r) needed[near[r]] = 0;
  }
  for (int b = 0; bounded && b < t.blocks; ++b) {
    for (int s = 0; s < count; ++s)
      if (scratch.needed[static_cast<int64_t>(s) * ldb + b]) look(b, s);
  }
  for (int r = 0; r < rows; ++r) {
    // A NaN decides nothing: such a row takes token 0, at an infinite distance.
    real closest = kInfinite;
    int32_t winner = 0;
    const bool all = !bounded || !(square[r] < kLargestSquare);
    const real limit = least[r] + 8 * error[r];
    const real* query = strips + static_cast<int64_t>(r / kStrip) * kStrip * t.dim + r % kStrip;
    for (int b = 0; b < t.blocks; ++b) {
      if (all || scratch.seen[static_cast<int64_t>(r) * ldb + b] <= limit)
        decide_block(t, b, query, kStrip, &closest, &winner);
    }
    token[r] = winner;
    if (distance != nullptr) distance[r] = closest;
  }
}

// --- the metric path -----------------------------------------------------------------------------------------------------------

/// d of one vector of tokens from their product with a row, or from the sum of squared differences.
template <bool kProduct>
inline Vec path_distance(Vec value, Vec squares, Vec own, bool squared) {
  const Vec d = kProduct ? max(fma(splat(-2), value, squares + own), zero()) : value;
  return squared ? d * d : d;
}

/// weight [tokens] of one row in one block: exp(-beta d), times max(0, reach - d) for rates.
template <bool kProduct>
inline void row_weights(const TablePath& p, int row, int block, const real* values, real* weight) {
  const TableView& t = *p.table;
  const int tokens = smaller(kSumBlock, t.vocab - block * kSumBlock);
  const Vec own = splat(p.square[row]), minus_beta = splat(-p.beta[row]);
  for (int j = 0; j < tokens; j += kLanes) {
    const Vec d = path_distance<kProduct>(load(values + j), load(t.squares + block * kSumBlock + j), own, p.squared);
    Vec w = exp_to_one(minus_beta * d);
    if (p.reach != nullptr) w = w * max(splat(p.reach[row]) - d, zero());
    store_partial(weight + j, w, smaller(kLanes, tokens - j));
  }
}

inline void table_block_weights(const TablePath& p, int row, int block, real* weight) {
  alignas(64) real values[kSumBlock];
  const TableView& t = *p.table;
  const real* panel = t.panels + static_cast<int64_t>(block) * t.dim * kSumBlock;
  const real* query = p.strips + static_cast<int64_t>(row / kStrip) * t.dim * kStrip + row % kStrip;
  if (p.product) {
    block_product(1, t.dim, query, panel, values);
    row_weights<true>(p, row, block, values, weight);
  } else {
    difference_tile<1, kBlockVecs>(t.dim, panel, query, kStrip, values, kSumBlock);
    row_weights<false>(p, row, block, values, weight);
  }
}

/// d(token[i], row i), with the bits that the sums of blocks are made of.
inline void table_reach(const TablePath& p, const int32_t* token, real* reach) {
  alignas(64) real values[kSumBlock];
  const TableView& t = *p.table;
  for (int row = 0; row < p.rows; ++row) {
    const int block = token[row] / kSumBlock, at = token[row] % kSumBlock, first = at / kLanes * kLanes;
    const real* panel = t.panels + static_cast<int64_t>(block) * t.dim * kSumBlock;
    const real* query = p.strips + static_cast<int64_t>(row / kStrip) * t.dim * kStrip + row % kStrip;
    real d[kLanes];
    const Vec squares = load(t.squares + block * kSumBlock + first), own = splat(p.square[row]);
    if (p.product) {
      const int tile = at / kPanel * kPanel;
      kTiles.strip_major[1](t.dim, query, kStrip, panel + tile, kSumBlock, values + tile, kSumBlock);
      store(d, path_distance<true>(load(values + first), squares, own, p.squared));
    } else {
      difference_tile<1, 1>(t.dim, panel + first, query, kStrip, values, kSumBlock);
      store(d, path_distance<false>(load(values), squares, own, p.squared));
    }
    reach[row] = d[at - first];
  }
}

/// Sums of one row over one block, all in the order of sum_row.
template <bool kProduct, bool kRates>
inline void add_block(const TablePath& p, int row, int block, const real* values, const Vec* squares) {
  const TableView& t = *p.table;
  const int tokens = smaller(kSumBlock, t.vocab - block * kSumBlock);
  const Vec own = splat(p.square[row]), minus_beta = splat(-p.beta[row]);
  const Vec reach = splat(kRates ? p.reach[row] : 0);
  Vec weights = zero(), rates = zero();
  if (tokens == kSumBlock) {
#pragma GCC unroll 4
    for (int v = 0; v < kBlockVecs; ++v) {
      const Vec d = path_distance<kProduct>(load(values + v * kLanes), squares[v], own, p.squared);
      const Vec e = exp_to_one(minus_beta * d);
      weights = weights + e;
      if (kRates) rates = rates + e * max(reach - d, zero());
    }
  } else {
    for (int j = 0; j < tokens; j += kLanes) {
      const Vec d = path_distance<kProduct>(load(values + j), squares[j / kLanes], own, p.squared);
      const Vec e = only(smaller(kLanes, tokens - j), exp_to_one(minus_beta * d));
      weights = weights + e;
      if (kRates) rates = rates + e * max(reach - d, zero());
    }
  }
  const real weight = sum(weights), own_sum = kRates ? sum(rates) : weight;
  p.weights[row] += static_cast<double>(weight);
  p.block_sum[static_cast<int64_t>(row) * t.blocks + block] = own_sum;
  p.total[row] += static_cast<double>(own_sum);
}

template <bool kProduct, bool kRates>
inline void sum_blocks_of(const TablePath& p) {
  const TableView& t = *p.table;
  alignas(64) real values[kStrip * kSumBlock];
  const int strips = (p.rows + kStrip - 1) / kStrip;
  for (int block = 0; block < t.blocks; ++block) {
    const real* panel = t.panels + static_cast<int64_t>(block) * t.dim * kSumBlock;
    Vec squares[kBlockVecs];
    for (int v = 0; v < kBlockVecs; ++v) squares[v] = load(t.squares + block * kSumBlock + v * kLanes);
    for (int s = 0; s < strips; ++s) {
      const int first = s * kStrip, rows = smaller(kStrip, p.rows - first);
      bool needed = false;
      for (int r = first; r < first + rows; ++r)
        needed = needed || p.needed[static_cast<int64_t>(r) * t.blocks + block];
      if (!needed) continue;
      const real* strip = p.strips + static_cast<int64_t>(s) * t.dim * kStrip;
      if (kProduct) {
        block_product(rows, t.dim, strip, panel, values);
      } else {
        block_differences(rows, t.dim, strip, panel, values);
      }
      for (int r = 0; r < rows; ++r) {
        if (p.needed[static_cast<int64_t>(first + r) * t.blocks + block])
          add_block<kProduct, kRates>(p, first + r, block, values + r * kSumBlock, squares);
      }
    }
  }
}

/// Fills block_sum, total and weights. Blocks whose weights are all 0 have the sum 0 without being looked at.
inline void table_path_sums(const TablePath& p) {
  const TableView& t = *p.table;
  const int ldb = table_bounds_size(t.blocks);
  for (int row = 0; row < p.rows; ++row) p.weights[row] = p.total[row] = 0;
  const bool bounded = t.largest < kLargestSquare && t.blocks > 1;
  for (int row = 0; row < p.rows; ++row) {
    uint8_t* needed = p.needed + static_cast<int64_t>(row) * t.blocks;
    real* block_sum = p.block_sum + static_cast<int64_t>(row) * t.blocks;
    const uint8_t all = !bounded || !(p.beta[row] > 0) ? 1 : 0;
    for (int b = 0; b < t.blocks; ++b) block_sum[b] = 0, needed[b] = all;
  }
  if (bounded) {
    for (int first = 0; first < p.rows; first += kStrip) {
      const int rows = smaller(kStrip, p.rows - first);
      center_bounds(t, rows, p.strips + static_cast<int64_t>(first) * t.dim, p.square + first, p.bound, ldb);
      for (int r = 0; r < rows; ++r) {
        if (!(p.beta[first + r] > 0)) continue;
        // exp(-beta d) is 0 beyond
        real limit = scalar_sqrt(static_cast<real>(sizeof(real) == 4 ? 88 : 746) / p.beta[first + r]);
        if (p.squared) limit = scalar_sqrt(limit);
        mark_blocks(t, p.bound + static_cast<int64_t>(r) * ldb, limit,
                    p.needed + static_cast<int64_t>(first + r) * t.blocks);
      }
    }
  }
  if (p.product) {
    p.reach != nullptr ? sum_blocks_of<true, true>(p) : sum_blocks_of<true, false>(p);
  } else {
    p.reach != nullptr ? sum_blocks_of<false, true>(p) : sum_blocks_of<false, false>(p);
  }
}
