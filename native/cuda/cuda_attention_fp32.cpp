// Attention in float: launches.
#include "cuda/attention_launch.h"
#include "kernels/attention_fp32.cuh"
#include "kernels/attention_fp32_backward.cuh"

namespace wam::WAM_GPU {
namespace {

constexpr int kFewQueries = 32;

/// use(Config{}) with the forward kernel that suits. All give the same bits.
template <class Use>
void with_forward_config(int head_dim, int max_queries, const Use& use) {
  if (head_dim <= 32) {
    max_queries <= kFewQueries ? use(AttentionFp32Config<32, 32>{}) : use(AttentionFp32Config<32, 64>{});
  } else if (head_dim <= 64) {
    max_queries <= kFewQueries ? use(AttentionFp32Config<64, 32>{}) : use(AttentionFp32Config<64, 64>{});
  } else if (head_dim <= 128) {
    use(AttentionFp32Config<128, 32>{});
  } else {
    use(AttentionFp32Config<256, 16>{});
  }
}

template <class Config>
void launch_backward(cudaStream_t stream, const AttentionBackwardCall& call) {
  AttentionBackwardParams p = call.grad;
  const unsigned heads = static_cast<unsigned>(p.forward.heads), kv_heads = static_cast<unsigned>(p.forward.kv_heads);
  if (!p.atomic_dq) {
    const unsigned tiles = attention_tiles(p.forward.max_queries, Config::kOwned);
    p.forward.query_tiles = static_cast<int>(tiles);
    launch(stream, "attention_fp32_dq", attention_fp32_dq<Config>,
           {dim3(static_cast<unsigned>(call.call.segment_count) * tiles, heads), dim3(Config::kThreads),
            Config::kSharedBytes},
           p);
  }
  const unsigned tiles = attention_tiles(call.max_range_rows, Config::kOwned);
  p.range_tiles = static_cast<int>(tiles);
  launch(stream, "attention_fp32_dkdv", attention_fp32_dkdv<Config>,
         {dim3(static_cast<unsigned>(call.key_range_count) * tiles, kv_heads), dim3(Config::kThreads),
          Config::kSharedBytes},
         p);
}

template <auto kKernel, class Config>
KernelInfo describe_kernel(const char* family, bool hot) {
  KernelInfo k;
  k.family = family, k.symbol = kernel_symbol<kKernel>();
  k.threads = Config::kThreads, k.shared_bytes = Config::kSharedBytes, k.hot = hot;
  return k;
}

template <class Config>
void list_forward(std::vector<KernelInfo>& out) {
  KernelInfo k = describe_kernel<&attention_fp32<Config>, Config>("attention_fp32", true);
  const bool few = Config::kQueries == 32;
  AttentionShape s{1, few ? 32 : 700, few ? 732 : 700, 16, Config::kWidth};
  if (Config::kWidth == 32) s.queries = few ? 24 : 96, s.keys = few ? 120 : 96, s.heads = 8;
  const unsigned splits = few ? attention_tiles(s.keys, kSplitKeys) : 1;
  k.cases.push_back(attention_case(s, 2, 2, 2, 4, attention_tiles(s.queries, Config::kQueries) * splits));
  out.push_back(k);
}

template <class Config>
void list_backward(std::vector<KernelInfo>& out) {
  AttentionShape s{4, 732, 732, 16, Config::kWidth};
  if (Config::kWidth == 32) s = {8, 120, 120, 8, 32};
  const unsigned blocks = attention_tiles(s.queries, Config::kOwned);
  KernelInfo dq = describe_kernel<&attention_fp32_dq<Config>, Config>("attention_fp32_backward", true);
  dq.cases.push_back(attention_case(s, 3, 3, 2, 4, blocks));
  out.push_back(dq);
  KernelInfo dkdv = describe_kernel<&attention_fp32_dkdv<Config>, Config>("attention_fp32_backward", true);
  dkdv.cases.push_back(attention_case(s, 4, 2, 6, 4, blocks));
  out.push_back(dkdv);
}

}  // namespace

int attention_fp32_tile(int head_dim, int max_queries) {
  int rows = 0;
  with_forward_config(head_dim, max_queries, [&](auto config) { rows = decltype(config)::kQueries; });
  return rows;
}

void launch_attention_fp32(cudaStream_t stream, const AttentionParams& p, int segment_count) {
  const unsigned blocks = static_cast<unsigned>(segment_count) * static_cast<unsigned>(p.query_tiles * p.splits);
  with_forward_config(p.head_dim, p.max_queries, [&](auto config) {
    using Config = decltype(config);
    launch(stream, "attention_fp32", attention_fp32<Config>,
           {dim3(blocks, static_cast<unsigned>(p.heads)), dim3(Config::kThreads), Config::kSharedBytes}, p);
  });
}

void launch_attention_fp32_backward(cudaStream_t stream, const AttentionBackwardCall& call) {
  const int head_dim = call.grad.forward.head_dim;
  if (head_dim <= 32) {
    launch_backward<AttentionFp32BackwardConfig<32>>(stream, call);
  } else if (head_dim <= 64) {
    launch_backward<AttentionFp32BackwardConfig<64>>(stream, call);
  } else if (head_dim <= 128) {
    launch_backward<AttentionFp32BackwardConfig<128>>(stream, call);
  } else {
    launch_backward<AttentionFp32BackwardConfig<256>>(stream, call);
  }
}

void list_attention_fp32_kernels(std::vector<KernelInfo>& out) {
  list_forward<AttentionFp32Config<32, 32>>(out);
  list_forward<AttentionFp32Config<32, 64>>(out);
  list_forward<AttentionFp32Config<64, 32>>(out);
  list_forward<AttentionFp32Config<64, 64>>(out);
  list_forward<AttentionFp32Config<128, 32>>(out);
  list_forward<AttentionFp32Config<256, 16>>(out);
  list_backward<AttentionFp32BackwardConfig<32>>(out);
  list_backward<AttentionFp32BackwardConfig<64>>(out);
  list_backward<AttentionFp32BackwardConfig<128>>(out);
  list_backward<AttentionFp32BackwardConfig<256>>(out);
}

}  // namespace wam::WAM_GPU
