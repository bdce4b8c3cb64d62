// Attention backward in float: launches.
#include "cuda/attention_launch.h"
#include "kernels/attention_fp32_backward.cuh"

namespace wam::WAM_GPU {
namespace {

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

template <class Config>
void list_backward(std::vector<KernelInfo>& out) {
  AttentionShape s{4, 732, 732, 16, Config::kWidth};
  if (Config::kWidth == 32) s = {8, 120, 120, 8, 32};
  const unsigned blocks = attention_tiles(s.queries, Config::kOwned);
  KernelInfo dq = describe_attention_kernel<&attention_fp32_dq<Config>, Config>("attention_fp32_backward", true);
  dq.cases.push_back(attention_case(s, 3, 3, 2, 4, blocks));
  out.push_back(dq);
  KernelInfo dkdv = describe_attention_kernel<&attention_fp32_dkdv<Config>, Config>("attention_fp32_backward", true);
  dkdv.cases.push_back(attention_case(s, 4, 2, 6, 4, blocks));
  out.push_back(dkdv);
}

}  // namespace

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

void list_attention_fp32_backward_kernels(std::vector<KernelInfo>& out) {
  list_backward<AttentionFp32BackwardConfig<32>>(out);
  list_backward<AttentionFp32BackwardConfig<64>>(out);
  list_backward<AttentionFp32BackwardConfig<128>>(out);
  list_backward<AttentionFp32BackwardConfig<256>>(out);
}

}  // namespace wam::WAM_GPU
