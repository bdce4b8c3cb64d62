// Weights in bf16, which the fp32 tiles widen as they read them. So a product has the bits of an fp32 product with the
// rounded weights.

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

WAM_INLINE void load_columns(const uint16_t* row, Vec (&b)[kPanelVecs]) {
#if defined(WAM_ISA_AVX512)
  const __m512i words = _mm512_loadu_si512(row);
  b[0].v = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
  b[1].v = _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
#elif defined(WAM_ISA_AVX2)
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
  b[0].lo = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
  b[0].hi = _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
#else
  real lane[kPanel];
  for (int j = 0; j < kPanel / 2; ++j) {
    uint32_t word;
    memcpy(&word, row + 2 * j, sizeof word);
    const uint32_t halves[2] = {word << 16, word & 0xffff0000};
    float x[2];
    memcpy(x, halves, sizeof x);
    lane[j] = x[0], lane[j + kPanel / 2] = x[1];
  }
  b[0] = load(lane);
#endif
}

}  // namespace wam::cpu::WAM_ISA
