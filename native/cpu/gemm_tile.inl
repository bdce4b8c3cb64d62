// The register tiles of all matrix products: kStrip rows x kPanel columns of sums, over B in panels [k][kPanel].

namespace wam::cpu::WAM_ISA {

#if defined(WAM_ISA_AVX512)
constexpr int kPanelVecs = 2, kStrip = 12;  // 24 accumulators, 2 of B, broadcasts: 28 of 32 registers
#elif defined(WAM_ISA_AVX2)
constexpr int kPanelVecs = 1, kStrip = 6;  // 12 accumulators, 2 of B, a broadcast: 15 of 16 registers
#else
constexpr int kPanelVecs = 1, kStrip = 2;  // 8 accumulators in 16 SSE2 registers
#endif
constexpr int kPanel = kPanelVecs * kLanes;
constexpr int kLineReals = 64 / sizeof(real);  // of a cache line

// Accumulators as a recursive struct: every access has a constant offset, so gcc keeps them all in registers (it spills
// an array that a loop indexes).
template <int kRows>
struct Accumulators {
  Accumulators<kRows - 1> above;
  Vec c[kPanelVecs];

  WAM_INLINE void clear() {
    above.clear();
    for (int v = 0; v < kPanelVecs; ++v) c[v] = zero();
  }
  /// c += a b; a holds one value a row: in a strip they are neighbours, in a row-major matrix lda apart, addressed from
  /// one pointer for each four rows so that x86 can scale the stride.
  template <bool kStripMajor>
  WAM_INLINE void step(const real* const (&a)[3], ptrdiff_t lda, const Vec (&b)[kPanelVecs]) {
    above.template step<kStripMajor>(a, lda, b);
    constexpr int kRow = kRows - 1;
    const Vec x = splat(kStripMajor ? a[0][kRow] : a[kRow / 4][kRow % 4 * lda]);
    for (int v = 0; v < kPanelVecs; ++v) c[v] = fma(x, b[v], c[v]);
  }
  /// Returns the row after the last.
  WAM_INLINE real* write(real* out, ptrdiff_t ldo) const {
    real* row = above.write(out, ldo);
    for (int v = 0; v < kPanelVecs; ++v) store(row + v * kLanes, c[v]);
    return row + ldo;
  }
  template <class Output>
  WAM_INLINE void finish(const Output& o) const {
    above.finish(o);
    constexpr ptrdiff_t kRow = kRows - 1;
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVecs; ++v) {
      const int at = v * kLanes;
      Vec x = c[v];
      if (o.before != nullptr) x = load(o.before + kRow * o.ld_before + at) + x;
      if (o.bias != nullptr) x = x + load(o.bias + at);
      if (o.residual != nullptr) x = x + load(o.residual + kRow * o.ld_residual + at);
      store(o.c + kRow * o.ldc + at, x);
    }
  }
};
template <>
struct Accumulators<0> {
  WAM_INLINE void clear() {}
  template <bool kStripMajor>
  WAM_INLINE void step(const real* const (&)[3], ptrdiff_t, const Vec (&)[kPanelVecs]) {}
  WAM_INLINE real* write(real* out, ptrdiff_t) const { return out; }
  template <class Output>
  WAM_INLINE void finish(const Output&) const {}
};

/// Keeps gcc from giving each step of an unrolled loop an address register of its own, which it then has to spill.
WAM_INLINE void opaque(const real*& pointer) {
#if defined(__GNUC__)
  asm("" : "+r"(pointer));
#endif
}

WAM_INLINE void load_columns(const real* row, Vec (&b)[kPanelVecs]) {
#pragma GCC unroll 4
  for (int v = 0; v < kPanelVecs; ++v) b[v] = load(row + v * kLanes);
}
WAM_INLINE void load_columns(const uint16_t* row, Vec (&b)[kPanelVecs]);  // gemm_bf16.inl

