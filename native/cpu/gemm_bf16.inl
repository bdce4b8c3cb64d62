// Weights in bf16: a task widens a panel into scratch, where the fp32 tiles read it. So a product has the bits of an fp32
// product with the rounded weights.

namespace wam::cpu::WAM_ISA {

/// The bf16 nearest to x, ties to even, as a number (portable's double too).
inline uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);  // a NaN stays one
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Of a row of a panel, a 32-bit word is one column of its first half and, above, the same of its second half: each half
// widens by one instruction.
void narrow_panel(const real* panel, int k, uint16_t* to) {
  for (ptrdiff_t p = 0; p < k; ++p, panel += kPanel, to += kPanel)
    for (int j = 0; j < kPanel / 2; ++j) {
      to[2 * j] = to_bf16(static_cast<float>(panel[j]));
      to[2 * j + 1] = to_bf16(static_cast<float>(panel[j + kPanel / 2]));
    }
}

WAM_INLINE void widen_row(const uint16_t* from, real* to) {
#if defined(WAM_ISA_AVX512)
  const __m512i words = _mm512_loadu_si512(from);
  store(to, {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16))});
  store(to + kLanes, {_mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000))))});
#elif defined(WAM_ISA_AVX2)
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i upper = _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000)));
  store(to, {_mm256_castsi256_ps(_mm256_slli_epi32(words, 16)), _mm256_castsi256_ps(upper)});
#else
  for (int j = 0; j < kPanel; ++j) {
    const uint32_t bits = static_cast<uint32_t>(from[j % (kPanel / 2) * 2 + j / (kPanel / 2)]) << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    to[j] = x;
  }
#endif
}

inline void widen_panel(const uint16_t* from, int depth, real* to) {
  for (int p = 0; p < depth; ++p, from += kPanel, to += kPanel) {
    __builtin_prefetch(from + 32 * kPanel);
    widen_row(from, to);
  }
}

}  // namespace wam::cpu::WAM_ISA
