#include "bench/cpu/loops.h"

#include "cpu/int8_unit.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define WAM_BENCH_X86 1
#else
#define WAM_BENCH_X86 0
#endif

namespace wam::bench {

namespace {

// Twelve accumulators hide the latency of the unit. Written out: compilers keep an array of them in memory.
#define WAM_BENCH_TWELVE(STEP) \
  STEP(a0) STEP(a1) STEP(a2) STEP(a3) STEP(a4) STEP(a5) STEP(a6) STEP(a7) STEP(a8) STEP(a9) STEP(a10) STEP(a11)

// The compiler must not know what is in an accumulator: it would see that all are equal, or work the sums out.
#if WAM_BENCH_X86
#define WAM_BENCH_OPAQUE(a) asm volatile("" : "+v"(a))
#else
#define WAM_BENCH_OPAQUE(a) asm volatile("" : "+w"(a))
#endif

volatile float float_sink;
volatile int int_sink;

typedef float Four __attribute__((vector_size(16)));

/// Multiply, then add, four floats at a time: what code for every processor of the family can do.
void fp32_portable(std::int64_t rounds) {
  const Four x = {0.5f, 0.5f, 0.5f, 0.5f}, y = {1, 2, 3, 4};
  Four a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
#define WAM_BENCH_STEP(a) \
  a = a * x + y;          \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  const Four sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
  float_sink = sum[0] + sum[1] + sum[2] + sum[3];
}

/// Sum of vectors of type V. Inlined, so that it becomes code of the caller's instruction set.
template <class V>
[[gnu::always_inline]] inline float sum_of(const float* values, std::size_t count) {
  constexpr std::size_t kLanes = sizeof(V) / sizeof(float);
  V s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
  const V* v = reinterpret_cast<const V*>(values);
  for (std::size_t i = 0; i < count / kLanes; i += 8) {
    s0 += v[i], s1 += v[i + 1], s2 += v[i + 2], s3 += v[i + 3];
    s4 += v[i + 4], s5 += v[i + 5], s6 += v[i + 6], s7 += v[i + 7];
  }
  const V sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  float total = 0;
  for (std::size_t l = 0; l < kLanes; ++l) total += sum[l];
  return total;
}

float read_portable(const float* values, std::size_t count) { return sum_of<Four>(values, count); }

#if WAM_BENCH_X86

typedef float Eight __attribute__((vector_size(32)));
typedef float Sixteen __attribute__((vector_size(64)));

[[gnu::target("avx2,fma")]] void fp32_avx2(std::int64_t rounds) {
  const __m256 x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(1);
  __m256 a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
#define WAM_BENCH_STEP(a)       \
  a = _mm256_fmadd_ps(a, x, y); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  const __m256 sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
  float_sink = _mm256_cvtss_f32(sum);
}

[[gnu::target("avx512f")]] void fp32_avx512(std::int64_t rounds) {
  const __m512 x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(1);
  __m512 a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
#define WAM_BENCH_STEP(a)       \
  a = _mm512_fmadd_ps(a, x, y); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  const __m512 sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
  float_sink = _mm512_cvtss_f32(sum);
}

// int8 products, by the unit that the engine would take (cpu/int8_unit.h).
[[gnu::target("avx2")]] void words_avx2(std::int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  __m256i a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
#define WAM_BENCH_STEP(a)                           \
  a = _mm256_add_epi32(a, _mm256_madd_epi16(a, x)); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  __m256i sum = a0;
  for (const __m256i a : {a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11}) sum = _mm256_xor_si256(sum, a);
  int_sink = _mm256_cvtsi256_si32(sum);
}

[[gnu::target("avx512f,avx512bw")]] void words_avx512(std::int64_t rounds) {
  const __m512i x = _mm512_set1_epi8(1);
  __m512i a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
#define WAM_BENCH_STEP(a)                           \
  a = _mm512_add_epi32(a, _mm512_madd_epi16(a, x)); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  __m512i sum = a0;
  for (const __m512i a : {a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11}) sum = _mm512_xor_si512(sum, a);
  int_sink = _mm512_cvtsi512_si32(sum);
}

[[gnu::target("avx2,avxvnni")]] void vnni_avx2(std::int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  __m256i a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
#define WAM_BENCH_STEP(a)               \
  a = _mm256_dpbusd_avx_epi32(a, x, x); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  __m256i sum = a0;
  for (const __m256i a : {a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11}) sum = _mm256_xor_si256(sum, a);
  int_sink = _mm256_cvtsi256_si32(sum);
}

[[gnu::target("avx512f,avx512vnni")]] void vnni_avx512(std::int64_t rounds) {
  const __m512i x = _mm512_set1_epi8(1);
  __m512i a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
#define WAM_BENCH_STEP(a)           \
  a = _mm512_dpbusd_epi32(a, x, x); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  __m512i sum = a0;
  for (const __m512i a : {a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11}) sum = _mm512_xor_si512(sum, a);
  int_sink = _mm512_cvtsi512_si32(sum);
}

/// Tiles of 16 rows of 64 bytes: four that are summed into, two of either operand.
[[gnu::target("amx-tile,amx-int8")]] void tiles(std::int64_t rounds) {
  // Static: g++ 12 does not see that the instruction reads all of it.
  static const struct alignas(64) {
    std::uint8_t palette = 1, start = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shape;
  _tile_loadconfig(&shape);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t i = 0; i < rounds; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

[[gnu::target("avx2")]] float read_avx2(const float* values, std::size_t count) { return sum_of<Eight>(values, count); }
[[gnu::target("avx512f")]] float read_avx512(const float* values, std::size_t count) {
  return sum_of<Sixteen>(values, count);
}

#endif

#undef WAM_BENCH_TWELVE
#undef WAM_BENCH_OPAQUE

}  // namespace

ArithmeticLoop fp32_loop(cpu::Isa isa) {
  constexpr double kAccumulators = 12;
#if WAM_BENCH_X86
  if (isa == cpu::Isa::avx512) return {"fp32 FMA avx512", kAccumulators * 32, fp32_avx512};
  if (isa == cpu::Isa::avx2) return {"fp32 FMA avx2", kAccumulators * 16, fp32_avx2};
#endif
  (void)isa;
  return {"fp32 multiply and add portable", kAccumulators * 8, fp32_portable};
}

ArithmeticLoop int8_loop(cpu::Isa isa) {
#if WAM_BENCH_X86
  constexpr double kAccumulators = 12, kTiles = 4 * 2.0 * 16 * 16 * 64;
  const bool wide = isa == cpu::Isa::avx512;
  if (isa != cpu::Isa::portable) {
    switch (cpu::int8_units(isa).front()) {
      case cpu::Int8Unit::amx:
        return {"int8 tiles", kTiles, tiles};
      case cpu::Int8Unit::vnni:
        return wide ? ArithmeticLoop{"int8 vpdpbusd avx512", kAccumulators * 128, vnni_avx512}
                    : ArithmeticLoop{"int8 vpdpbusd avx2", kAccumulators * 64, vnni_avx2};
      default:
        return wide ? ArithmeticLoop{"int8 vpmaddwd avx512", kAccumulators * 64, words_avx512}
                    : ArithmeticLoop{"int8 vpmaddwd avx2", kAccumulators * 32, words_avx2};
    }
  }
#endif
  (void)isa;
  return {};
}

float read_all(cpu::Isa isa, const float* values, std::size_t count) {
#if WAM_BENCH_X86
  if (isa == cpu::Isa::avx512) return read_avx512(values, count);
  if (isa == cpu::Isa::avx2) return read_avx2(values, count);
#endif
  (void)isa;
  return read_portable(values, count);
}

}  // namespace wam::bench
