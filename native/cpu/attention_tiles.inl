// The products of attention: blocks of up to kStrip rows x kPanelVecs vectors in registers. Unlike the tiles of a GEMM
// they come in every width of whole vectors, and the rows of the right operand may lie in two pieces.

namespace wam::cpu::WAM_ISA {

template <int kRows, int kVecs>
struct Block {
  Block<kRows - 1, kVecs> above;
  Vec c[kVecs];

  WAM_INLINE void clear() {
    above.clear();
    for (int v = 0; v < kVecs; ++v) c[v] = zero();
  }
  /// c += a b, a in a row-major matrix: one pointer for each four rows, so that x86 can scale the stride.
  WAM_INLINE void step(const real* const (&a)[3], ptrdiff_t lda, const Vec (&b)[kVecs]) {
    above.step(a, lda, b);
    constexpr int kRow = kRows - 1;
    const Vec x = splat(a[kRow / 4][kRow % 4 * lda]);
    for (int v = 0; v < kVecs; ++v) c[v] = fma(x, b[v], c[v]);
  }
  /// The same with the values of a as neighbours.
  WAM_INLINE void step(const real* a, const Vec (&b)[kVecs]) {
    above.step(a, b);
    const Vec x = splat(a[kRows - 1]);
    for (int v = 0; v < kVecs; ++v) c[v] = fma(x, b[v], c[v]);
  }
  /// Returns the row after the last.
  WAM_INLINE real* write(real* out, ptrdiff_t ldo, bool add) const {
    real* row = above.write(out, ldo, add);
    for (int v = 0; v < kVecs; ++v) store(row + v * kLanes, add ? load(row + v * kLanes) + c[v] : c[v]);
    return row + ldo;
  }
};
template <int kVecs>
struct Block<0, kVecs> {
  WAM_INLINE void clear() {}
  WAM_INLINE void step(const real* const (&)[3], ptrdiff_t, const Vec (&)[kVecs]) {}
  WAM_INLINE void step(const real*, const Vec (&)[kVecs]) {}
  WAM_INLINE real* write(real* out, ptrdiff_t, bool) const { return out; }
};

/// out[kRows, kVecs] (=, or += when add) a[kRows, k] b[k, kVecs].
template <int kRows, int kVecs>
void multiply_rows(int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out, ptrdiff_t ldo,
                   bool add) {
  Block<kRows, kVecs> sum;
  sum.clear();
  const real* rows[3] = {a, kRows > 4 ? a + 4 * lda : a, kRows > 8 ? a + 8 * lda : a};
  for (int p = 0; p < k; ++p, b += ldb) {
    Vec bv[kVecs];
    for (int v = 0; v < kVecs; ++v) bv[v] = load(b + v * kLanes);
    sum.step(rows, lda, bv);
    ++rows[0], ++rows[1], ++rows[2];
  }
  if (add) {
    sum.write(out, ldo, true);
  } else {
    sum.write(out, ldo, false);
  }
}

/// Rows [0, rows) of a matrix.
struct Piece {
  const real* x;
  int rows;
};

/// out[kRows, kVecs] (=, or += when add) a^T b, a [k][lda], b the rows of both pieces.
template <int kRows, int kVecs>
void multiply_columns(const real* a, ptrdiff_t lda, const Piece (&b)[2], ptrdiff_t ldb, ptrdiff_t column, real* out,
                      ptrdiff_t ldo, bool add) {
  Block<kRows, kVecs> sum;
  sum.clear();
  for (const Piece& piece : b) {
    const real* row = piece.x + column;
    for (int p = 0; p < piece.rows; ++p, row += ldb, a += lda) {
      Vec bv[kVecs];
      for (int v = 0; v < kVecs; ++v) bv[v] = load(row + v * kLanes);
      sum.step(a, bv);
    }
  }
  if (add) {
    sum.write(out, ldo, true);
  } else {
    sum.write(out, ldo, false);
  }
}

struct BlockTable {
  decltype(&multiply_rows<1, 1>) rows[kPanelVecs][kStrip + 1] = {};
  decltype(&multiply_columns<1, 1>) columns[kPanelVecs][kStrip + 1] = {};

