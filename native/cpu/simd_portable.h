#pragma once
// Vec as 16-byte parts (the vector extension of gcc and clang: SSE2 on x86-64, NEON on ARM), for real = float or double.
// Included by simd.h only.

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

WAM_INLINE Vec zero() { return Vec{}; }
WAM_INLINE Vec splat(real x) {
  Vec r;
  for (int i = 0; i < kParts; ++i) r.p[i] = x - Part{};
  return r;
}
WAM_INLINE Vec load(const real* p) {
  Vec r;  // by parts: gcc keeps a copy on the stack of what one memcpy fills
  for (int i = 0; i < kParts; ++i) memcpy(&r.p[i], p + i * kPartLanes, sizeof(Part));
  return r;
}
WAM_INLINE void store(real* p, Vec a) {
  for (int i = 0; i < kParts; ++i) memcpy(p + i * kPartLanes, &a.p[i], sizeof(Part));
}
WAM_INLINE Vec load_partial(const real* p, int n, real fill = 0) {
  real t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = i < n ? p[i] : fill;
  return load(t);
}
WAM_INLINE void store_partial(real* p, Vec a, int n) {
  real t[kLanes];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
WAM_INLINE Vec iota() {
  real t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = static_cast<real>(i);
  return load(t);
}

WAM_INLINE Vec operator+(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] += b.p[i];
  return a;
}
WAM_INLINE Vec operator-(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] -= b.p[i];
  return a;
}
WAM_INLINE Vec operator*(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] *= b.p[i];
  return a;
}
WAM_INLINE Vec operator/(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] /= b.p[i];
  return a;
}
WAM_INLINE Vec operator-(Vec a) {
  for (int i = 0; i < kParts; ++i) a.p[i] = -a.p[i];
  return a;
}
WAM_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
WAM_INLINE Vec fnma(Vec a, Vec b, Vec c) { return c - a * b; }
WAM_INLINE Vec max(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] > b.p[i] ? a.p[i] : b.p[i];
  return a;
}
WAM_INLINE Vec min(Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] < b.p[i] ? a.p[i] : b.p[i];
  return a;
}
WAM_INLINE Vec abs(Vec a) {
  for (int i = 0; i < kParts; ++i) a.p[i] = a.p[i] < 0 ? -a.p[i] : a.p[i];
  return a;
}
template <class F>
WAM_INLINE Vec each_lane(Vec a, F f) {
  real t[kLanes];
  store(t, a);
  for (int i = 0; i < kLanes; ++i) t[i] = f(t[i]);
  return load(t);
}
WAM_INLINE Vec sqrt(Vec a) {
#if defined(__SSE2__) && WAM_REAL_BITS == 32
  for (int i = 0; i < kParts; ++i) a.p[i] = _mm_sqrt_ps(a.p[i]);
  return a;
#else
  return each_lane(a, [](real x) { return scalar_sqrt(x); });
#endif
}

WAM_INLINE Mask lt(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] < b.p[i];
  return m;
}
WAM_INLINE Mask le(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] <= b.p[i];
  return m;
}
WAM_INLINE Mask gt(Vec a, Vec b) { return lt(b, a); }
WAM_INLINE Mask ge(Vec a, Vec b) { return le(b, a); }
WAM_INLINE Mask eq(Vec a, Vec b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.p[i] = a.p[i] == b.p[i];
  return m;
}
WAM_INLINE Mask operator&(Mask a, Mask b) {
  for (int i = 0; i < kParts; ++i) a.p[i] &= b.p[i];
  return a;
}
WAM_INLINE Mask first_lanes(int n) { return lt(iota(), splat(static_cast<real>(n))); }
WAM_INLINE unsigned bits(Mask m) {
  unsigned r = 0;
  for (int i = 0; i < kLanes; ++i) r |= static_cast<unsigned>(m.p[i / kPartLanes][i % kPartLanes] & 1) << i;
  return r;
}
WAM_INLINE Vec select(Mask m, Vec a, Vec b) {
  for (int i = 0; i < kParts; ++i) a.p[i] = m.p[i] ? a.p[i] : b.p[i];
  return a;
}

WAM_INLINE real sum(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] += t[i + half];
  return t[0];
}
WAM_INLINE real max_lane(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] = larger(t[i], t[i + half]);
  return t[0];
}
WAM_INLINE real min_lane(Vec a) {
  real t[kLanes];
  store(t, a);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) t[i] = smaller(t[i], t[i + half]);
  return t[0];
}

#if WAM_REAL_BITS == 32
/// p * 2^n, n given as the float 1.5*2^23 + n (its low mantissa bits are n).
WAM_INLINE Vec scale_by_power(Vec p, Vec shifted_n) {
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
WAM_INLINE void split_exponent(Vec x, Vec* mantissa, Vec* exponent) {
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

struct Words {
  uint32_t v[kLanes];
};
WAM_INLINE Words splat_words(uint32_t x) {
  Words r;
  for (int i = 0; i < kLanes; ++i) r.v[i] = x;
  return r;
}
WAM_INLINE Words load_words(const uint32_t* p) {
  Words r;
  for (int i = 0; i < kLanes; ++i) r.v[i] = p[i];
  return r;
}
WAM_INLINE Words operator^(Words a, Words b) {
  for (int i = 0; i < kLanes; ++i) a.v[i] ^= b.v[i];
  return a;
}
/// The high halves of a * m; the low ones in *low.
WAM_INLINE Words multiply_words(Words a, uint32_t m, Words* low) {
  Words high;
  for (int i = 0; i < kLanes; ++i) {
    const uint64_t product = uint64_t{m} * a.v[i];
    high.v[i] = static_cast<uint32_t>(product >> 32);
    low->v[i] = static_cast<uint32_t>(product);
  }
  return high;
}
/// Lanes whose upper 24 bits, as a number, are at least `limit` (limit <= 2^24).
WAM_INLINE Mask upper24_at_least(Words a, uint32_t limit) {
  real t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = static_cast<real>(static_cast<int32_t>(a.v[i] >> 8));
  return ge(load(t), splat(static_cast<real>(limit)));
}

/// Each group of four lanes of r as a 4x4 matrix, in place.
WAM_INLINE void transpose_fours(Vec* r) {
  real t[4][kLanes], u[4][kLanes];
  for (int i = 0; i < 4; ++i) store(t[i], r[i]);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < kLanes; ++j) u[i][j] = t[j % 4][j / 4 * 4 + i];
  for (int i = 0; i < 4; ++i) r[i] = load(u[i]);
}
/// r as a 16x16 matrix, in place.
WAM_INLINE void transpose(Vec (&r)[16]) {
  real t[16][kLanes], u[16][kLanes];
  for (int i = 0; i < 16; ++i) store(t[i], r[i]);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) u[i][j] = t[j][i];
  for (int i = 0; i < 16; ++i) r[i] = load(u[i]);
}

}  // namespace wam::cpu::WAM_ISA
