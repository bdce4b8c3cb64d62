// Products with int8 weights: activations are quantised row by row when they arrive, sums are exact integers, and one
// fp32 formula turns them into products, so every unit (int8_unit.h) and instruction set gives the same bits for the same
// activations.

namespace wam::cpu::WAM_ISA {

constexpr real kInt8Limit = 127;          // symmetric: -128 is not used
constexpr real kInt8Least = real(1e-36);  // less than that is 0: 127 / x would overflow
constexpr int kInt8Chains = 4 * kLanes;   // values that a loop takes at once, to hide the latency of max

/// Lanes of the larger magnitude; one that is not a number wins and stays.
WAM_INLINE Vec larger_magnitude(Vec most, Vec x) {
#if defined(WAM_ISA_AVX512)
  const __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7fffffff));
  return {_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(most.v), magnitude))};
#elif defined(WAM_ISA_AVX2)
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  const auto of = [=](__m256 m, __m256 v) __attribute__((always_inline)) {
    return _mm256_castsi256_ps(
        _mm256_max_epi32(_mm256_castps_si256(m), _mm256_and_si256(_mm256_castps_si256(v), mask)));
  };
  return {of(most.lo, x.lo), of(most.hi, x.hi)};
#else
  x = abs(x);
  for (int i = 0; i < kParts; ++i) most.p[i] = (most.p[i] >= x.p[i]) | (most.p[i] != most.p[i]) ? most.p[i] : x.p[i];
  return most;
#endif
}

/// The whole numbers nearest to x, ties to even, for |x| < 2^15; anything for lanes that are not numbers.
WAM_INLINE void store_whole(int16_t* to, Vec x) {
#if defined(WAM_ISA_AVX512)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x.v)));
#elif defined(WAM_ISA_AVX2)
  const __m256i pairs = _mm256_packs_epi32(_mm256_cvtps_epi32(x.lo), _mm256_cvtps_epi32(x.hi));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(pairs, 0xd8));
#else
  const Vec shift = splat(sizeof(real) == 4 ? real(0x1.8p23) : real(0x1.8p52));
  const Vec whole = (x + shift) - shift;
  real lane[kLanes];
  store(lane, select(le(abs(whole), splat(kInt8Limit)), whole, zero()));
  for (int i = 0; i < kLanes; ++i) to[i] = static_cast<int16_t>(lane[i]);
#endif
}
WAM_INLINE void store_whole(int8_t* to, Vec x) {
#if defined(WAM_ISA_AVX512)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x.v)));
#elif defined(WAM_ISA_AVX2)
  const __m256i pairs = _mm256_packs_epi32(_mm256_cvtps_epi32(x.lo), _mm256_cvtps_epi32(x.hi));
  const __m256i whole = _mm256_permute4x64_epi64(pairs, 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packs_epi16(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
#else
  int16_t wide[kLanes];
  store_whole(wide, x);
  for (int i = 0; i < kLanes; ++i) to[i] = static_cast<int8_t>(wide[i]);
#endif
}

/// The sum of n values, a multiple of kInt8Block.
WAM_INLINE int32_t total_of(const int8_t* x, int n) {
#if defined(WAM_ISA_AVX512) || defined(WAM_ISA_AVX2)
  __m256i sum = _mm256_setzero_si256();
  for (int p = 0; p < n; p += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + p));
    sum =
        _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)), _mm256_setzero_si256()));
  }
  int64_t part[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(part), sum);
  return static_cast<int32_t>(part[0] + part[1] + part[2] + part[3]) - 128 * n;
#else
  int32_t sum = 0;
  for (int p = 0; p < n; ++p) sum += x[p];
  return sum;
#endif
}

