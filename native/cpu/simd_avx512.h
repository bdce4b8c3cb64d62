#pragma once
// Vec as one 512-bit register. Included by simd.h only.

#include <immintrin.h>

// gcc 12 reports its own _mm512_undefined_ps() as uninitialised (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace wam::cpu::WAM_ISA {

struct Vec {
  __m512 v;
};
struct Mask {
  __mmask16 m;
};

WAM_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
WAM_INLINE Vec splat(real x) { return {_mm512_set1_ps(x)}; }
WAM_INLINE Vec iota() { return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
WAM_INLINE Mask first_lanes(int n) { return {static_cast<__mmask16>((1u << n) - 1u)}; }
WAM_INLINE Vec load(const real* p) { return {_mm512_loadu_ps(p)}; }
WAM_INLINE Vec load_partial(const real* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n).m, p)}; }
WAM_INLINE Vec load_partial(const real* p, int n, real fill) {
  return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first_lanes(n).m, p)};
}
WAM_INLINE void store(real* p, Vec a) { _mm512_storeu_ps(p, a.v); }
WAM_INLINE void store_partial(real* p, Vec a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n).m, a.v); }

WAM_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
WAM_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
WAM_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
WAM_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
WAM_INLINE Vec operator-(Vec a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
WAM_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
WAM_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
WAM_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
WAM_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
WAM_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
WAM_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }

WAM_INLINE Mask lt(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
WAM_INLINE Mask le(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
WAM_INLINE Mask gt(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
WAM_INLINE Mask ge(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
WAM_INLINE Mask eq(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
WAM_INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.m & b.m)}; }
WAM_INLINE unsigned bits(Mask a) { return a.m; }
WAM_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.m, b.v, a.v)}; }

WAM_INLINE __m128 lower_sum(__m256 a) { return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)); }
WAM_INLINE real sum(Vec a) {
  const __m128 q = lower_sum(_mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1)));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
WAM_INLINE real max_lane(Vec a) {
  const __m256 o = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 q = _mm_max_ps(_mm256_castps256_ps128(o), _mm256_extractf128_ps(o, 1));
  const __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
WAM_INLINE real min_lane(Vec a) {
  const __m256 o = _mm256_min_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 q = _mm_min_ps(_mm256_castps256_ps128(o), _mm256_extractf128_ps(o, 1));
  const __m128 d = _mm_min_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_min_ss(d, _mm_movehdup_ps(d)));
}

/// p * 2^n, n given as the float 1.5*2^23 + n (its low mantissa bits are n).
WAM_INLINE Vec scale_by_power(Vec p, Vec shifted_n) {
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted_n.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p.v), n))};
}
/// x = mantissa * 2^exponent, mantissa in [sqrt(1/2), sqrt(2)), for positive normal x.
WAM_INLINE void split_exponent(Vec x, Vec* mantissa, Vec* exponent) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i e = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
  mantissa->v = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(e, 23)));
  exponent->v = _mm512_cvtepi32_ps(e);
}

struct Words {
  __m512i v;
};
WAM_INLINE Words splat_words(uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
WAM_INLINE Words load_words(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
WAM_INLINE Words operator^(Words a, Words b) { return {_mm512_xor_si512(a.v, b.v)}; }
/// The high halves of a * m; the low ones in *low.
WAM_INLINE Words multiply_words(Words a, uint32_t m, Words* low) {
  const __m512i factor = _mm512_set1_epi32(static_cast<int>(m));
  const __m512i even = _mm512_mul_epu32(a.v, factor), odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), factor);
  low->v = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
  return {_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd)};
}
/// Lanes whose upper 24 bits, as a number, are at least `limit` (limit <= 2^24).
WAM_INLINE Mask upper24_at_least(Words a, uint32_t limit) {
  return {_mm512_cmpge_epi32_mask(_mm512_srli_epi32(a.v, 8), _mm512_set1_epi32(static_cast<int>(limit)))};
}

/// Each group of four lanes of r as a 4x4 matrix, in place.
WAM_INLINE void transpose_fours(Vec* r) {
  const __m512 a = _mm512_unpacklo_ps(r[0].v, r[1].v), b = _mm512_unpackhi_ps(r[0].v, r[1].v);
  const __m512 c = _mm512_unpacklo_ps(r[2].v, r[3].v), d = _mm512_unpackhi_ps(r[2].v, r[3].v);
  r[0].v = _mm512_shuffle_ps(a, c, 0x44), r[1].v = _mm512_shuffle_ps(a, c, 0xee);
  r[2].v = _mm512_shuffle_ps(b, d, 0x44), r[3].v = _mm512_shuffle_ps(b, d, 0xee);
}
/// r as a 16x16 matrix, in place.
WAM_INLINE void transpose(Vec (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) transpose_fours(r + i);
  for (int i = 0; i < 16; ++i) t[i] = r[i].v;
  for (int j = 0; j < 4; ++j) {  // 4x4 transpose of the 128-bit lanes of rows j, j+4, j+8, j+12
    const __m512 a = _mm512_shuffle_f32x4(t[j], t[j + 4], 0x88), b = _mm512_shuffle_f32x4(t[j], t[j + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0xdd);
    r[j].v = _mm512_shuffle_f32x4(a, c, 0x88), r[j + 8].v = _mm512_shuffle_f32x4(a, c, 0xdd);
    r[j + 4].v = _mm512_shuffle_f32x4(b, d, 0x88), r[j + 12].v = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

}  // namespace wam::cpu::WAM_ISA