  template <int kRows, int kVecs>
  constexpr void fill() {
    rows[kVecs - 1][kRows] = multiply_rows<kRows, kVecs>;
    columns[kVecs - 1][kRows] = multiply_columns<kRows, kVecs>;
    if constexpr (kVecs > 1) fill<kRows, kVecs - 1>();
    if constexpr (kVecs == kPanelVecs && kRows > 1) fill<kRows - 1, kVecs>();
  }
  constexpr BlockTable() { fill<kStrip, kPanelVecs>(); }
};
constexpr BlockTable kBlocks;

/// out[m, n] (=, or += when add) a[m, k] b[k, n]; n a multiple of kLanes.
inline void multiply_rows(int m, int n, int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out,
                          ptrdiff_t ldo, bool add) {
  const Strips strips(m);
  for (int s = 0; s < strips.count; ++s) {
    const ptrdiff_t i = strips.begin(s);
    for (int j = 0; j < n; j += kPanel)
      kBlocks.rows[smaller(kPanelVecs, (n - j) / kLanes) - 1][strips.begin(s + 1) - i](k, a + i * lda, lda, b + j, ldb,
                                                                                       out + i * ldo + j, ldo, add);
  }
}

/// out[m, n] (=, or += when add) a^T b, a [k][lda]; n a multiple of kLanes.
inline void multiply_columns(int m, int n, const real* a, ptrdiff_t lda, const Piece (&b)[2], ptrdiff_t ldb, real* out,
                             ptrdiff_t ldo, bool add) {
  const Strips strips(m);
  for (int j = 0; j < n; j += kPanel) {
    for (int s = 0; s < strips.count; ++s) {
      const ptrdiff_t i = strips.begin(s);
      kBlocks.columns[smaller(kPanelVecs, (n - j) / kLanes) - 1][strips.begin(s + 1) - i](a + i, lda, b, ldb, j,
                                                                                          out + i * ldo + j, ldo, add);
    }
  }
}

// --- rows as columns ---------------------------------------------------------------------------------------------

inline int round_to_lanes(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

/// to[dim][ldt] = factor x^T for `rows` rows of x, zeros up to whole vectors.
inline void transpose_rows(const real* x, ptrdiff_t ld, int rows, int dim, real factor, real* to, ptrdiff_t ldt) {
  const Vec f = splat(factor);
  for (int v = 0; v < rows; v += kLanes) {
    for (int d = 0; d < dim; d += kLanes) {
      const real* from = x + v * ld + d;
      const int lines = smaller(kLanes, rows - v), columns = smaller(kLanes, dim - d);
      Vec r[kLanes];
      if (lines == kLanes && columns == kLanes) {
        for (int i = 0; i < kLanes; ++i) r[i] = load(from + i * ld) * f;
      } else {
        alignas(64) real block[kLanes * kLanes];
        for (int i = 0; i < lines; ++i) store(block + i * kLanes, load_partial(from + i * ld, columns) * f);
        for (int i = lines; i < kLanes; ++i) store(block + i * kLanes, zero());
        for (int i = 0; i < kLanes; ++i) r[i] = load(block + i * kLanes);
      }
      transpose(r);
      real* const row = to + d * ldt + v;
      if (columns == kLanes) {
        for (int i = 0; i < kLanes; ++i) store(row + i * ldt, r[i]);
      } else {
        for (int i = 0; i < kLanes; ++i)
          if (i < columns) store(row + i * ldt, r[i]);
      }
    }
  }
}

/// to[rows][width] = x, zeros beyond dim; width is dim rounded up to whole vectors.
inline void copy_padded_rows(const real* x, ptrdiff_t ld, int rows, int dim, real* to) {
  for (int i = 0; i < rows; ++i, x += ld, to += round_to_lanes(dim))
    for (int d = 0; d < dim; d += kLanes) store(to + d, dim - d >= kLanes ? load(x + d) : load_partial(x + d, dim - d));
}
/// The last `left` values of a row, at most a vector of them.
WAM_INLINE void store_head(real* to, Vec x, int left) {
  if (left >= kLanes) {
    store(to, x);
  } else {
    store_partial(to, x, left);
  }
}

}  // namespace wam::cpu::WAM_ISA