/// Columns [0, kPanel) of an fp32 panel [k][kPanel] as int8, each with its own scale. `padded`: k with its padding.
void quantise_panel(const real* panel, int k, int padded, const Int8Kernel& kernel, uint8_t* to, real* scale) {
  Vec largest[kPanelVecs], inverse[kPanelVecs];
  for (int v = 0; v < kPanelVecs; ++v) largest[v] = zero();
  for (ptrdiff_t p = 0; p < k; ++p)
    for (int v = 0; v < kPanelVecs; ++v) largest[v] = max(largest[v], abs(load(panel + p * kPanel + v * kLanes)));
  for (int v = 0; v < kPanelVecs; ++v) {
    inverse[v] = select(ge(largest[v], splat(kInt8Least)), splat(kInt8Limit) / largest[v], zero());
    store(scale + v * kLanes, largest[v] * splat(1 / kInt8Limit));
  }
  const ptrdiff_t group = kernel.group;
  for (ptrdiff_t p = 0; p < padded; ++p) {
    for (int v = 0; v < kPanelVecs; ++v) {
      int16_t whole[kLanes];
      store_whole(whole, p < k ? load(panel + p * kPanel + v * kLanes) * inverse[v] : zero());
      uint8_t* first = to + (p / group * kPanel + v * kLanes) * group + p % group;
      for (int j = 0; j < kLanes; ++j) first[j * group] = static_cast<uint8_t>(whole[j] + kernel.offset);
    }
  }
}

/// Rows [t.row_begin, t.row_end) of g.a, normalised first when g.norm is set, as whole numbers up to 127 times a scale
/// of the row. t.row_scratch holds one row.
template <class Activation>
void quantise_rows(const Gemm& g, const Int8Rows& t, Activation* to) {
  const int k = g.k;
  for (int i = t.row_begin; i < t.row_end; ++i) {
    const real* row = g.a + static_cast<ptrdiff_t>(i) * g.lda;
    if (g.norm != nullptr && g.norm->bias != nullptr) {
      layer_norm(1, k, row, g.norm->weight, g.norm->bias, g.norm->eps, t.row_scratch, nullptr, nullptr);
      row = t.row_scratch;
    } else if (g.norm != nullptr) {
      rms_norm(1, k, row, g.norm->weight, g.norm->eps, t.row_scratch, nullptr);
      row = t.row_scratch;
    }
    Vec most[kInt8Chains / kLanes] = {zero(), zero(), zero(), zero()};
    int whole = 0;
    for (; whole + kInt8Chains <= k; whole += kInt8Chains)
      for (int v = 0; v < 4; ++v) most[v] = larger_magnitude(most[v], load(row + whole + v * kLanes));
    for (int p = whole; p < k; p += kLanes)
      most[0] = larger_magnitude(most[0], load_lanes(row + p, smaller(kLanes, k - p)));
    for (int v = 1; v < 4; ++v) most[0] = larger_magnitude(most[0], most[v]);
    const bool finite = bits(lt(most[0], splat(INFINITY))) == 0xffff;
    const real largest = max_lane(most[0]);
    const Vec inverse = splat(finite && largest >= kInt8Least ? kInt8Limit / largest : 0);
    Activation* out = to + i * t.lda;
    for (int p = 0; p < whole; p += kInt8Chains)
      for (int v = 0; v < 4; ++v) store_whole(out + p + v * kLanes, load(row + p + v * kLanes) * inverse);
    for (int p = whole; p < k; p += kLanes) store_whole(out + p, load_lanes(row + p, smaller(kLanes, k - p)) * inverse);
    for (int p = (k + kLanes - 1) / kLanes * kLanes; p < t.padded; p += kLanes) store_whole(out + p, zero());
    t.scale[i] = finite ? largest * (1 / kInt8Limit) : static_cast<real>(NAN);
    if constexpr (sizeof(Activation) == 1) {
      if (t.kernel->offset != 0) t.total[i] = total_of(out, t.padded);
    }
  }
}
void quantise_activations(const Gemm& g, const Int8Rows& t) {
  if (t.kernel->wide) {
    quantise_rows(g, t, static_cast<int16_t*>(t.values));
  } else {
    quantise_rows(g, t, static_cast<int8_t*>(t.values));
  }
}

/// 16 integers less `offset`.
WAM_INLINE Vec to_real(const int32_t* p, int32_t offset) {
#if defined(WAM_ISA_AVX512)
  return {_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(p), _mm512_set1_epi32(offset)))};
#elif defined(WAM_ISA_AVX2)
  const __m256i* eight = reinterpret_cast<const __m256i*>(p);
  const __m256i less = _mm256_set1_epi32(offset);
  return {_mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256(eight), less)),
          _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256(eight + 1), less))};
#else
  real lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<real>(p[i] - offset);
  return load(lane);
#endif
}

/// A strip times a panel, as integers: the rows are rows [i, i + rows) of g.a.
struct Int8Tile {
  const int32_t* whole;
  const Int8Rows* a;
  int i, rows;
  const real* column_scale;

