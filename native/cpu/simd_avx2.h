#pragma once
// Vec as two 256-bit registers. Included by simd.h only.

#include <immintrin.h>

namespace wam::cpu::WAM_ISA {

struct Vec {
  __m256 lo, hi;
};
struct Mask {
  __m256 lo, hi;  // all bits of a chosen lane are set
};

WAM_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
WAM_INLINE Vec splat(real x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
WAM_INLINE Vec iota() { return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_ps(8, 9, 10, 11, 12, 13, 14, 15)}; }
// 16 ones, then zeros: lane masks for n of 16 start at kLaneMask + 16 - n.
alignas(64) static const int32_t kLaneMask[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
WAM_INLINE __m256i lane_mask(int n, int half) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMask + 16 - n + 8 * half));
}
WAM_INLINE Mask first_lanes(int n) {
  return {_mm256_castsi256_ps(lane_mask(n, 0)), _mm256_castsi256_ps(lane_mask(n, 1))};
}
WAM_INLINE Vec load(const real* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
WAM_INLINE Vec load_partial(const real* p, int n) {
  return {_mm256_maskload_ps(p, lane_mask(n, 0)), _mm256_maskload_ps(p + 8, lane_mask(n, 1))};
}
WAM_INLINE void store(real* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
WAM_INLINE void store_partial(real* p, Vec a, int n) {
  _mm256_maskstore_ps(p, lane_mask(n, 0), a.lo);
  _mm256_maskstore_ps(p + 8, lane_mask(n, 1), a.hi);
}

WAM_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
WAM_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
WAM_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
WAM_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
WAM_INLINE Vec operator-(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
WAM_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
WAM_INLINE Vec fnma(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
WAM_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
WAM_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
WAM_INLINE Vec abs(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
WAM_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }

template <int kOp>
WAM_INLINE Mask compare(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, kOp), _mm256_cmp_ps(a.hi, b.hi, kOp)};
}
WAM_INLINE Mask lt(Vec a, Vec b) { return compare<_CMP_LT_OQ>(a, b); }
WAM_INLINE Mask le(Vec a, Vec b) { return compare<_CMP_LE_OQ>(a, b); }
WAM_INLINE Mask gt(Vec a, Vec b) { return compare<_CMP_GT_OQ>(a, b); }
WAM_INLINE Mask ge(Vec a, Vec b) { return compare<_CMP_GE_OQ>(a, b); }
WAM_INLINE Mask eq(Vec a, Vec b) { return compare<_CMP_EQ_OQ>(a, b); }
WAM_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi)}; }
WAM_INLINE unsigned bits(Mask a) {
  return static_cast<unsigned>(_mm256_movemask_ps(a.lo)) | static_cast<unsigned>(_mm256_movemask_ps(a.hi)) << 8;
}
WAM_INLINE Vec select(Mask m, Vec a, Vec b) {
  return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
}
WAM_INLINE Vec load_partial(const real* p, int n, real fill) {
  return select(first_lanes(n), load_partial(p, n), splat(fill));
}

WAM_INLINE real sum(Vec a) {
  const __m256 o = _mm256_add_ps(a.lo, a.hi);
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(o), _mm256_extractf128_ps(o, 1));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
WAM_INLINE real max_lane(Vec a) {
  const __m256 o = _mm256_max_ps(a.lo, a.hi);
  const __m128 q = _mm_max_ps(_mm256_castps256_ps128(o), _mm256_extractf128_ps(o, 1));
  const __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
WAM_INLINE real min_lane(Vec a) {
  const __m256 o = _mm256_min_ps(a.lo, a.hi);
  const __m128 q = _mm_min_ps(_mm256_castps256_ps128(o), _mm256_extractf128_ps(o, 1));
  const __m128 d = _mm_min_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_min_ss(d, _mm_movehdup_ps(d)));
}

