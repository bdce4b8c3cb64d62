// Attention: the cut into tasks.
#include <algorithm>

#include "cpu/cpu_backend_impl.h"
#include "cpu/kernels.h"

namespace wam::cpu {
namespace {

// Rows of a part: one tile of queries.
constexpr std::int64_t kPartRows = 32;

/// Multiply-adds of the two products of the forward pass, times head_dim.
double score_count(const Attention& a) {
  double total = 0;
  for (int s = a.group_offsets[0]; s < a.group_offsets[a.groups]; ++s)
    total += static_cast<double>(a.segments[s].q_rows) * (a.segments[s].a_rows + a.segments[s].b_rows);
  return total * a.heads;
}

}  // namespace

void CpuBackend::attention(const Attention& a) {
  if (a.groups <= 0) return;
  const std::int64_t units = static_cast<std::int64_t>(a.groups) * a.kv_heads;
  std::int64_t rows = 0;  // query rows times heads
  for (int s = a.group_offsets[0]; s < a.group_offsets[a.groups]; ++s) rows += a.segments[s].q_rows;
  rows *= a.heads;
  std::int64_t parts = 1;
  if (units < 4 * threads() && threads() > 1)
    parts = std::max<std::int64_t>(1, std::min((4 * threads() + units - 1) / units, rows / (units * kPartRows)));
  const std::size_t scratch = kernels_.attention_scratch(a);
  const auto body = [&](int task, int worker) {
    AttentionTask t;
    t.part = static_cast<int>(task % parts), t.parts = static_cast<int>(parts);
    t.kv_head = static_cast<int>(task / parts % a.kv_heads), t.group = static_cast<int>(task / parts / a.kv_heads);
    t.scratch = worker_scratch<real>(worker, scratch);
    kernels_.attention(a, t);
  };
  const int tasks = static_cast<int>(units * parts);
  if (score_count(a) * a.head_dim < 1 << 17) {
    for (int task = 0; task < tasks; ++task) body(task, 0);
  } else {
    parallel(tasks, body);
  }
}

void CpuBackend::attention_backward(const Attention& a, const AttentionBackward& g) {
  if (a.groups <= 0) return;
  const std::size_t scratch = kernels_.attention_backward_scratch(a);
  const auto body = [&](int task, int worker) {
    AttentionTask t;
    t.kv_head = task % a.kv_heads, t.group = task / a.kv_heads;
    t.scratch = worker_scratch<real>(worker, scratch);
    kernels_.attention_backward(a, g, t);
  };
  const int tasks = a.groups * a.kv_heads;
  if (score_count(a) * a.head_dim < 1 << 17) {
    for (int task = 0; task < tasks; ++task) body(task, 0);
  } else {
    parallel(tasks, body);
  }
}

}  // namespace wam::cpu
