// The units of one instruction set that sum int8 products: what int8_tile.inl needs to know of each, and AMX.

namespace wam::cpu::WAM_ISA::words {

using Activation = int16_t;
constexpr Int8Unit kUnit = Int8Unit::words;
constexpr int kGroup = 2, kOffset = 0;
#if defined(WAM_ISA_AVX512)
typedef __m512i Sum;
typedef __m512i Bytes;
WAM_INLINE Bytes widen(const uint8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) {
  int32_t pair;
  memcpy(&pair, a, sizeof pair);
  return _mm512_add_epi32(c, _mm512_madd_epi16(b, _mm512_set1_epi32(pair)));
}
WAM_INLINE void store_sum(int32_t* p, Sum s) { _mm512_storeu_si512(p, s); }
#elif defined(WAM_ISA_AVX2)
typedef __m256i Sum;
typedef __m256i Bytes;
WAM_INLINE Bytes widen(const uint8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) {
  int32_t pair;
  memcpy(&pair, a, sizeof pair);
  return _mm256_add_epi32(c, _mm256_madd_epi16(b, _mm256_set1_epi32(pair)));
}
WAM_INLINE void store_sum(int32_t* p, Sum s) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), s); }
#elif defined(__SSE2__)
typedef __m128i Sum;
typedef __m128i Bytes;
WAM_INLINE Bytes widen(const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}
WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) {
  int32_t pair;
  memcpy(&pair, a, sizeof pair);
  return _mm_add_epi32(c, _mm_madd_epi16(b, _mm_set1_epi32(pair)));
}
WAM_INLINE void store_sum(int32_t* p, Sum s) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), s); }
#else
typedef int32_t Sum __attribute__((vector_size(16)));
struct Bytes {
  Sum even, odd;
};
WAM_INLINE Bytes widen(const uint8_t* p) {
  Bytes b;
  for (int j = 0; j < 4; ++j) b.even[j] = static_cast<int8_t>(p[2 * j]), b.odd[j] = static_cast<int8_t>(p[2 * j + 1]);
  return b;
}
WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) { return c + b.even * int32_t{a[0]} + b.odd * int32_t{a[1]}; }
WAM_INLINE void store_sum(int32_t* p, Sum s) { memcpy(p, &s, sizeof s); }
#endif
constexpr int kSums = kPanel * sizeof(int32_t) / sizeof(Sum);
WAM_INLINE void load_weights(const uint8_t* panel, Bytes (&b)[kSums]) {
  for (int v = 0; v < kSums; ++v) b[v] = widen(panel + v * (kPanel / kSums) * kGroup);
}

}  // namespace wam::cpu::WAM_ISA::words

#define WAM_UNIT words
#define WAM_UNIT_TARGET
#include "cpu/int8_tile.inl"

#if defined(WAM_ISA_AVX512) || defined(WAM_ISA_AVX2)
#if defined(WAM_ISA_AVX512)
#define WAM_UNIT_TARGET __attribute__((target("avx512vnni")))
#else
#define WAM_UNIT_TARGET __attribute__((target("avxvnni")))
#endif

namespace wam::cpu::WAM_ISA::vnni {

using Activation = int8_t;
constexpr Int8Unit kUnit = Int8Unit::vnni;
constexpr int kGroup = 4, kOffset = 128;  // vpdpbusd broadcasts its signed operand, so the weights are the unsigned one
#if defined(WAM_ISA_AVX512)
typedef __m512i Sum;
typedef __m512i Bytes;
WAM_UNIT_TARGET WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) {
  int32_t four;
  memcpy(&four, a, sizeof four);
  return _mm512_dpbusd_epi32(c, b, _mm512_set1_epi32(four));
}
#else
typedef __m256i Sum;
typedef __m256i Bytes;
WAM_UNIT_TARGET WAM_INLINE Sum dot(Sum c, Bytes b, const Activation* a) {
  int32_t four;
  memcpy(&four, a, sizeof four);
  return _mm256_dpbusd_avx_epi32(c, b, _mm256_set1_epi32(four));
}
#endif
constexpr int kSums = kPanel * sizeof(int32_t) / sizeof(Sum);
WAM_INLINE void store_sum(int32_t* p, Sum s) { memcpy(p, &s, sizeof s); }
WAM_INLINE void load_weights(const uint8_t* panel, Bytes (&b)[kSums]) {
  for (int v = 0; v < kSums; ++v) memcpy(&b[v], panel + v * sizeof(Bytes), sizeof(Bytes));
}

}  // namespace wam::cpu::WAM_ISA::vnni

