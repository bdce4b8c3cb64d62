// Attention forward on tensor cores: launches.
#include "cuda/attention_mma.h"
#include "kernels/attention_forward.cuh"

namespace wam::WAM_GPU {

int attention_mma_tile() { return AttentionForwardConfig<f16, 128>::kQueries; }

void launch_attention_mma(cudaStream_t stream, const AttentionParams& p, gpu::Precision precision, int segment_count) {
  const unsigned blocks = static_cast<unsigned>(segment_count) * static_cast<unsigned>(p.query_tiles * p.splits);
  with_mma_width(precision, p.head_dim, [&]<class T, int kWidth>() {
    using Config = AttentionForwardConfig<T, kWidth>;
    launch(stream, "attention_forward", attention_forward<Config>,
           {dim3(blocks, static_cast<unsigned>(p.heads)), dim3(Config::kThreads), Config::kSharedBytes}, p);
  });
}

void list_attention_mma_kernels(std::vector<KernelInfo>& out) {
  for_each_mma_width([&]<class T, int kWidth>() {
    using Config = AttentionForwardConfig<T, kWidth>;
    KernelInfo k = describe_mma_kernel<&attention_forward<Config>, Config>("attention_forward");
    AttentionShape few{1, 32, 732, 16, kWidth}, many{1, 700, 700, 16, kWidth};
    if (kWidth == 32) few = {1, 24, 120, 8, 32}, many = {1, 96, 96, 8, 32};
    k.cases.push_back(attention_case(few, 2, 2, 2, 2, attention_tiles(few.keys, kSplitKeys)));
    k.cases.push_back(attention_case(many, 2, 2, 2, 2, attention_tiles(many.queries, Config::kQueries)));
    out.push_back(k);
  });
}

}  // namespace wam::WAM_GPU
