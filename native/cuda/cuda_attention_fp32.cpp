// Attention forward in float: launches.
#include "cuda/attention_launch.h"
#include "kernels/attention_fp32.cuh"

namespace wam::WAM_GPU {
namespace {

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
void list_forward(std::vector<KernelInfo>& out) {
  KernelInfo k = describe_attention_kernel<&attention_fp32<Config>, Config>("attention_fp32", true);
  const bool few = Config::kQueries == 32;
  AttentionShape s{1, few ? 32 : 700, few ? 732 : 700, 16, Config::kWidth};
  if (Config::kWidth == 32) s.queries = few ? 24 : 96, s.keys = few ? 120 : 96, s.heads = 8;
  const unsigned splits = few ? attention_tiles(s.keys, kSplitKeys) : 1;
  k.cases.push_back(attention_case(s, 2, 2, 2, 4, attention_tiles(s.queries, Config::kQueries) * splits));
  out.push_back(k);
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

void list_attention_fp32_kernels(std::vector<KernelInfo>& out) {
  list_forward<AttentionFp32Config<32, 32>>(out);
  list_forward<AttentionFp32Config<32, 64>>(out);
  list_forward<AttentionFp32Config<64, 32>>(out);
  list_forward<AttentionFp32Config<64, 64>>(out);
  list_forward<AttentionFp32Config<128, 32>>(out);
  list_forward<AttentionFp32Config<256, 16>>(out);
}

}  // namespace wam::WAM_GPU
