// Matrix product kernels: tiles of kStrip rows x kPanel columns held in registers, over B in panels [k][kPanel].
// Every element is summed as: for each block of kGemmBlock values of k, one chain of multiply-adds from zero; then the
// block sums in order. That chain is the same for every tile shape, layout and instruction set.

namespace wam::cpu::WAM_ISA {

#if defined(WAM_ISA_AVX512)
constexpr int kPanelVecs = 2, kStrip = 12;  // 24 accumulators, 2 of B, broadcasts: 28 of 32 registers
#elif defined(WAM_ISA_AVX2)
constexpr int kPanelVecs = 1, kStrip = 6;  // 12 accumulators, 2 of B, a broadcast: 15 of 16 registers
#else
constexpr int kPanelVecs = 1, kStrip = 2;  // 8 accumulators in 16 SSE2 registers
#endif
constexpr int kPanel = kPanelVecs * kLanes;

// Accumulators as a recursive struct: every access has a constant offset, so gcc keeps them all in registers (it spills
// an array that a loop indexes).
template <int kRows>
struct Accumulators {
  Accumulators<kRows - 1> above;
  Vec c[kPanelVecs];

  WAM_INLINE void clear() {
    above.clear();
    for (int v = 0; v < kPanelVecs; ++v) c[v] = zero();
  }
  /// c += a b; a holds one value a row: in a strip they are neighbours, in a row-major matrix lda apart, addressed from
  /// one pointer for each four rows so that x86 can scale the stride.
  template <bool kStripMajor>
  WAM_INLINE void step(const real* const (&a)[3], ptrdiff_t lda, const Vec (&b)[kPanelVecs]) {
    above.template step<kStripMajor>(a, lda, b);
    constexpr int kRow = kRows - 1;
    const Vec x = splat(kStripMajor ? a[0][kRow] : a[kRow / 4][kRow % 4 * lda]);
    for (int v = 0; v < kPanelVecs; ++v) c[v] = fma(x, b[v], c[v]);
  }
  /// Both return the row after the last.
  WAM_INLINE real* write(real* out, ptrdiff_t ldo) const {
    real* row = above.write(out, ldo);
    for (int v = 0; v < kPanelVecs; ++v) store(row + v * kLanes, c[v]);
    return row + ldo;
  }
  WAM_INLINE real* add_to(real* out, ptrdiff_t ldo) const {
    real* row = above.add_to(out, ldo);
    for (int v = 0; v < kPanelVecs; ++v) store(row + v * kLanes, load(row + v * kLanes) + c[v]);
    return row + ldo;
  }
};
template <>
struct Accumulators<0> {
  WAM_INLINE void clear() {}
  template <bool kStripMajor>
  WAM_INLINE void step(const real* const (&)[3], ptrdiff_t, const Vec (&)[kPanelVecs]) {}
  WAM_INLINE real* write(real* out, ptrdiff_t) const { return out; }
  WAM_INLINE real* add_to(real* out, ptrdiff_t) const { return out; }
};

/// out[kRows, kPanel] (=, or += when add) a[kRows, k] b[k, kPanel]. a: element (i,p) at a[i*lda+p], in a strip at
/// a[p*lda+i].
template <int kRows, bool kStripMajor>
void tile(int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out, ptrdiff_t ldo, bool add) {
  Accumulators<kRows> sum;
  sum.clear();
  const real* rows[3] = {a, kRows > 4 ? a + 4 * lda : a, kRows > 8 ? a + 8 * lda : a};
  for (int p = 0; p < k; ++p) {
    Vec bv[kPanelVecs];
    for (int v = 0; v < kPanelVecs; ++v) bv[v] = load(b + v * kLanes);
    sum.template step<kStripMajor>(rows, lda, bv);
    b += ldb;
    if constexpr (kStripMajor) {
      rows[0] += lda;
    } else {
      ++rows[0], ++rows[1], ++rows[2];
    }
  }
  if (add) {
    sum.add_to(out, ldo);
  } else {
    sum.write(out, ldo);
  }
}

using Tile = void (*)(int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out, ptrdiff_t ldo,
                      bool add);

template <int kRows, bool kStripMajor>
constexpr void fill_tiles(Tile (&tiles)[kStrip + 1]) {
  if constexpr (kRows > 0) {
    tiles[kRows] = tile<kRows, kStripMajor>;
    fill_tiles<kRows - 1, kStripMajor>(tiles);
  }
}
struct TileTable {
  Tile row_major[kStrip + 1] = {}, strip_major[kStrip + 1] = {};
  constexpr TileTable() {
    fill_tiles<kStrip, false>(row_major);
    fill_tiles<kStrip, true>(strip_major);
  }
};
constexpr TileTable kTiles;

/// Rows cut into the least number of strips, as even as possible: strip s has rows [begin(s), begin(s + 1)).
struct Strips {
  int count, rows;
  explicit Strips(int m) : count((m + kStrip - 1) / kStrip), rows(m) {}
  int begin(int s) const { return static_cast<int>(static_cast<int64_t>(rows) * s / count); }
};

// --- packing -----------------------------------------------------------------------------------------------------

/// panel[p][v + j] = element p of row(v + j), for 16 columns j; rows beyond `columns` are zeros.
template <class Row>
inline void pack_rows_as_columns(Row row, int v, int k, int columns, real* panel) {
  for (int p = 0; p < k; p += kLanes) {
    Vec r[kLanes];
    const int depth = smaller(kLanes, k - p);
    for (int j = 0; j < kLanes; ++j)
      r[j] = v + j >= columns ? zero() : depth == kLanes ? load(row(v + j) + p) : load_partial(row(v + j) + p, depth);
    transpose(r);
    for (int i = 0; i < depth; ++i) store(panel + static_cast<ptrdiff_t>(p + i) * kPanel + v, r[i]);
  }
}

/// panel[k][kPanel] from columns [0, columns) of b, zeros beyond. b: element (p,j) at b[p*ldb+j], transposed at
/// b[j*ldb+p].
void pack_panel(const real* b, int ldb, bool transposed, int k, int columns, real* panel) {
  const ptrdiff_t ld = ldb;
  for (int v = 0; v < kPanel; v += kLanes) {
    if (transposed) {
      pack_rows_as_columns([=](int j) { return b + j * ld; }, v, k, columns, panel);
      continue;
    }
    const int n = columns - v;
    for (int p = 0; p < k; ++p) {
      const Vec x = n >= kLanes ? load(b + p * ld + v) : n > 0 ? load_partial(b + p * ld + v, n) : zero();
      store(panel + static_cast<ptrdiff_t>(p) * kPanel + v, x);
    }
  }
}

/// strip[k][kStrip] from `rows` rows of a transposed a: element (i,p) at a[p*lda+i]. Writes up to kLanes values beyond
/// the strip (masked stores are slow on AVX2), so strips are packed in ascending order.
void pack_transposed_strip(const real* a, ptrdiff_t lda, int k, int rows, real* strip) {
  for (ptrdiff_t p = 0; p < k; ++p) store(strip + p * kStrip, load_partial(a + p * lda, rows));
}

// --- one task ----------------------------------------------------------------------------------------------------

inline Vec apply_activation(Activation kind, Vec x) {
  return kind == Activation::gelu_erf ? gelu_erf(x) : kind == Activation::gelu_tanh ? gelu_tanh(x) : x;
}

/// c = activation(sum + bias) + residual for one tile whose sums lie in `sum` [rows][kPanel].
inline void finish_tile(const Gemm& g, const real* sum, int i, int rows, int j, int columns) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < columns; v += kLanes) {
      const int n = smaller(kLanes, columns - v);
      const bool whole = n == kLanes;
      Vec x = load(sum + r * kPanel + v);
      if (g.bias != nullptr) x = x + (whole ? load(g.bias + j + v) : load_partial(g.bias + j + v, n));
      x = apply_activation(g.activation, x);
      if (g.residual != nullptr) {
        const real* from = g.residual + static_cast<ptrdiff_t>(i + r) * g.ldr + j + v;
        x = x + (whole ? load(from) : load_partial(from, n));
      }
      real* to = g.c + static_cast<ptrdiff_t>(i + r) * g.ldc + j + v;
      if (whole) {
        store(to, x);
      } else {
        store_partial(to, x, n);
      }
    }
  }
}

