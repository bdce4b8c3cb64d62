// Attention backward on tensor cores, gradients of keys and values: launches.
#include "cuda/attention_mma.h"
#include "kernels/attention_backward.cuh"

namespace wam::WAM_GPU {

void launch_attention_mma_dkdv(cudaStream_t stream, const AttentionBackwardCall& call) {
  AttentionBackwardParams p = call.grad;
  with_mma_width(call.call.precision, p.forward.head_dim, [&]<class T, int kWidth>() {
    using Config = AttentionBackwardKeyConfig<T, kWidth>;
    const unsigned tiles = attention_tiles(call.max_range_rows, Config::kKeys);
    p.range_tiles = static_cast<int>(tiles);
    launch(stream, "attention_backward_dkdv", attention_backward_dkdv<Config>,
           {dim3(static_cast<unsigned>(call.key_range_count) * tiles, static_cast<unsigned>(p.forward.kv_heads)),
            dim3(Config::kThreads), Config::kSharedBytes},
           p);
  });
}

void list_attention_mma_dkdv_kernels(std::vector<KernelInfo>& out) {
  for_each_mma_width([&]<class T, int kWidth>() {
    using Config = AttentionBackwardKeyConfig<T, kWidth>;
    KernelInfo k = describe_mma_kernel<&attention_backward_dkdv<Config>, Config>("attention_backward");
    const AttentionShape s = training_shape(kWidth);
    // dk and dv are floats, read and written: as if 16-bit arrays of twice the number
    k.cases.push_back(attention_case(s, 4, 2, 2 + 2 * 2 * 2, 2, attention_tiles(s.keys, Config::kKeys)));
    out.push_back(k);
  });
}

}  // namespace wam::WAM_GPU
