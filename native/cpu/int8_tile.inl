// Integer tiles of kStrip rows x kPanel columns in registers. Included once a unit, with WAM_UNIT naming its namespace
// and WAM_UNIT_TARGET the attribute that lets its functions use the unit's instructions; the namespace has kUnit,
// kGroup, kOffset, Activation, Sum, Bytes, kSums, load_weights, dot and store_sum.

namespace wam::cpu::WAM_ISA::WAM_UNIT {

// As Accumulators of gemm.inl.
template <int kRows>
struct Sums {
  Sums<kRows - 1> above;
  Sum c[kSums];

  WAM_UNIT_TARGET WAM_INLINE void clear() {
    above.clear();
    for (int v = 0; v < kSums; ++v) c[v] = Sum{};
  }
  WAM_UNIT_TARGET WAM_INLINE void step(const Activation* const (&a)[3], ptrdiff_t lda, const Bytes (&b)[kSums]) {
    above.step(a, lda, b);
    constexpr int kRow = kRows - 1;
    const Activation* x = a[kRow / 4] + kRow % 4 * lda;
    for (int v = 0; v < kSums; ++v) c[v] = dot(c[v], b[v], x);
  }
  WAM_UNIT_TARGET WAM_INLINE int32_t* write(int32_t* out) const {
    int32_t* row = above.write(out);
    for (int v = 0; v < kSums; ++v) store_sum(row + v * (kPanel / kSums), c[v]);
    return row + kPanel;
  }
};
template <>
struct Sums<0> {
  WAM_UNIT_TARGET WAM_INLINE void clear() {}
  WAM_UNIT_TARGET WAM_INLINE void step(const Activation* const (&)[3], ptrdiff_t, const Bytes (&)[kSums]) {}
  WAM_UNIT_TARGET WAM_INLINE int32_t* write(int32_t* out) const { return out; }
};

template <int kRows>
WAM_UNIT_TARGET void tile(int depth, const Activation* a, ptrdiff_t lda, const uint8_t* panel, int32_t* sum) {
  constexpr int kStep = kPanel * kGroup;
  Sums<kRows> s;
  s.clear();
  const Activation* rows[3] = {a, kRows > 4 ? a + 4 * lda : a, kRows > 8 ? a + 8 * lda : a};
  for (int p = 0; p < depth; p += kGroup) {
    Bytes b[kSums];
    load_weights(panel, b);
    // Panels follow one another, so this runs into the next one.
    __builtin_prefetch(panel + 16 * kStep);
    if constexpr (kStep > 64) __builtin_prefetch(panel + 16 * kStep + 64);
    s.step(rows, lda, b);
    panel += kStep;
    rows[0] += kGroup, rows[1] += kGroup, rows[2] += kGroup;
  }
  s.write(sum);
}

using Tile = void (*)(int depth, const Activation* a, ptrdiff_t lda, const uint8_t* panel, int32_t* sum);
template <int kRows>
constexpr void fill_tiles(Tile (&tiles)[kStrip + 1]) {
  if constexpr (kRows > 0) {
    tiles[kRows] = tile<kRows>;
    fill_tiles<kRows - 1>(tiles);
  }
}
struct TileTable {
  Tile tile[kStrip + 1] = {};
  constexpr TileTable() { fill_tiles<kStrip>(tile); }
};
constexpr TileTable kTiles;

int strip_rows(int rows) {
  const int strips = (rows + kStrip - 1) / kStrip;
  return (rows + strips - 1) / strips;
}
void begin(int) {}
void end() {}
void product(int depth, const void* a, ptrdiff_t lda, int rows, int, const uint8_t* panel, int32_t* sum) {
  kTiles.tile[rows](depth, static_cast<const Activation*>(a), lda, panel, sum);
}

constexpr Int8Kernel kKernel = {.unit = kUnit,
                                .group = kGroup,
                                .offset = kOffset,
                                .wide = sizeof(Activation) == 2,
                                .strip_rows = strip_rows,
                                .begin = begin,
                                .end = end,
                                .product = product};

}  // namespace wam::cpu::WAM_ISA::WAM_UNIT

#undef WAM_UNIT
#undef WAM_UNIT_TARGET