inline void add_tile(const Gemm& g, const real* sum, int i, int rows, int j, int columns) {
  for (int r = 0; r < rows; ++r) {
    real* to = g.c + static_cast<ptrdiff_t>(i + r) * g.ldc + j;
    for (int v = 0; v < columns; v += kLanes) {
      const int n = smaller(kLanes, columns - v);
      store_partial(to + v, load_partial(to + v, n) + load(sum + r * kPanel + v), n);
    }
  }
}

/// Rows [t.row_begin, t.row_end) x panels [t.panel_begin, t.panel_end) of g.
void gemm_task(const Gemm& g, const GemmTask& t) {
  alignas(64) real sum[kStrip * kPanel];
  const Strips strips(t.row_end - t.row_begin);
  const ptrdiff_t lda = g.lda;
  // With accumulation the blocks of k are the outer loop: k is long then (a sum over training rows), and this way the
  // A strips of one block stay in the second-level cache. Without it a tile goes through all blocks at once, so that c
  // may be the residual.
  const int block = g.accumulate ? kGemmBlock : larger(g.k, 1);
  for (int k0 = 0; k0 == 0 || k0 < g.k; k0 += block) {
    const int depth = smaller(block, g.k - k0);
    for (int s = 0; g.a_transposed && s < strips.count; ++s) {
      const int i = t.row_begin + strips.begin(s);
      pack_transposed_strip(g.a + k0 * lda + i, lda, depth, strips.begin(s + 1) - strips.begin(s),
                            t.a_scratch + static_cast<ptrdiff_t>(s) * kStrip * depth);
    }
    for (int panel = t.panel_begin; panel < t.panel_end; ++panel) {
      const int j = panel * kPanel, columns = smaller(kPanel, g.n - j);
      const bool direct = t.b_direct && columns == kPanel;
      const real* b = t.b_scratch;
      if (direct) {
        b = g.b + static_cast<ptrdiff_t>(k0) * g.ldb + j;
      } else if (t.panels != nullptr) {
        b = t.panels + (static_cast<ptrdiff_t>(panel) * g.k + k0) * kPanel;
      } else {
        const ptrdiff_t row = g.b_transposed ? j : k0, column = g.b_transposed ? k0 : j;
        pack_panel(g.b + row * g.ldb + column, g.ldb, g.b_transposed, depth, columns, t.b_scratch);
      }
      const ptrdiff_t ldb = direct ? g.ldb : kPanel;
      for (int s = 0; s < strips.count; ++s) {
        const int rows = strips.begin(s + 1) - strips.begin(s), i = t.row_begin + strips.begin(s);
        const Tile kernel = g.a_transposed ? kTiles.strip_major[rows] : kTiles.row_major[rows];
        const real* a = g.a_transposed ? t.a_scratch + static_cast<ptrdiff_t>(s) * kStrip * depth : g.a + i * lda + k0;
        const ptrdiff_t step = g.a_transposed ? kStrip : 1, ld = g.a_transposed ? kStrip : lda;
        if (g.accumulate && columns == kPanel) {
          kernel(depth, a, ld, b, ldb, g.c + static_cast<ptrdiff_t>(i) * g.ldc + j, g.ldc, true);
          continue;
        }
        for (int q = 0; q == 0 || q < depth; q += kGemmBlock)
          kernel(smaller(kGemmBlock, depth - q), a + q * step, ld, b + q * ldb, ldb, sum, kPanel, q != 0);
        if (g.accumulate) {
          add_tile(g, sum, i, rows, j, columns);
        } else {
          finish_tile(g, sum, i, rows, j, columns);
        }
      }
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
