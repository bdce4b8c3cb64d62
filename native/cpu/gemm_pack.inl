// Packing of the operands of a matrix product: panels of columns of B, strips of rows of A.

namespace wam::cpu::WAM_ISA {

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
/// The same of a row-major a: element (i,p) at a[i*lda+p].
void pack_strip(const real* a, ptrdiff_t lda, int k, int rows, real* strip) {
  for (int p = 0; p < k; p += kLanes) {
    Vec r[kLanes];
    const int depth = smaller(kLanes, k - p);
    for (int i = 0; i < kLanes; ++i)
      r[i] = i >= rows ? zero() : depth == kLanes ? load(a + i * lda + p) : load_partial(a + i * lda + p, depth);
    transpose(r);
    for (ptrdiff_t i = 0; i < depth; ++i) store(strip + (p + i) * kStrip, r[i]);
  }
}

}  // namespace wam::cpu::WAM_ISA
