// Attention: choice of the kernels, scratch, and what is left of a call around them.
#include "cuda/attention_launch.h"

#include <algorithm>

#include "cuda/cuda_backend_impl.h"
#include "kernels/attention_small_query.cuh"

namespace wam::WAM_GPU {
namespace {

constexpr int kMaxHeadDim = 256;

bool uses_tensor_cores(const AttentionCall& call) {
  const AttentionParams& p = call.params;
  // The kernels take the largest score before they scale it, so the scale must not turn the order round.
  return call.precision != gpu::Precision::fp32 && p.head_dim % 8 == 0 && p.head_dim <= 128 && p.scale > 0;
}

bool aligned16(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

/// The parameters with all that the launch decides, but for scratch.
AttentionParams planned(const AttentionCall& call) {
  AttentionParams p = call.params;
  const bool mma = uses_tensor_cores(call);
  const int values = p.half_storage ? 8 : 4;  // of 16 bytes
  p.vector = aligned16(p.q) && aligned16(p.k) && aligned16(p.v) && p.ldq % values == 0 && p.ldk % values == 0 &&
             p.ldv % values == 0 && p.head_dim % values == 0;
  if (p.head_dim < 1 || p.head_dim > kMaxHeadDim) {
    throw Error("ERR_SHAPE", "attention heads of " + std::to_string(p.head_dim) +
                                 " columns; there are kernels for 1 to " + std::to_string(kMaxHeadDim));
  }
  if (p.half_storage && !(mma && p.vector)) {
    throw Error("ERR_SHAPE",
                "attention on 16-bit values needs heads of a multiple of 8 up to 128 columns, a positive "
                "scale and rows that start at multiples of 16 bytes");
  }
  const int tile = mma ? attention_mma_tile() : attention_fp32_tile(p.head_dim, p.max_queries);
  p.query_tiles = static_cast<int>(attention_tiles(p.max_queries, tile));
  // In float a row's bits are the same split or not, so only the size of the machine counts. On tensor cores they are
  // not: there the number of segments must have no say.
  const bool split = mma ? p.max_queries <= kFewQueries
                         : static_cast<long>(call.segment_count) * p.query_tiles * p.heads < call.multiprocessors;
  if (split) p.splits = std::max(1, static_cast<int>(attention_tiles(call.max_keys, kSplitKeys)));
  return p;
}

std::size_t partial_rows(const AttentionParams& p, int segment_count) {
  return p.splits == 1 ? 0
                       : static_cast<std::size_t>(segment_count) * static_cast<std::size_t>(p.heads) *
                             static_cast<std::size_t>(p.splits) * static_cast<std::size_t>(p.max_queries);
}

/// Launches a kernel of one warp a query row.
template <class Config, class Params>
void launch_rows(cudaStream_t stream, const char* name, void (*kernel)(Params), const Params& params,
                 const AttentionParams& p, int segment_count) {
  const unsigned tiles = attention_tiles(p.max_queries, Config::kWarps);
  launch(stream, name, kernel,
         {dim3(static_cast<unsigned>(segment_count) * tiles, static_cast<unsigned>(p.heads)), dim3(Config::kThreads),
          Config::kSharedBytes},
         params);
}

/// with_storage(params, precision, [&](auto element) {...}): element is a value of the type that is stored.
template <class Use>
void with_storage(const AttentionParams& p, gpu::Precision precision, const Use& use) {
  if (!p.half_storage) {
    use(float{});
  } else if (precision == gpu::Precision::bf16) {
    use(bf16{});
  } else {
    use(f16{});
  }
}

AttentionCall call_of(const Attention& a, gpu::Precision precision, int multiprocessors) {
  AttentionCall call;
  AttentionParams& p = call.params;
  p.q = a.q, p.k = a.k, p.v = a.v, p.out = a.out, p.lse = a.lse;
  p.ldq = a.ldq, p.ldk = a.ldk, p.ldv = a.ldv, p.ldo = a.ldo;
  p.heads = a.heads, p.kv_heads = a.kv_heads, p.head_dim = a.head_dim, p.scale = a.scale;
  p.segments = a.segments, p.max_queries = a.max_queries;
  call.precision = precision, call.segment_count = a.segment_count, call.max_keys = a.max_keys;
  call.multiprocessors = multiprocessors;
  return call;
}

}  // namespace

std::size_t attention_scratch_bytes(const AttentionCall& call) {
  const AttentionParams p = planned(call);
  return partial_rows(p, call.segment_count) * (sizeof(float2) + static_cast<std::size_t>(p.head_dim) * sizeof(float));
}

std::size_t attention_scratch_bytes(const AttentionBackwardCall& call) {
  const AttentionParams& p = call.call.params;
  return static_cast<std::size_t>(call.call.segment_count) * static_cast<std::size_t>(p.max_queries) *
         static_cast<std::size_t>(p.heads) * sizeof(float);
}

void launch_attention(cudaStream_t stream, const AttentionCall& call, void* scratch) {
  if (call.segment_count <= 0 || call.params.max_queries <= 0) return;
  AttentionParams p = planned(call);
  if (p.splits > 1) {
    p.partial_state = static_cast<float2*>(scratch);
    p.partial_out = reinterpret_cast<float*>(p.partial_state + partial_rows(p, call.segment_count));
  }
  if (uses_tensor_cores(call)) {
    launch_attention_mma(stream, p, call.precision, call.segment_count);
  } else {
    launch_attention_fp32(stream, p, call.segment_count);
  }
  if (p.splits == 1) return;
  with_storage(p, call.precision, [&](auto element) {
    using Config = AttentionJoinConfig;
    launch_rows<Config>(stream, "attention_join", attention_join<Config, decltype(element)>, p, p, call.segment_count);
  });
}

void launch_attention_backward(cudaStream_t stream, const AttentionBackwardCall& call, void* scratch) {
  const AttentionCall& forward = call.call;
  if (forward.segment_count <= 0 || forward.params.max_queries <= 0) return;
  AttentionBackwardCall planned_call = call;
  AttentionBackwardParams& p = planned_call.grad;
  p.forward = planned(forward);
  const int values = p.forward.half_storage ? 8 : 4;
  p.forward.vector = p.forward.vector && aligned16(p.dout) && p.lddo % values == 0;
  p.forward.splits = 1;
  p.delta = static_cast<float*>(scratch);
  if (p.forward.half_storage && !p.forward.vector)
    throw Error("ERR_SHAPE", "attention on 16-bit values needs rows of dout that start at multiples of 16 bytes");
  const auto delta = [&](auto element, auto rounded) {
    using Config = AttentionDeltaConfig;
    launch_rows<Config>(stream, "attention_delta", attention_delta<Config, decltype(element), decltype(rounded)>, p,
                        p.forward, forward.segment_count);
  };
  if (p.forward.half_storage || !uses_tensor_cores(forward)) {
    with_storage(p.forward, forward.precision, [&](auto element) { delta(element, element); });
  } else if (forward.precision == gpu::Precision::bf16) {
    delta(float{}, bf16{});
  } else {
    delta(float{}, f16{});
  }
  if (!uses_tensor_cores(forward)) return launch_attention_fp32_backward(stream, planned_call);
  if (!p.atomic_dq) launch_attention_mma_dq(stream, planned_call);
  launch_attention_mma_dkdv(stream, planned_call);
}

void GpuBackend::attention(const Attention& a) {
  if (a.groups <= 0 || a.segment_count <= 0) return;
  const AttentionCall call = call_of(a, options_.precision, multiprocessors_);
  const std::size_t bytes = attention_scratch_bytes(call);
  launch_attention(stream_, call, bytes > 0 ? scratch_bytes(0, bytes) : nullptr);
}

void GpuBackend::attention_backward(const Attention& a, const AttentionBackward& g) {
  if (a.groups <= 0 || a.segment_count <= 0) return;
  AttentionBackwardCall call;
  call.call = call_of(a, options_.precision, multiprocessors_);
  AttentionBackwardParams& p = call.grad;
  p.out = g.out, p.dout = g.dout, p.ldo = g.ldo, p.lddo = g.lddo;
  p.dq = g.dq, p.dk = g.dk, p.dv = g.dv, p.lddq = g.lddq, p.lddk = g.lddk, p.lddv = g.lddv;
  p.group_offsets = a.group_offsets, p.key_ranges = a.key_ranges;
  p.atomic_dq = !options_.deterministic;
  call.key_range_count = a.key_range_count, call.max_range_rows = a.max_range_rows;
  const std::size_t bytes = attention_scratch_bytes(call);
  launch_attention_backward(stream_, call, bytes > 0 ? scratch_bytes(0, bytes) : nullptr);
}

KernelCase attention_case(const AttentionShape& s, int products, int query_arrays, int key_arrays, int element_bytes,
                          unsigned blocks_of_head) {
  KernelCase c;
  if (s.segments > 1) c.shape = std::to_string(s.segments) + " x ";
  c.shape += std::to_string(s.queries) + " queries, " + std::to_string(s.keys) + " keys, " + std::to_string(s.heads) +
             " heads of " + std::to_string(s.head_dim);
  const double rows = static_cast<double>(s.segments) * s.heads * s.head_dim;
  c.flops = 2.0 * products * rows * s.queries * s.keys;
  c.bytes =
      rows * element_bytes * (static_cast<double>(query_arrays) * s.queries + static_cast<double>(key_arrays) * s.keys);
  c.blocks = s.segments * s.heads * static_cast<int>(blocks_of_head);
  return c;
}

void list_attention_kernels(std::vector<KernelInfo>& out) {
  list_attention_fp32_kernels(out);
  list_attention_fp32_backward_kernels(out);
  list_attention_mma_kernels(out);
  list_attention_mma_dq_kernels(out);
  list_attention_mma_dkdv_kernels(out);

  const auto add = [&](const char* family, const std::string& symbol, int threads, KernelCase shape) {
    KernelInfo k;
    k.family = family, k.symbol = symbol, k.threads = threads, k.hot = true;
    k.cases.push_back(std::move(shape));
    out.push_back(k);
  };
  const auto join = [](int element_bytes) {
    KernelCase c = attention_case({1, 32, 732, 16, 128}, 0, 1, 0, element_bytes, 32 / AttentionJoinConfig::kWarps);
    const double partial_rows = 32.0 * 16 * attention_tiles(732, kSplitKeys);
    c.flops = partial_rows * 128 * 2, c.bytes += partial_rows * (128 + 2) * 4;
    return c;
  };
  const auto delta = [](int element_bytes) {
    return attention_case({4, 732, 0, 16, 128}, 0, 2, 0, element_bytes, 732 / AttentionDeltaConfig::kWarps);
  };
  using Join = AttentionJoinConfig;
  using Delta = AttentionDeltaConfig;
  add("attention_small_query", kernel_symbol<&attention_join<Join, float>>(), Join::kThreads, join(4));
  add("attention_small_query", kernel_symbol<&attention_join<Join, bf16>>(), Join::kThreads, join(2));
  add("attention_small_query", kernel_symbol<&attention_join<Join, f16>>(), Join::kThreads, join(2));
  const auto add_delta = [&](const std::string& symbol, int element_bytes) {
    add("attention_backward_common", symbol, Delta::kThreads, delta(element_bytes));
  };
  add_delta(kernel_symbol<&attention_delta<Delta, float, float>>(), 4);
  add_delta(kernel_symbol<&attention_delta<Delta, float, bf16>>(), 4);
  add_delta(kernel_symbol<&attention_delta<Delta, float, f16>>(), 4);
  add_delta(kernel_symbol<&attention_delta<Delta, bf16, bf16>>(), 2);
  add_delta(kernel_symbol<&attention_delta<Delta, f16, f16>>(), 2);
}

}  // namespace wam::WAM_GPU
