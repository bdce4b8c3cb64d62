// Attention backward of the GPU backend, on the harness, against the definition in float64.
#include "test/gpu/attention_support.h"

namespace wam::test {
namespace {

/// dq, dk and dv behind each other.
std::vector<float> backward(Backend& backend, const AttentionOperands& t, int shift = 0) {
  DeviceAttention device(backend, t, shift);
  const Attention a = device.attention();
  backend.attention(a);
  backend.attention_backward(a, device.backward());
  return concatenated({device.dq(), device.dk(), device.dv()});
}

std::vector<double> joined(const AttentionResult& r) {
  std::vector<double> all = r.dq;
  all.insert(all.end(), r.dk.begin(), r.dk.end());
  all.insert(all.end(), r.dv.begin(), r.dv.end());
  return all;
}

std::vector<AttentionCase> fp32_cases() {
  return {prefix_case(1, 0, 1, 1, 1, 1, 1),
          prefix_case(1, 5, 1, 3, 1, 1, 7, 3),
          prefix_case(2, 40, 2, 24, 4, 2, 32, 8),
          prefix_case(1, 65, 1, 33, 2, 1, 33),
          prefix_case(1, 70, 1, 29, 2, 2, 64),
          prefix_case(1, 33, 2, 17, 2, 1, 80, 4),
          prefix_case(1, 31, 1, 32, 2, 1, 128),
          prefix_case(1, 17, 1, 15, 1, 1, 256, 4),
          cached_case(2, 0, 67, true, 2, 2, 32),
          cached_case(1, 40, 70, true, 2, 1, 20),
          cached_case(2, 100, 24, false, 2, 2, 32),
          cached_case(1, 50, 33, true, 2, 1, 96),
          blind_case(9)};
}

std::vector<AttentionCase> mma_cases() {
  return {prefix_case(2, 40, 2, 24, 4, 2, 32, 8),      prefix_case(1, 100, 1, 50, 2, 1, 64),
          cached_case(1, 60, 103, true, 2, 1, 64, 16), prefix_case(1, 67, 1, 17, 2, 2, 80),
          cached_case(2, 33, 65, true, 1, 1, 96),      cached_case(1, 80, 70, false, 2, 1, 128),
          cached_case(1, 130, 31, true, 2, 2, 128),    blind_case(16)};
}

/// Each of dq, dk and dv: at most twice the error of plain 16-bit arithmetic.
void check_gradients(const AttentionOperands& t, const std::vector<float>& actual, const AttentionResult& exact,
                     const AttentionResult& plain) {
  const auto part = [&](std::size_t begin, std::size_t n) {
    const auto from = actual.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::vector<float>(from, from + static_cast<std::ptrdiff_t>(n));
  };
  const std::vector<float> dq = part(0, t.q.size()), dk = part(t.q.size(), t.k.size());
  const std::vector<float> dv = part(t.q.size() + t.k.size(), t.v.size());
  CHECK_NEAR(largest_difference(dq, exact.dq), 0, 2 * largest_difference(plain.dq, exact.dq));
  CHECK_NEAR(largest_difference(dk, exact.dk), 0, 2 * largest_difference(plain.dk, exact.dk) + 1e-6);
  CHECK_NEAR(largest_difference(dv, exact.dv), 0, 2 * largest_difference(plain.dv, exact.dv) + 1e-6);
}

template <class T>
void check_16_bit_backward(const AttentionCase& c, bool thorough) {
  const Context at(c.name);
  AttentionOperands t(c);
  t.round_inputs<T>();
  const AttentionResult exact = attention_definition<double>(t), plain = attention_definition<T>(t);
  const auto backend = attention_backend(kPrecisionOf<T>), fast = attention_backend(kPrecisionOf<T>, false);
  const std::vector<float> gradients = under_schedules(thorough, [&] { return backward(*backend, t); });
  check_gradients(t, gradients, exact, plain);
  // Atomics add in another order in each run.
  const std::vector<float> unordered = under_schedules(false, [&] { return backward(*fast, t); });
  check_gradients(t, unordered, exact, plain);
}

/// The call on 16-bit q, k, v, out and dout.
template <class T>
std::vector<float> half_backward(const AttentionOperands& t) {
  const auto backend = attention_backend(kPrecisionOf<T>);
  const auto bits = [](const std::vector<float>& x) {
    std::vector<T> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = simt::from_float<T>(x[i]);
    return y;
  };
  DeviceAttention device(*backend, t);
  DeviceArray<T> q(*backend, bits(t.q)), k(*backend, bits(t.k)), v(*backend, bits(t.v)), out(*backend, t.q.size());
  DeviceArray<T> dout(*backend, bits(t.dout));
  const Attention a = device.attention();
  const AttentionBackward g = device.backward();
  simt::AttentionBackwardCall call;
  simt::AttentionParams& p = call.call.params;
  p.q = q.data(), p.k = k.data(), p.v = v.data(), p.out = out.data(), p.lse = a.lse;
  p.ldq = a.ldq, p.ldk = a.ldk, p.ldv = a.ldv, p.ldo = a.ldo;
  p.heads = a.heads, p.kv_heads = a.kv_heads, p.head_dim = a.head_dim, p.scale = a.scale;
  p.segments = a.segments, p.max_queries = a.max_queries, p.half_storage = true;
  call.call.precision = kPrecisionOf<T>, call.call.segment_count = a.segment_count, call.call.max_keys = a.max_keys;
  call.call.multiprocessors = 8;
  simt::AttentionBackwardParams& b = call.grad;
  b.out = out.data(), b.dout = dout.data(), b.ldo = g.ldo, b.lddo = g.lddo;
  b.dq = g.dq, b.dk = g.dk, b.dv = g.dv, b.lddq = g.lddq, b.lddk = g.lddk, b.lddv = g.lddv;
  b.group_offsets = a.group_offsets, b.key_ranges = a.key_ranges;
  call.key_range_count = a.key_range_count, call.max_range_rows = a.max_range_rows;
  DeviceArray<unsigned char> scratch(
      *backend, std::max(simt::attention_scratch_bytes(call.call), simt::attention_scratch_bytes(call)));
  const auto stream = static_cast<simt::GpuBackend&>(*backend).stream();
  simt::launch_attention(stream, call.call, scratch.data());
  simt::launch_attention_backward(stream, call, scratch.data());
  return concatenated({device.dq(), device.dk(), device.dv()});
}

}  // namespace

TEST(gpu_attention_backward_fp32_matches_the_definition) {
  double worst = 0;
  int index = 0;
  for (const AttentionCase& c : fp32_cases()) {
    const Context at(c.name);
    const bool thorough = index++ % 4 == 2;
    const AttentionOperands t(c);
    const std::vector<double> expected = joined(attention_definition<double>(t));
    const auto backend = attention_backend();
    const std::vector<float> actual = under_schedules(thorough, [&] { return backward(*backend, t); });
    CHECK_ALL_NEAR(actual.data(), expected.data(), static_cast<long>(expected.size()), 1e-5);
    const std::vector<float> shifted = backward(*backend, t, 1);
    CHECK_SAME_BITS(shifted.data(), actual.data(), actual.size());
    check_no_reports();
    worst = std::max(worst, largest_difference(actual, expected));
  }
  std::printf("  float attention backward: worst error %.3g\n", worst);
}

TEST(gpu_attention_backward_fp32_with_atomics_matches_the_definition) {
  for (const AttentionCase& c : fp32_cases()) {
    const Context at(c.name);
    const AttentionOperands t(c);
    const std::vector<double> expected = joined(attention_definition<double>(t));
    const auto backend = attention_backend(gpu::Precision::fp32, false);
    const std::vector<float> actual = under_schedules(false, [&] { return backward(*backend, t); });
    CHECK_ALL_NEAR(actual.data(), expected.data(), static_cast<long>(expected.size()), 1e-5);
  }
}

TEST(gpu_attention_backward_bf16_matches_the_definition) {
  for (const AttentionCase& c : mma_cases()) check_16_bit_backward<simt::bf16>(c, true);
}

TEST(gpu_attention_backward_f16_matches_the_definition) {
  for (const AttentionCase& c : mma_cases()) check_16_bit_backward<simt::f16>(c, false);
}

TEST(gpu_attention_backward_on_16_bit_storage) {
  for (const AttentionCase& c : mma_cases()) {
    const Context at(c.name);
    AttentionOperands t(c);
    t.round_inputs<simt::bf16>();
    const AttentionResult exact = attention_definition<double>(t), plain = attention_definition<simt::bf16>(t);
    const std::vector<float> gradients = under_schedules(true, [&] { return half_backward<simt::bf16>(t); });
    check_gradients(t, gradients, exact, plain);
  }
}

}  // namespace wam::test