/// sum += a[kRows, k] b[k, kPanel], b in fp32 or as gemm_bf16.inl has it. a: element (i,p) at a[i*lda+p], in a strip at a[p*lda+i]. With kFetch the memory
/// from `next` on is brought near meanwhile, `next_step` values a step.
template <int kRows, bool kStripMajor, bool kFetch, class Weight>
WAM_INLINE void multiply_add(Accumulators<kRows>& sum, int k, const real* a, ptrdiff_t lda, const Weight* b,
                             ptrdiff_t ldb, const real* next, ptrdiff_t next_step) {
  const real* rows[3] = {a, kRows > 4 ? a + 4 * lda : a, kRows > 8 ? a + 8 * lda : a};
#pragma GCC unroll 4
  for (int p = 0; p < k; ++p) {
    Vec bv[kPanelVecs];
    load_columns(b, bv);
    if constexpr (kFetch) {
      __builtin_prefetch(next, 0, 2);
      next += next_step;
    }
    sum.template step<kStripMajor>(rows, lda, bv);
    b += ldb;
    if constexpr (kStripMajor) {
      rows[0] += lda;
    } else {
      ++rows[0], ++rows[1], ++rows[2];
      opaque(rows[0]);
      if (kRows > 4) opaque(rows[1]);
      if (kRows > 8) opaque(rows[2]);
    }
  }
}

/// out[kRows, kPanel] = a[kRows, k] b[k, kPanel], a a strip.
template <int kRows>
void tile(int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out, ptrdiff_t ldo) {
  Accumulators<kRows> sum;
  sum.clear();
  multiply_add<kRows, true, false>(sum, k, a, lda, b, ldb, nullptr, 0);
  sum.write(out, ldo);
}
using Tile = void (*)(int k, const real* a, ptrdiff_t lda, const real* b, ptrdiff_t ldb, real* out, ptrdiff_t ldo);

/// Where the sums of a tile go: c = before + sum + bias + residual, each left out when null.
struct TileOutput {
  real* c = nullptr;
  ptrdiff_t ldc = 0;
  const real* before = nullptr;  // the sum over earlier values of k
  ptrdiff_t ld_before = 0;
  const real* bias = nullptr;  // [kPanel]
  const real* residual = nullptr;
  ptrdiff_t ld_residual = 0;
  const real* next = nullptr;  // what to bring near: an address that may be read, and the values from step to step
  ptrdiff_t next_step = 0;
};
template <int kRows, bool kStripMajor, class Weight>
void output_tile(int k, const real* a, ptrdiff_t lda, const Weight* b, const TileOutput& o) {
  Accumulators<kRows> sum;
  sum.clear();
  multiply_add<kRows, kStripMajor, true>(sum, k, a, lda, b, kPanel, o.next, o.next_step);
  if (o.before == nullptr && o.bias == nullptr && o.residual == nullptr) {
    sum.write(o.c, o.ldc);
  } else {
    sum.finish(o);
  }
}
template <class Weight>
using OutputTile = void (*)(int k, const real* a, ptrdiff_t lda, const Weight* b, const TileOutput& o);
template <class Weight>
struct OutputTiles {
  OutputTile<Weight> row_major[kStrip + 1] = {}, strip_major[kStrip + 1] = {};
};

/// By number of rows; [0] is not used.
struct TileTable {
  Tile strip_major[kStrip + 1] = {};
  OutputTiles<real> output;
  OutputTiles<uint16_t> bf16_output;
  constexpr TileTable() { fill<kStrip>(); }

 private:
  template <int kRows>
  constexpr void fill() {
    strip_major[kRows] = tile<kRows>;
    fill_output<kRows>(output), fill_output<kRows>(bf16_output);
    if constexpr (kRows > 1) fill<kRows - 1>();
  }
  template <int kRows, class Weight>
  constexpr void fill_output(OutputTiles<Weight>& to) {
    to.row_major[kRows] = output_tile<kRows, false, Weight>, to.strip_major[kRows] = output_tile<kRows, true, Weight>;
  }
};
constexpr TileTable kTiles;

/// Rows cut into the least number of strips, as even as possible: strip s has rows [begin(s), begin(s + 1)).
struct Strips {
  int count, rows;
  explicit Strips(int m) : count((m + kStrip - 1) / kStrip), rows(m) {}
  int begin(int s) const { return static_cast<int>(static_cast<int64_t>(rows) * s / count); }
};

}  // namespace wam::cpu::WAM_ISA
