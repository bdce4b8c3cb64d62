// Attention backward on tensor cores, gradients of queries: launches.
#include "cuda/attention_mma.h"
#include "kernels/attention_backward_query.cuh"

namespace wam::WAM_GPU {

void launch_attention_mma_dq(cudaStream_t stream, const AttentionBackwardCall& call) {
  AttentionBackwardParams p = call.grad;
  with_mma_width(call.call.precision, p.forward.head_dim, [&]<class T, int kWidth>() {
    using Config = AttentionBackwardQueryConfig<T, kWidth>;
    const unsigned tiles = attention_tiles(p.forward.max_queries, Config::kQueries);
    p.forward.query_tiles = static_cast<int>(tiles);
    launch(stream, "attention_backward_dq", attention_backward_dq<Config>,
           {dim3(static_cast<unsigned>(call.call.segment_count) * tiles, static_cast<unsigned>(p.forward.heads)),
            dim3(Config::kThreads), Config::kSharedBytes},
           p);
  });
}

void list_attention_mma_dq_kernels(std::vector<KernelInfo>& out) {
  for_each_mma_width([&]<class T, int kWidth>() {
    using Config = AttentionBackwardQueryConfig<T, kWidth>;
    KernelInfo k = describe_mma_kernel<&attention_backward_dq<Config>, Config>("attention_backward_query");
    const AttentionShape s = training_shape(kWidth);
    k.cases.push_back(attention_case(s, 3, 4, 2, 2, attention_tiles(s.queries, Config::kQueries)));
    out.push_back(k);
  });
}

}  // namespace wam::WAM_GPU
