// Elementwise maps: activations, SwiGLU, dropout, rotary embedding, axpy, fill.

namespace wam::cpu::WAM_ISA {

/// f(i, n) over [0, count): n = 16, at last the rest.
template <class F>
WAM_INLINE void for_long_lanes(int64_t count, F f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) f(i, kLanes);
  if (i < count) f(i, static_cast<int>(count - i));
}
template <class Map>
WAM_INLINE void map_lanes(int64_t count, const real* x, real* y, Map map) {
  for_long_lanes(count, [=](int64_t i, int n) {
    n == kLanes ? store(y + i, map(load(x + i))) : store_partial(y + i, map(load_partial(x + i, n)), n);
  });
}
template <class Map>
WAM_INLINE void map_lanes(int64_t count, const real* x, const real* z, real* y, Map map) {
  for_long_lanes(count, [=](int64_t i, int n) {
    n == kLanes ? store(y + i, map(load(x + i), load(z + i)))
                : store_partial(y + i, map(load_partial(x + i, n), load_partial(z + i, n)), n);
  });
}

void activation(Activation kind, int64_t n, const real* x, real* y) {
  if (kind == Activation::gelu_erf) map_lanes(n, x, y, [](Vec v) { return gelu_erf(v); });
  if (kind == Activation::gelu_tanh) map_lanes(n, x, y, [](Vec v) { return gelu_tanh(v); });
  if (kind == Activation::none) map_lanes(n, x, y, [](Vec v) { return v; });
}

void activation_backward(Activation kind, int64_t n, const real* x, const real* dy, real* dx) {
  if (kind == Activation::gelu_erf) map_lanes(n, x, dy, dx, [](Vec v, Vec d) { return d * gelu_erf_slope(v); });
  if (kind == Activation::gelu_tanh) map_lanes(n, x, dy, dx, [](Vec v, Vec d) { return d * gelu_tanh_slope(v); });
  if (kind == Activation::none) map_lanes(n, x, dy, dx, [](Vec, Vec d) { return d; });
}

void swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) {
  for (ptrdiff_t r = 0; r < rows; ++r)
    map_lanes(cols, gate + r * ldg, up + r * ldu, y + r * cols, [](Vec g, Vec u) { return g * sigmoid(g) * u; });
}

/// d silu(g) = s (1 + g (1 - s)), s = sigmoid(g)
void swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                     real* dgate, int lddg, real* dup, int lddu) {
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real *g = gate + r * ldg, *u = up + r * ldu, *d = dy + r * cols;
    real *dg = dgate + r * lddg, *du = dup + r * lddu;
    for_lanes(cols, [=](int i, int n) {
      const Vec gv = load_lanes(g + i, n), uv = load_lanes(u + i, n), dv = load_lanes(d + i, n);
      const Vec s = sigmoid(gv);
      store_lanes(du + i, dv * gv * s, n);
      store_lanes(dg + i, dv * uv * s * fma(gv, splat(1) - s, splat(1)), n);
    });
  }
}

void axpy(int64_t n, real alpha, const real* x, real* y) {
  const Vec a = splat(alpha);
  map_lanes(n, x, y, y, [a](Vec xv, Vec yv) { return fma(a, xv, yv); });
}

void fill(int64_t n, real value, real* y) {
  const Vec v = splat(value);
  for_long_lanes(n, [=](int64_t i, int m) { store_lanes(y + i, v, m); });
}

/// Factors of elements 4 first .. 4 first + 63: `keep` where the uniform number of the element is at least limit/2^24,
/// else 0; first is a multiple of 16. The generator is philox4x32, 16 counters side by side: lane 4i + j holds counter first + 4j + i, so that
/// after transposing words and counters in groups of four lanes, factor[j] holds elements 16j .. 16j + 15 in order.
WAM_INLINE void dropout_factors(uint64_t first, uint32_t site, uint32_t key0, uint32_t key1, uint32_t limit, real keep,
                                Vec (&factor)[4]) {
  static constexpr uint32_t kOffset[kLanes] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  Words w0 = load_words(kOffset) ^ splat_words(static_cast<uint32_t>(first));  // the low four bits of first are 0
  Words w1 = splat_words(static_cast<uint32_t>(first >> 32)), w2 = splat_words(site);
  Words w3 = splat_words(static_cast<uint32_t>(RandomUse::train_dropout));
  for (int round = 0; round < 10; ++round) {
    Words low0, low1;
    const Words high0 = multiply_words(w0, 0xD2511F53u, &low0), high1 = multiply_words(w2, 0xCD9E8D57u, &low1);
    w0 = high1 ^ w1 ^ splat_words(key0), w1 = low1;
    w2 = high0 ^ w3 ^ splat_words(key1), w3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  const Vec kept = splat(keep);
  factor[0] = select(upper24_at_least(w0, limit), kept, zero());
  factor[1] = select(upper24_at_least(w1, limit), kept, zero());
  factor[2] = select(upper24_at_least(w2, limit), kept, zero());
  factor[3] = select(upper24_at_least(w3, limit), kept, zero());
  transpose_fours(factor);
}

/// An element is kept when its uniform number (unit_uniform of its word) is at least p, and then scaled by 1/(1-p).
void dropout(int64_t begin, int64_t n, real p, uint32_t key0, uint32_t key1, uint32_t site, const real* x, real* y) {
  // unit_uniform(w) >= p as integers: w >> 8 >= ceil(p 2^24)
  const double scaled = static_cast<double>(p) * 16777216.0;
  uint32_t limit = static_cast<uint32_t>(scaled);
  if (static_cast<double>(limit) < scaled) ++limit;
  const real keep = 1 / (1 - p);
  constexpr int kBlock = 4 * kLanes;
  for (int64_t i = 0; i < n; i += kBlock) {
    Vec factor[4];
    dropout_factors(static_cast<uint64_t>(begin + i) / 4, site, key0, key1, limit, keep, factor);
    const int count = n - i < kBlock ? static_cast<int>(n - i) : kBlock;
    for_lanes(count, [&](int j, int m) { store_lanes(y + i + j, load_lanes(x + i + j, m) * factor[j / kLanes], m); });
  }
}

/// (x1, x2) = halves of a head: x1' = x1 cos - x2 sin, x2' = x2 cos + x1 sin.
void rope(int rows, int heads, int head_dim, const int32_t* position, const real* cos, const real* sin, bool inverse,
          real* x, int ldx) {
  const int half = head_dim / 2;
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real* c = cos + static_cast<ptrdiff_t>(position[r]) * half;
    const real* s = sin + static_cast<ptrdiff_t>(position[r]) * half;
    for (int h = 0; h < heads; ++h) {
      real* head = x + r * ldx + h * head_dim;
      for_lanes(half, [=](int i, int n) {
        const Vec cv = load_lanes(c + i, n), sv = inverse ? -load_lanes(s + i, n) : load_lanes(s + i, n);
        const Vec x1 = load_lanes(head + i, n), x2 = load_lanes(head + half + i, n);
        store_lanes(head + i, fnma(x2, sv, x1 * cv), n);
        store_lanes(head + half + i, fma(x1, sv, x2 * cv), n);
      });
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
