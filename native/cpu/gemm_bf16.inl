// Products with bf16 weights: a block of a panel is widened into scratch, where the fp32 tiles read it. So a product has
// the bits of an fp32 product with the rounded weights.

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

void widen_block(const uint16_t* from, int depth, real* to) {
  for (int p = 0; p < depth; ++p, from += kPanel, to += kPanel) {
    __builtin_prefetch(from + 32 * kPanel);
    widen_row(from, to);
  }
}

/// Rows [t.row_begin, t.row_end) x panels [t.panel_begin, t.panel_end) of g. t.block holds kGemmBlock rows of a panel,
/// t.sums kBf16Rows rows of products.
void bf16_task(const Gemm& g, const Bf16Task& t) {
  for (int begin = t.row_begin; begin < t.row_end; begin += kBf16Rows) {
    const Strips strips(smaller(kBf16Rows, t.row_end - begin));
    for (int panel = t.panel_begin; panel < t.panel_end; ++panel) {
      const int j = panel * kPanel, columns = smaller(kPanel, g.n - j);
      const uint16_t* weights = t.panels + static_cast<ptrdiff_t>(panel) * g.k * kPanel;
      for (int k0 = 0; k0 == 0 || k0 < g.k; k0 += kGemmBlock) {
        const int depth = smaller(kGemmBlock, g.k - k0);
        widen_block(weights + static_cast<ptrdiff_t>(k0) * kPanel, depth, t.block);
        for (int s = 0; s < strips.count; ++s) {
          const int i = strips.begin(s), rows = strips.begin(s + 1) - i;
          kTiles.row_major[rows](depth, g.a + static_cast<ptrdiff_t>(begin + i) * g.lda + k0, g.lda, t.block, kPanel,
                                 t.sums + static_cast<ptrdiff_t>(i) * kPanel, kPanel, k0 != 0);
        }
      }
      for (int s = 0; s < strips.count; ++s) {
        const int i = strips.begin(s), rows = strips.begin(s + 1) - i;
        finish_tile(g, t.sums + static_cast<ptrdiff_t>(i) * kPanel, begin + i, rows, j, columns);
      }
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
