#include "bench/cpu/loops.h"

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

/// Products of bytes summed by pairs of instructions, as AVX2 alone has it.
[[gnu::target("avx2")]] void int8_avx2(std::int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  __m256i a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, a8 = x, a9 = x, a10 = x, a11 = x;
#define WAM_BENCH_STEP(a)                                                       \
  a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(a, x), ones)); \
  WAM_BENCH_OPAQUE(a);
  for (std::int64_t i = 0; i < rounds; ++i) {
    WAM_BENCH_TWELVE(WAM_BENCH_STEP)
  }
#undef WAM_BENCH_STEP
  __m256i sum = a0;
  for (const __m256i a : {a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11}) sum = _mm256_xor_si256(sum, a);
  int_sink = _mm256_cvtsi256_si32(sum);
}

[[gnu::target("avx512f,avx512vnni")]] void int8_vnni(std::int64_t rounds) {
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
  constexpr double kAccumulators = 12;
  if (isa == cpu::Isa::avx512 && __builtin_cpu_supports("avx512vnni")) {
    return {"int8 vpdpbusd avx512", kAccumulators * 128, int8_vnni};
  }
  if (isa != cpu::Isa::portable) return {"int8 vpmaddubsw avx2", kAccumulators * 64, int8_avx2};
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
