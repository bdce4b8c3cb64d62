// Layer norm and RMS norm by rows; gradients of weight and bias by columns, rows summed in blocks in row order.

namespace wam::cpu::WAM_ISA {

/// f(i, n): columns [i, i+n) with n = 16, at last the rest.
template <class F>
WAM_INLINE void for_lanes(int cols, F f) {
  int i = 0;
  for (; i + kLanes <= cols; i += kLanes) f(i, kLanes);
  if (i < cols) f(i, cols - i);
}
WAM_INLINE Vec load_lanes(const real* p, int n) { return n == kLanes ? load(p) : load_partial(p, n); }
WAM_INLINE void store_lanes(real* p, Vec x, int n) { n == kLanes ? store(p, x) : store_partial(p, x, n); }

void layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y, real* mean,
                real* rstd) {
  const real inverse = 1 / static_cast<real>(cols);
  for (int r = 0; r < rows; ++r, x += cols, y += cols) {
    Vec s = zero();
    for_lanes(cols, [&](int i, int n) { s = s + load_lanes(x + i, n); });
    const real mu = sum(s) * inverse;
    const Vec centre = splat(mu);
    Vec q = zero();
    for_lanes(cols, [&](int i, int n) {
      const Vec d = n == kLanes ? load(x + i) - centre : load_partial(x + i, n, mu) - centre;
      q = fma(d, d, q);
    });
    const real scale = 1 / scalar_sqrt(sum(q) * inverse + eps);
    const Vec vscale = splat(scale);
    for_lanes(cols, [&](int i, int n) {
      const Vec h = (load_lanes(x + i, n) - centre) * vscale;
      store_lanes(y + i, fma(h, load_lanes(weight + i, n), load_lanes(bias + i, n)), n);
    });
    if (mean != nullptr) mean[r] = mu;
    if (rstd != nullptr) rstd[r] = scale;
  }
}

/// With h = (x - mean) rstd and e = dy weight: dx = rstd (e - mean(e) - h mean(e h)).
void layer_norm_backward_rows(int rows, int cols, const real* x, const real* weight, const real* mean, const real* rstd,
                              const real* dy, real* dx, bool add_dx) {
  const real inverse = 1 / static_cast<real>(cols);
  for (int r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const Vec centre = splat(mean[r]), scale = splat(rstd[r]);
    Vec se = zero(), seh = zero();
    for_lanes(cols, [&](int i, int n) {
      const Vec e = load_lanes(dy + i, n) * load_lanes(weight + i, n);  // 0 beyond n
      se = se + e;
      seh = fma(e, (load_lanes(x + i, n) - centre) * scale, seh);
    });
    const Vec me = splat(sum(se) * inverse), meh = splat(sum(seh) * inverse);
    for_lanes(cols, [&](int i, int n) {
      const Vec e = load_lanes(dy + i, n) * load_lanes(weight + i, n);
      const Vec h = (load_lanes(x + i, n) - centre) * scale;
      const Vec d = fnma(h, meh, e - me) * scale;
      store_lanes(dx + i, add_dx ? load_lanes(dx + i, n) + d : d, n);
    });
  }
}

void rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) {
  const real inverse = 1 / static_cast<real>(cols);
  for (int r = 0; r < rows; ++r, x += cols, y += cols) {
    Vec q = zero();
    for_lanes(cols, [&](int i, int n) {
      const Vec v = load_lanes(x + i, n);
      q = fma(v, v, q);
    });
    const real scale = 1 / scalar_sqrt(sum(q) * inverse + eps);
    const Vec vscale = splat(scale);
    for_lanes(cols,
              [&](int i, int n) { store_lanes(y + i, load_lanes(x + i, n) * vscale * load_lanes(weight + i, n), n); });
    if (rstd != nullptr) rstd[r] = scale;
  }
}

/// With h = x rstd and e = dy weight: dx = rstd (e - h mean(e h)).
void rms_norm_backward_rows(int rows, int cols, const real* x, const real* weight, const real* rstd, const real* dy,
                            real* dx, bool add_dx) {
  const real inverse = 1 / static_cast<real>(cols);
  for (int r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    const Vec scale = splat(rstd[r]);
    Vec seh = zero();
    for_lanes(cols, [&](int i, int n) {
      const Vec e = load_lanes(dy + i, n) * load_lanes(weight + i, n);
      seh = fma(e, load_lanes(x + i, n) * scale, seh);
    });
    const Vec meh = splat(sum(seh) * inverse);
    for_lanes(cols, [&](int i, int n) {
      const Vec e = load_lanes(dy + i, n) * load_lanes(weight + i, n);
      const Vec d = fnma(load_lanes(x + i, n) * scale, meh, e) * scale;
      store_lanes(dx + i, add_dx ? load_lanes(dx + i, n) + d : d, n);
    });
  }
}

constexpr int kRowBlock = 64;  // rows summed from zero before they are added to a gradient: keeps float sums short

/// sums[k][j] += over rows of term(r, j, n)[k], for columns [begin, end).
template <int kSums, class Term>
inline void add_row_sums(int rows, int begin, int end, real* const (&sums)[kSums], Term term) {
  for_lanes(end - begin, [&](int offset, int n) {
    const int j = begin + offset;
    Vec total[kSums];
    for (int k = 0; k < kSums; ++k) total[k] = load_lanes(sums[k] + j, n);
    for (int r0 = 0; r0 < rows; r0 += kRowBlock) {
      Vec block[kSums];
      for (int k = 0; k < kSums; ++k) block[k] = zero();
      for (int r = r0; r < smaller(rows, r0 + kRowBlock); ++r) term(r, j, n, block);
      for (int k = 0; k < kSums; ++k) total[k] = total[k] + block[k];
    }
    for (int k = 0; k < kSums; ++k) store_lanes(sums[k] + j, total[k], n);
  });
}

void add_column_sums(int rows, int col_begin, int col_end, const real* dy, int ld, real* dbias) {
  add_row_sums<1>(rows, col_begin, col_end, {dbias}, [=](int r, int j, int n, Vec(&s)[1]) {
    s[0] = s[0] + load_lanes(dy + static_cast<ptrdiff_t>(r) * ld + j, n);
  });
}

void layer_norm_backward_columns(int rows, int cols, int col_begin, int col_end, const real* x, const real* mean,
                                 const real* rstd, const real* dy, real* dweight, real* dbias) {
  add_row_sums<2>(rows, col_begin, col_end, {dweight, dbias}, [=](int r, int j, int n, Vec(&s)[2]) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(r) * cols + j;
    const Vec d = load_lanes(dy + at, n);
    s[0] = fma(d, (load_lanes(x + at, n) - splat(mean[r])) * splat(rstd[r]), s[0]);
    s[1] = s[1] + d;
  });
}

void rms_norm_backward_columns(int rows, int cols, int col_begin, int col_end, const real* x, const real* rstd,
                               const real* dy, real* dweight) {
  add_row_sums<1>(rows, col_begin, col_end, {dweight}, [=](int r, int j, int n, Vec(&s)[1]) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(r) * cols + j;
    s[0] = fma(load_lanes(dy + at, n), load_lanes(x + at, n) * splat(rstd[r]), s[0]);
  });
}

}  // namespace wam::cpu::WAM_ISA