  template <class F>
  WAM_INLINE void each_row(F f) const {
    Vec columns[kPanelVecs];
    for (int v = 0; v < kPanelVecs; ++v) columns[v] = load(column_scale + v * kLanes);
    const int offset = a->kernel->offset;
    for (int r = 0; r < rows; ++r) {
      const Vec row = splat(a->scale[i + r]);
      const int32_t less = offset == 0 ? 0 : offset * a->total[i + r];
      Vec product[kPanelVecs];
      for (int v = 0; v < kPanelVecs; ++v)
        product[v] = to_real(whole + r * kPanel + v * kLanes, less) * (row * columns[v]);
      f(r, product);
    }
  }
  void write(real* to) const {
    each_row([=](int r, const Vec(&x)[kPanelVecs]) {
      for (int v = 0; v < kPanelVecs; ++v) store(to + r * kPanel + v * kLanes, x[v]);
    });
  }
};

/// c = activation(product + bias) + residual, without a stop in memory.
template <Activation kKind>
void finish_whole(const Gemm& g, const Int8Tile& tile, int j) {
  const ptrdiff_t ldc = g.ldc, ldr = g.ldr;
  real* const c = g.c + tile.i * ldc + j;
  const real* const bias = g.bias == nullptr ? nullptr : g.bias + j;
  const real* const residual = g.residual == nullptr ? nullptr : g.residual + tile.i * ldr + j;
  tile.each_row([=](int r, const Vec(&product)[kPanelVecs]) {
    for (int v = 0; v < kPanelVecs; ++v) {
      Vec x = product[v];
      if (bias != nullptr) x = x + load(bias + v * kLanes);
      x = apply_activation(kKind, x);
      if (residual != nullptr) x = x + load(residual + r * ldr + v * kLanes);
      store(c + r * ldc + v * kLanes, x);
    }
  });
}

/// Rows [t.row_begin, t.row_end) x panels [t.panel_begin, t.panel_end) of g, of activations quantised before.
void int8_task(const Gemm& g, const Int8Task& t) {
  const Int8Rows& a = *t.rows;
  const Int8Kernel& kernel = *a.kernel;
  alignas(64) int32_t whole[kInt8Strip * kPanel];
  alignas(64) real product[kInt8Strip * kPanel], gate[kInt8Strip * kPanel];
  const int strip = kernel.strip_rows(t.row_end - t.row_begin);
  const int bytes = kernel.wide ? 2 : 1, depth = (g.k + 3) / 4 * 4;
  // Rows that stay in the second-level cache while all panels pass.
  constexpr ptrdiff_t kCached = 1 << 20;
  const int most = larger(static_cast<int>(kCached / (a.lda * bytes)) / strip, 1) * strip;
  const auto multiply = [&](int panel, int i, int rows) {
    kernel.product(depth, static_cast<const char*>(a.values) + i * a.lda * bytes, a.lda, rows, strip,
                   t.panels + static_cast<ptrdiff_t>(panel) * a.padded * kPanel, whole);
    return Int8Tile{whole, &a, i, rows, t.scale + panel * kPanel};
  };
  kernel.begin(strip);
  for (int begin = t.row_begin; begin < t.row_end; begin += most) {
    const int end = smaller(begin + most, t.row_end);
    for (int panel = t.panel_begin; panel < t.panel_end; ++panel) {
      const int j = panel * kPanel, columns = smaller(kPanel, g.n - j);
      for (int i = begin; i < end; i += strip) {
        const int rows = smaller(strip, end - i);
        if (g.gated) {
          multiply(panel, i, rows).write(gate);
          multiply(g.n / kPanel + panel, i, rows).write(product);
          finish_gated_tile(g, gate, product, i, rows, j);
        } else if (columns == kPanel) {
          const Int8Tile tile = multiply(panel, i, rows);
          if (g.activation == Activation::gelu_erf) {
            finish_whole<Activation::gelu_erf>(g, tile, j);
          } else if (g.activation == Activation::gelu_tanh) {
            finish_whole<Activation::gelu_tanh>(g, tile, j);
          } else {
            finish_whole<Activation::none>(g, tile, j);
          }
        } else {
          multiply(panel, i, rows).write(product);
          finish_tile(g, product, i, rows, j, columns);
        }
      }
    }
  }
  kernel.end();
}

}  // namespace wam::cpu::WAM_ISA