WAM_INLINE __m256 scale_by_power(__m256 p, __m256 shifted_n) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted_n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
}
/// p * 2^n, n given as the float 1.5*2^23 + n (its low mantissa bits are n).
WAM_INLINE Vec scale_by_power(Vec p, Vec shifted_n) {
  return {scale_by_power(p.lo, shifted_n.lo), scale_by_power(p.hi, shifted_n.hi)};
}
WAM_INLINE void split_exponent(__m256 x, __m256* mantissa, __m256* exponent) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
  *mantissa = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
  *exponent = _mm256_cvtepi32_ps(e);
}
/// x = mantissa * 2^exponent, mantissa in [sqrt(1/2), sqrt(2)), for positive normal x.
WAM_INLINE void split_exponent(Vec x, Vec* mantissa, Vec* exponent) {
  split_exponent(x.lo, &mantissa->lo, &exponent->lo);
  split_exponent(x.hi, &mantissa->hi, &exponent->hi);
}

struct Words {
  __m256i lo, hi;
};
WAM_INLINE Words splat_words(uint32_t x) {
  const __m256i v = _mm256_set1_epi32(static_cast<int>(x));
  return {v, v};
}
WAM_INLINE Words load_words(const uint32_t* p) {
  const __m256i* v = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}
WAM_INLINE Words operator^(Words a, Words b) { return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
WAM_INLINE __m256i multiply_words(__m256i a, __m256i factor, __m256i* low) {
  const __m256i even = _mm256_mul_epu32(a, factor), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), factor);
  *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
/// The high halves of a * m; the low ones in *low.
WAM_INLINE Words multiply_words(Words a, uint32_t m, Words* low) {
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(m));
  return {multiply_words(a.lo, factor, &low->lo), multiply_words(a.hi, factor, &low->hi)};
}
/// Lanes whose upper 24 bits, as a number, are at least `limit` (limit <= 2^24).
WAM_INLINE Mask upper24_at_least(Words a, uint32_t limit) {
  const __m256i below = _mm256_set1_epi32(static_cast<int>(limit) - 1);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_srli_epi32(a.lo, 8), below)),
          _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_srli_epi32(a.hi, 8), below))};
}

WAM_INLINE void transpose_fours(__m256& r0, __m256& r1, __m256& r2, __m256& r3) {
  const __m256 a = _mm256_unpacklo_ps(r0, r1), b = _mm256_unpackhi_ps(r0, r1);
  const __m256 c = _mm256_unpacklo_ps(r2, r3), d = _mm256_unpackhi_ps(r2, r3);
  r0 = _mm256_shuffle_ps(a, c, 0x44), r1 = _mm256_shuffle_ps(a, c, 0xee);
  r2 = _mm256_shuffle_ps(b, d, 0x44), r3 = _mm256_shuffle_ps(b, d, 0xee);
}
/// Each group of four lanes of r as a 4x4 matrix, in place.
WAM_INLINE void transpose_fours(Vec* r) {
  transpose_fours(r[0].lo, r[1].lo, r[2].lo, r[3].lo);
  transpose_fours(r[0].hi, r[1].hi, r[2].hi, r[3].hi);
}
WAM_INLINE void transpose8(__m256 (&r)[8]) {
  __m256 t[8];
  transpose_fours(r[0], r[1], r[2], r[3]);
  transpose_fours(r[4], r[5], r[6], r[7]);
  for (int i = 0; i < 8; ++i) t[i] = r[i];
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x20);
    r[j + 4] = _mm256_permute2f128_ps(t[j], t[j + 4], 0x31);
  }
}
/// r as a 16x16 matrix, in place.
WAM_INLINE void transpose(Vec (&r)[16]) {
  __m256 a[8], b[8], c[8], d[8];
  for (int i = 0; i < 8; ++i) a[i] = r[i].lo, b[i] = r[i].hi, c[i] = r[i + 8].lo, d[i] = r[i + 8].hi;
  transpose8(a), transpose8(b), transpose8(c), transpose8(d);
  for (int i = 0; i < 8; ++i) r[i] = {a[i], c[i]}, r[i + 8] = {b[i], d[i]};
}

}  // namespace wam::cpu::WAM_ISA
