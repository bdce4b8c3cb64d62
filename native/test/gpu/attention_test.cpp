// Attention forward of the GPU backend, on the harness, against the definition in float64.
#include "core/error.h"
#include "test/gpu/attention_support.h"

namespace wam::test {
namespace {

std::vector<float> forward(Backend& backend, const AttentionOperands& t, int shift = 0) {
  DeviceAttention device(backend, t, shift);
  backend.attention(device.attention());
  return concatenated({device.out(), device.lse()});
}

std::vector<double> expected_forward(const AttentionOperands& t) {
  AttentionResult r = attention_definition<double>(t);
  r.out.insert(r.out.end(), r.lse.begin(), r.lse.end());
  return r.out;
}

/// Sizes on both sides of tiles of 16, 32, 64 and 128, at least three tiles of keys, every width of kernel.
std::vector<AttentionCase> fp32_cases() {
  return {prefix_case(1, 0, 1, 1, 1, 1, 1),
          prefix_case(1, 5, 1, 3, 1, 1, 7, 3),
          prefix_case(2, 40, 3, 24, 4, 2, 32, 8),
          prefix_case(1, 65, 1, 33, 2, 1, 33),
          prefix_case(1, 130, 1, 63, 2, 2, 64),
          prefix_case(2, 33, 2, 17, 2, 1, 80, 4),
          prefix_case(1, 31, 1, 32, 2, 1, 128),
          prefix_case(1, 17, 1, 15, 1, 1, 256, 4),
          prefix_case(1, 16, 1, 18, 2, 1, 129, 1),
          cached_case(2, 0, 37, true, 2, 2, 32),
          cached_case(1, 70, 90, true, 3, 1, 20),
          cached_case(2, 300, 24, false, 2, 2, 32),
          cached_case(1, 255, 32, true, 2, 1, 96),
          cached_case(3, 128, 1, true, 2, 2, 64),
          blind_case(9)};
}

/// Errors of 16-bit results: at most twice those of plain 16-bit arithmetic, at most this of the log-sum-exp.
constexpr double kLseTolerance = 2e-5;

template <class T>
void check_16_bit_forward(const AttentionCase& c) {
  const Context at(c.name);
  AttentionOperands t(c);
  t.round_inputs<T>();
  const AttentionResult exact = attention_definition<double>(t), plain = attention_definition<T>(t);
  std::vector<float> rounded, unrounded;
  {
    const auto backend = attention_backend(kPrecisionOf<T>);
    rounded = same_under_each_schedule([&] { return forward(*backend, t); });
    // Values that T does not hold are rounded to nearest even on the way in.
    const AttentionOperands raw(c);
    unrounded = forward(*backend, raw, 1);
    check_no_reports();
  }
  CHECK_SAME_BITS(unrounded.data(), rounded.data(), rounded.size());
  const std::vector<float> out(rounded.begin(), rounded.begin() + static_cast<std::ptrdiff_t>(t.q.size()));
  const std::vector<float> lse(rounded.begin() + static_cast<std::ptrdiff_t>(t.q.size()), rounded.end());
  const double error = largest_difference(out, exact.out), plain_error = largest_difference(plain.out, exact.out);
  CHECK_NEAR(error, 0, 2 * plain_error);
  CHECK_NEAR(largest_difference(lse, exact.lse), 0, kLseTolerance);
}

std::vector<AttentionCase> mma_cases() {
  return {prefix_case(2, 40, 2, 24, 4, 2, 32, 8),      prefix_case(1, 120, 1, 70, 2, 1, 64),
          cached_case(1, 60, 133, true, 2, 1, 64, 16), prefix_case(1, 97, 1, 17, 2, 2, 80),
          cached_case(2, 33, 65, true, 1, 1, 96),      cached_case(1, 110, 80, false, 2, 1, 128),
          cached_case(2, 300, 24, false, 2, 2, 32, 8), cached_case(1, 255, 31, true, 2, 1, 128),
          cached_case(1, 129, 1, false, 1, 1, 48),     blind_case(16)};
}

/// The call on 16-bit buffers: bits of T in, bits of T out.
template <class T>
std::vector<float> half_forward(const AttentionOperands& t, std::vector<float>* lse = nullptr) {
  const auto backend = attention_backend(kPrecisionOf<T>);
  const auto bits = [](const std::vector<float>& x) {
    std::vector<T> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = simt::from_float<T>(x[i]);
    return y;
  };
  DeviceAttention device(*backend, t);
  DeviceArray<T> q(*backend, bits(t.q)), k(*backend, bits(t.k)), v(*backend, bits(t.v)), out(*backend, t.q.size());
  const Attention a = device.attention();
  simt::AttentionCall call;
  simt::AttentionParams& p = call.params;
  p.q = q.data(), p.k = k.data(), p.v = v.data(), p.out = out.data(), p.lse = a.lse;
  p.ldq = a.ldq, p.ldk = a.ldk, p.ldv = a.ldv, p.ldo = a.ldo;
  p.heads = a.heads, p.kv_heads = a.kv_heads, p.head_dim = a.head_dim, p.scale = a.scale;
  p.segments = a.segments, p.max_queries = a.max_queries, p.half_storage = true;
  call.precision = kPrecisionOf<T>, call.segment_count = a.segment_count, call.max_keys = a.max_keys;
  call.multiprocessors = 8;
  const std::size_t bytes = simt::attention_scratch_bytes(call);
  DeviceArray<unsigned char> scratch(*backend, bytes);
  simt::launch_attention(static_cast<simt::GpuBackend&>(*backend).stream(), call, bytes > 0 ? scratch.data() : nullptr);
  if (lse != nullptr) *lse = device.lse();
  std::vector<float> result;
  for (const T x : out.get()) result.push_back(simt::to_float(x));
  return result;
}

template <class T>
void check_half_storage(const AttentionCase& c) {
  const Context at(c.name);
  AttentionOperands t(c);
  t.round_inputs<T>();
  const auto backend = attention_backend(kPrecisionOf<T>);
  std::vector<float> from_floats = forward(*backend, t);
  std::vector<float> lse;
  const std::vector<float> out = same_under_each_schedule([&] { return half_forward<T>(t, &lse); });
  for (std::size_t i = 0; i < t.q.size(); ++i) from_floats[i] = static_cast<float>(round_to<T>(from_floats[i]));
  CHECK_SAME_BITS(out.data(), from_floats.data(), out.size());
  CHECK_SAME_BITS(lse.data(), from_floats.data() + t.q.size(), lse.size());
}

}  // namespace

TEST(gpu_attention_fp32_matches_the_definition) {
  double worst = 0;
  int index = 0;
  for (const AttentionCase& c : fp32_cases()) {
    const Context at(c.name);
    const AttentionOperands t(c);
    const std::vector<double> expected = expected_forward(t);
    const bool thorough = index++ % 2 == 0;
    // With many multiprocessors the keys are split across blocks, with one they are not: the bits are the same.
    std::vector<float> joined, split;
    {
      const simt::ScopedOptions scope(with_multiprocessors(1));
      const auto backend = attention_backend();
      joined = under_schedules(thorough, [&] { return forward(*backend, t); });
    }
    {
      const simt::ScopedOptions scope(with_multiprocessors(1000));
      const auto backend = attention_backend();
      split = under_schedules(false, [&] { return forward(*backend, t, 1); });
    }
    CHECK_ALL_NEAR(joined.data(), expected.data(), static_cast<long>(expected.size()), 2e-6);
    CHECK_SAME_BITS(split.data(), joined.data(), joined.size());
    worst = std::max(worst, largest_difference(joined, expected));
  }
  std::printf("  float attention: worst error %.3g\n", worst);
}

TEST(gpu_attention_fp32_survives_large_scores) {
  const AttentionCase c = prefix_case(1, 150, 1, 20, 2, 2, 32);
  const AttentionOperands t(c, 100);
  const auto backend = attention_backend();
  const std::vector<float> out = forward(*backend, t);
  const std::vector<double> expected = expected_forward(t);
  CHECK_ALL_NEAR(out.data(), expected.data(), static_cast<long>(expected.size()), 3e-3);
  check_no_reports();
}

TEST(gpu_attention_without_log_sum_exp_gives_the_same_output) {
  for (const gpu::Precision precision : {gpu::Precision::fp32, gpu::Precision::bf16}) {
    for (const AttentionCase& c : {prefix_case(2, 40, 2, 24, 2, 1, 32), cached_case(2, 200, 24, false, 2, 2, 32)}) {
      const Context at(c.name);
      const AttentionOperands t(c);
      const auto backend = attention_backend(precision);
      const std::vector<float> both = forward(*backend, t);
      DeviceAttention device(*backend, t);
      Attention a = device.attention();
      a.lse = nullptr;
      backend->attention(a);
      CHECK_SAME_BITS(device.out().data(), both.data(), t.q.size());
      check_no_reports();
    }
  }
}

TEST(gpu_attention_fp32_of_a_row_does_not_depend_on_the_batch) {
  for (const AttentionCase& c : {prefix_case(2, 40, 2, 24, 4, 2, 32), prefix_case(1, 150, 1, 31, 2, 1, 20),
                                 cached_case(2, 130, 70, true, 2, 2, 20), cached_case(1, 140, 24, true, 1, 1, 72)}) {
    const Context at(c.name);
    const AttentionOperands t(c);
    const auto backend = attention_backend();
    const std::vector<float> all = forward(*backend, t);
    for (const AttentionSegment& segment : c.segments) {
      for (const int row : {0, segment.q_rows / 2, segment.q_rows - 1}) {
        AttentionCase one = c;  // the row alone; with a causal segment, the rows up to it
        one.segments = {segment}, one.group_offsets = {0, 1};
        one.segments[0].q_rows = segment.causal ? row + 1 : 1;
        if (!segment.causal) one.segments[0].q_begin += row;
        AttentionOperands alone(one);
        alone.q = t.q, alone.k = t.k, alone.v = t.v;
        const std::vector<float> result = forward(*backend, alone);
        const std::ptrdiff_t at_row = segment.q_begin + row, lse = static_cast<std::ptrdiff_t>(t.q.size());
        CHECK_SAME_BITS(result.data() + at_row * t.ldq, all.data() + at_row * t.ldq, c.heads * c.head_dim);
        CHECK_SAME_BITS(result.data() + lse + at_row * c.heads, all.data() + lse + at_row * c.heads, c.heads);
      }
    }
    check_no_reports();
  }
}

TEST(gpu_attention_with_bounds_larger_than_the_segments) {
  const AttentionCase c = prefix_case(2, 40, 2, 24, 2, 1, 32);
  const AttentionOperands t(c);
  for (const gpu::Precision precision : {gpu::Precision::fp32, gpu::Precision::bf16}) {
    const auto backend = attention_backend(precision);
    DeviceAttention device(*backend, t);
    Attention a = device.attention();
    backend->attention(a);
    const std::vector<float> tight = concatenated({device.out(), device.lse()});
    a.max_queries += 100, a.max_keys += 300;
    backend->attention(a);
    const std::vector<float> loose = concatenated({device.out(), device.lse()});
    CHECK_SAME_BITS(loose.data(), tight.data(), tight.size());
    check_no_reports();
  }
}

TEST(gpu_attention_bf16_matches_the_definition) {
  for (const AttentionCase& c : mma_cases()) check_16_bit_forward<simt::bf16>(c);
}

TEST(gpu_attention_f16_matches_the_definition) {
  for (const AttentionCase& c : mma_cases()) check_16_bit_forward<simt::f16>(c);
}

TEST(gpu_attention_on_16_bit_storage_gives_the_same_bits) {
  for (const AttentionCase& c : mma_cases()) check_half_storage<simt::bf16>(c);
  check_half_storage<simt::f16>(mma_cases()[5]);
}

TEST(gpu_attention_without_a_tensor_core_kernel_runs_in_float) {
  for (const AttentionCase& c : {prefix_case(1, 20, 1, 9, 2, 1, 12), prefix_case(1, 20, 1, 9, 1, 1, 136)}) {
    const Context at(c.name);
    const AttentionOperands t(c);
    const std::vector<float> a = forward(*attention_backend(), t);
    const std::vector<float> b = forward(*attention_backend(gpu::Precision::bf16), t);
    CHECK_SAME_BITS(a.data(), b.data(), a.size());
  }
  check_no_reports();
}

TEST(gpu_attention_refuses_what_no_kernel_takes) {
  const AttentionCase wide = prefix_case(1, 3, 0, 0, 1, 1, 257);
  CHECK_THROWS(forward(*attention_backend(), AttentionOperands(wide)), Error);
  const AttentionCase odd = prefix_case(1, 3, 0, 0, 1, 1, 32, 1);  // rows of 16-bit values that are not aligned
  CHECK_THROWS(half_forward<simt::bf16>(AttentionOperands(odd)), Error);
  check_no_reports();
}

}  // namespace wam::test
