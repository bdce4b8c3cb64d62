#pragma once
// Vec as 16-byte parts (the vector extension of gcc and clang: SSE2 on x86-64, NEON on ARM), for real = float or double.
// Included by simd.h only.

namespace wam::cpu::WAM_ISA {

constexpr int kPartLanes = 16 / sizeof(real);
constexpr int kParts = kLanes / kPartLanes;
typedef real Part __attribute__((vector_size(16)));
typedef decltype(Part{} < Part{}) MaskPart;  // signed integers of real's width, 0 or -1

struct Vec {
  Part p[kParts];
};
struct Mask {
  MaskPart p[kParts];
};

inline Vec zero() { return Vec{}; }
inline Vec splat(real x) {
  Vec r;
  for (int i = 0; i < kParts; ++i) r.p[i] = x - Part{};
  return r;
}
inline Vec load(const real* p) {
  Vec r;
  memcpy(&r, p, sizeof r);
  return r;
}
inline void store(real* p, Vec a) { memcpy(p, &a, sizeof a); }
inline Vec load_partial(const real* p, int n, real fill = 0) {
  real t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = i < n ? p[i] : fill;
  return load(t);
}
inline void store_partial(real* p, Vec a, int n) {
  real t[kLanes];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
inline Vec iota() {
  real t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = static_cast<real>(i);
  return load(t);
}

inline Vec operator+(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] += b.p[i];
  return a;
}
inline Vec operator-(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] -= b.p[i];
  return a;
}
inline Vec operator*(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] *= b.p[i];
  return a;
}
inline Vec operator/(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] /= b.p[i];
  return a;
}
inline Vec operator-(Vec a) {
  for (int i = 0; i < kParts; ++i) a.p[i] = -a.p[i];
  return a;
}
inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
inline Vec fnma(Vec a, Vec b, Vec c) { return c - a * b; }
inline Vec max(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] > b.p[i] ? a.p[i] : b.p[i];
  return a;
}
inline Vec min(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] < b.p[i] ? a.p[i] : b.p[i];
  return a;
}
inline Vec abs(Vec a) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] < 0 ? -a.p[i] : a.p[i];
  return a;
}
template <class F>
inline Vec each_lane(Vec a, F f) {
  real t[kLanes];
  store(t, a);
  for (int i = 0; i < kLanes; ++i) t[i] = f(t[i]);
  return load(t);
}
inline Vec sqrt(Vec a) {
  return each_lane(a, [](real x) { return scalar_sqrt(x); });
}

inline Mask lt(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] < b.p[i];
  return m;
}
inline Mask le(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] <= b.p[i];
  return m;
}
inline Mask gt(Vec a, Vec b) { return lt(b, a); }
inline Mask ge(Vec a, Vec b) { return le(b, a); }
inline Mask eq(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] == b.p[i];
  return m;
}
inline Mask operator&(Mask a, Mask b) {
  for (int i = 0; i < kParts; ++i) a.p[i] &= b.p[i];
  return a;
}
inline Mask first_lanes(int n) { return lt(iota(), splat(static_cast<real>(n))); }
inline unsigned bits(Mask m) {
  unsigned r = 0;
  for (int i = 0; i < kLanes; ++i) r |= static_cast<unsigned>(m.p[i / kPartLanes][i % kPartLanes] & 1) << i;
  return r;
}
inline Vec select(Mask m, Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = m.p[i] ? a.p[i] : b.p[i];
  return a;
}

inline real sum(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] += t[i + half];
  return t[0];
}
inline real max_lane(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] = larger(t[i], t[i + half]);
  return t[0];
}
inline real min_lane(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] = smaller(t[i], t[i + half]);
  return t[0];
}

#if WAM_REAL_BITS == 32
/// p * 2^n, n given as the float 1.5*2^23 + n (its low mantissa bits are n).
inline Vec scale_by_power(Vec p, Vec shifted_n) {
  typedef uint32_t Bits __attribute__((vector_size(16)));
  for (int i = 0; i < kParts; ++i) {
    Bits a, n;
    memcpy(&a, &p.p[i], sizeof a);
    memcpy(&n, &shifted_n.p[i], sizeof n);
    a += n << 23;
    memcpy(&p.p[i], &a, sizeof a);
  }
  return p;
}
/// x = mantissa * 2^exponent, mantissa in [sqrt(1/2), sqrt(2)), for positive normal x.
inline void split_exponent(Vec x, Vec* mantissa, Vec* exponent) {
  MaskPart a, e;
  for (int i = 0; i < kParts; ++i) {
    memcpy(&a, &x.p[i], sizeof a);
    e = (a - 0x3f3504f3) >> 23;
    a -= e << 23;
    memcpy(&mantissa->p[i], &a, sizeof a);
    exponent->p[i] = __builtin_convertvector(e, Part);
  }
}
#endif

/// r as a 16x16 matrix, in place.
inline void transpose(Vec (&r)[16]) {
  real t[16][kLanes], u[16][kLanes];
  for (int i = 0; i < 16; ++i) store(t[i], r[i]);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) u[i][j] = t[j][i];
  for (int i = 0; i < 16; ++i) r[i] = load(u[i]);
}

}  // namespace wam::cpu::WAM_ISA