#define WAM_UNIT vnni
#include "cpu/int8_tile.inl"
#endif

#if defined(WAM_ISA_AVX512)
// Two tiles of rows by two of columns (tiles 0 to 3), from two of activations (4, 5) and two of weights (6, 7).
namespace wam::cpu::WAM_ISA::amx {

constexpr int kTileRows = 16, kTileBytes = 64;
static_assert(kPanel * 4 == 2 * kTileBytes, "two tiles of columns are a panel");

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// All tiles of rows are equally high, so that one configuration serves all strips of a task.
int strip_rows(int rows) {
  const int tiles = (rows + kTileRows - 1) / kTileRows;
  return (tiles > 1 ? 2 : 1) * ((rows + tiles - 1) / tiles);
}
int tile_rows(int strip) { return strip > kTileRows ? strip / 2 : strip; }

__attribute__((target("amx-tile"))) void begin(int strip) {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = kTileBytes;
    config.rows[i] = static_cast<uint8_t>(i < 6 ? tile_rows(strip) : kTileRows);
  }
  __asm__ volatile("" ::"r"(&config) : "memory");  // the intrinsic says that it reads 8 bytes of it
  _tile_loadconfig(&config);
}
__attribute__((target("amx-tile"))) void end() { _tile_release(); }

/// kTwo: two tiles of rows, else one; the second begins at row `second`.
template <bool kTwo>
__attribute__((target("amx-tile,amx-int8"))) void multiply(int depth, const int8_t* a, ptrdiff_t lda, int second,
                                                           const uint8_t* panel, int32_t* sum) {
  constexpr ptrdiff_t kStride = 4 * kPanel;
  const int8_t* below = a + second * lda;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kTwo) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int p = 0; p < depth; p += kInt8Block) {
    _tile_loadd(6, panel, kStride);
    _tile_loadd(4, a + p, lda);
    if constexpr (kTwo) _tile_loadd(5, below + p, lda);
    _tile_dpbssd(0, 4, 6);
    if constexpr (kTwo) _tile_dpbssd(2, 5, 6);
    _tile_loadd(7, panel + kTileBytes, kStride);
    _tile_dpbssd(1, 4, 7);
    if constexpr (kTwo) _tile_dpbssd(3, 5, 7);
    panel += kInt8Block * kPanel;
  }
  _tile_stored(0, sum, kStride);
  _tile_stored(1, sum + kPanel / 2, kStride);
  if constexpr (kTwo) {
    _tile_stored(2, sum + second * kPanel, kStride);
    _tile_stored(3, sum + second * kPanel + kPanel / 2, kStride);
  }
}
void product(int depth, const void* a, ptrdiff_t lda, int rows, int strip, const uint8_t* panel, int32_t* sum) {
  const int height = tile_rows(strip);
  const int8_t* activations = static_cast<const int8_t*>(a);
  if (rows > height) {
    multiply<true>(depth, activations, lda, height, panel, sum);
  } else {
    multiply<false>(depth, activations, lda, height, panel, sum);
  }
}
constexpr Int8Kernel kKernel = {.unit = Int8Unit::amx,
                                .group = 4,
                                .offset = 0,
                                .wide = false,
                                .strip_rows = strip_rows,
                                .begin = begin,
                                .end = end,
                                .product = product};

}  // namespace wam::cpu::WAM_ISA::amx
#endif

namespace wam::cpu::WAM_ISA {

const Int8Kernel& int8_kernel([[maybe_unused]] Int8Unit unit) {
#if defined(WAM_ISA_AVX512)
  if (unit == Int8Unit::amx) return amx::kKernel;
#endif
#if defined(WAM_ISA_AVX512) || defined(WAM_ISA_AVX2)
  if (unit == Int8Unit::vnni) return vnni::kKernel;
#endif
  return words::kKernel;
}

}  // namespace wam::cpu::WAM_ISA
