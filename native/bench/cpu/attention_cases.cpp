// W2: attention without a mask over [heads, N, head_dim], where keys and values come as plain rows in each call.

#include <cmath>
#include <numeric>

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"

namespace wam::bench {

namespace {

constexpr int kLengths[] = {120, 577, 1100};
constexpr struct {
  int heads, head_dim;
} kShapes[] = {{8, 32}, {8, 64}, {16, 64}, {16, 128}};

void attention_case(const Harness& harness, Backend& backend, int length, int heads, int head_dim) {
  const std::string workload =
      "W2.N" + std::to_string(length) + ".h" + std::to_string(heads) + "x" + std::to_string(head_dim);
  if (!harness.wanted(workload)) return;
  const std::int64_t count = static_cast<std::int64_t>(heads) * length * head_dim;
  const Buffer<real> q(backend, signed_values("W2.q", count, 1)), k(backend, signed_values("W2.k", count, 1)),
      v(backend, signed_values("W2.v", count, 1)), out(backend, static_cast<std::size_t>(count));

  // Rows of a head lie together, so each head is a group of one head.
  std::vector<AttentionSegment> segments;
  for (int h = 0; h < heads; ++h) {
    segments.push_back({.q_begin = h * length, .q_rows = length, .b_begin = h * length, .b_rows = length});
  }
  std::vector<int> offsets(static_cast<std::size_t>(heads) + 1);
  std::iota(offsets.begin(), offsets.end(), 0);
  const Buffer<AttentionSegment> segment_list(backend, segments);
  const Buffer<int> offset_list(backend, offsets);

  Attention a;
  a.heads = a.kv_heads = 1, a.head_dim = head_dim;
  a.scale = static_cast<real>(1 / std::sqrt(static_cast<double>(head_dim)));
  a.q = q.data(), a.k = k.data(), a.v = v.data(), a.out = out.data();
  a.ldq = a.ldk = a.ldv = a.ldo = head_dim;
  a.segments = segment_list.data(), a.group_offsets = offset_list.data();
  a.groups = a.segment_count = heads;
  a.max_queries = a.max_keys = length;
  const double gflop = 4e-9 * length * length * head_dim * heads;
  harness.run(workload, gflop, [&] { backend.attention(a); }, [&] { return checksum(out); });
}

}  // namespace

void attention_cases(const Harness& harness, Backend& backend) {
  for (const auto& [heads, head_dim] : kShapes) {
    for (const int length : kLengths) attention_case(harness, backend, length, heads, head_dim);
  }
}

}  // namespace wam::bench
