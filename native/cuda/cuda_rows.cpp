// Norms, rotary embedding, token tables and the cross entropy: launches.
#include <algorithm>
#include <cmath>

#include "cuda/cuda_backend_impl.h"
#include "cuda/kernel_info.h"
#include "cuda/kv_cache_launch.h"
#include "kernels/cross_entropy.cuh"
#include "kernels/embedding.cuh"
#include "kernels/norm.cuh"
#include "kernels/rope.cuh"

namespace wam::WAM_GPU {
namespace {

unsigned blocks_for(std::int64_t count, int each) { return static_cast<unsigned>((count + each - 1) / each); }

/// Blocks for threads that find their place by a 32-bit index.
unsigned indexed_blocks(std::int64_t threads, int each) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 32) - 1024;
  if (threads > kMost) throw Error("ERR_SHAPE", "an operation on more than 2^32 groups of elements");
  return blocks_for(threads, each);
}

/// Whether rows that are `ld` apart keep the alignment of the first.
bool keeps_alignment(int rows, int ld) { return rows <= 1 || ld % 4 == 0; }

/// Launches the kernel that suits the width.
template <bool kCentred, class Params>
void launch_norm(cudaStream_t stream, const char* name, void (*narrow)(Params), void (*wide)(Params), const Params& p) {
  using Narrow = NarrowNorm<kCentred>;
  using Wide = WideNorm<kCentred>;
  if (p.cols > Wide::kMaxCols) {
    throw Error("ERR_SHAPE", std::string(name) + " of " + std::to_string(p.cols) + " columns; a row has at most " +
                                 std::to_string(Wide::kMaxCols));
  }
  if (p.cols <= Narrow::kMaxCols) {
    launch(stream, name, narrow,
           {dim3(blocks_for(p.rows, Narrow::kRows)), dim3(Narrow::kThreads), Narrow::kSharedBytes}, p);
  } else {
    launch(stream, name, wide, {dim3(blocks_for(p.rows, Wide::kRows)), dim3(Wide::kThreads), Wide::kSharedBytes}, p);
  }
}
template <bool kCentred>
void launch_norm_forward(cudaStream_t stream, const char* name, const NormParams& p) {
  launch_norm<kCentred>(stream, name, norm_forward<NarrowNorm<kCentred>>, norm_forward<WideNorm<kCentred>>, p);
}
template <bool kCentred>
void launch_norm_backward_rows(cudaStream_t stream, const char* name, const NormBackwardParams& p) {
  launch_norm<kCentred>(stream, name, norm_backward_rows<NarrowNorm<kCentred>>, norm_backward_rows<WideNorm<kCentred>>,
                        p);
}

/// Gradients of the weights; `partial` is scratch of kSums * chunks * cols values.
template <bool kCentred>
void launch_norm_backward_columns(cudaStream_t stream, const char* name, const NormColumnsParams& p, float* dweight,
                                  float* dbias) {
  using Config = NormColumnsConfig<kCentred>;
  const unsigned chunks = blocks_for(p.rows, Config::kChunkRows);
  launch(stream, name, norm_backward_columns<Config>,
         {dim3(blocks_for(p.cols, Config::kCols), chunks), dim3(Config::kThreads), Config::kSharedBytes}, p);
  NormPartialsParams add;
  add.chunks = static_cast<int>(chunks), add.cols = p.cols;
  add.partial = p.partial, add.dweight = dweight, add.dbias = dbias;
  launch(stream, name, norm_add_partials<NormPartialsConfig>,
         {dim3(blocks_for(p.cols, NormPartialsConfig::kThreads), Config::kSums), dim3(NormPartialsConfig::kThreads)},
         add);
}

template <bool kCentred>
std::size_t partial_count(int rows, int cols) {
  using Config = NormColumnsConfig<kCentred>;
  return std::size_t{Config::kSums} * blocks_for(rows, Config::kChunkRows) * static_cast<std::size_t>(cols);
}

/// Turns per position times 2^64, for each pair of columns of a head.
void fill_turns(std::uint64_t (&turns)[kMaxRotationPairs], int head_dim, double theta) {
  if (head_dim < 0 || head_dim % 2 != 0 || head_dim > 2 * kMaxRotationPairs) {
    throw Error("ERR_SHAPE", "rotary embedding of heads of " + std::to_string(head_dim) + " columns; even numbers to " +
                                 std::to_string(2 * kMaxRotationPairs) + " can be rotated");
  }
  for (int i = 0; i < head_dim / 2; ++i) {
    const double turn = std::pow(theta, -2.0 * i / head_dim) / 6.283185307179586477;
    turns[i] = static_cast<std::uint64_t>(std::ldexp(turn - std::floor(turn), 64));
  }
}

template <class T>
void launch_kv_cache_of(cudaStream_t stream, const KvCacheParams& p) {
  using Config = KvCacheConfig<T>;
  const std::int64_t groups = blocks_for(p.heads + 2 * p.kv_heads, Config::kHeads);
  launch(stream, "kv_cache", write_kv_cache<Config>,
         {dim3(indexed_blocks(groups * (p.head_dim / 2) * p.rows, Config::kThreads)), dim3(Config::kThreads)}, p);
}

}  // namespace

void GpuBackend::layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                            real* mean, real* rstd) {
  NormParams p;
  p.rows = rows, p.cols = cols, p.eps = eps;
  p.wide = all_aligned16(x, weight, bias, y) && keeps_alignment(rows, cols);
  p.x = x, p.weight = weight, p.bias = bias, p.y = y, p.mean = mean, p.rstd = rstd;
  launch_norm_forward<true>(stream_, "layer_norm", p);
}

void GpuBackend::rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) {
  NormParams p;
  p.rows = rows, p.cols = cols, p.eps = eps;
  p.wide = all_aligned16(x, weight, y) && keeps_alignment(rows, cols);
  p.x = x, p.weight = weight, p.y = y, p.rstd = rstd;
  launch_norm_forward<false>(stream_, "rms_norm", p);
}

void GpuBackend::layer_norm_backward(int rows, int cols, const real* x, const real* weight, const real* mean,
                                     const real* rstd, const real* dy, real* dx, bool add_dx, real* dweight,
                                     real* dbias) {
  if (rows <= 0) return;
  NormColumnsParams c;  // first: dx may be dy or x
  c.rows = rows, c.cols = cols, c.x = x, c.dy = dy, c.mean = mean, c.rstd = rstd;
  c.partial = scratch<float>(0, partial_count<true>(rows, cols));
  launch_norm_backward_columns<true>(stream_, "layer_norm_backward", c, dweight, dbias);
  NormBackwardParams p;
  p.rows = rows, p.cols = cols, p.add_dx = add_dx;
  p.wide = all_aligned16(x, weight, dy, dx) && keeps_alignment(rows, cols);
  p.x = x, p.weight = weight, p.mean = mean, p.rstd = rstd, p.dy = dy, p.dx = dx;
  launch_norm_backward_rows<true>(stream_, "layer_norm_backward", p);
}

void GpuBackend::rms_norm_backward(int rows, int cols, const real* x, const real* weight, const real* rstd,
                                   const real* dy, real* dx, bool add_dx, real* dweight) {
  if (rows <= 0) return;
  NormColumnsParams c;
  c.rows = rows, c.cols = cols, c.x = x, c.dy = dy, c.rstd = rstd;
  c.partial = scratch<float>(0, partial_count<false>(rows, cols));
  launch_norm_backward_columns<false>(stream_, "rms_norm_backward", c, dweight, nullptr);
  NormBackwardParams p;
  p.rows = rows, p.cols = cols, p.add_dx = add_dx;
  p.wide = all_aligned16(x, weight, dy, dx) && keeps_alignment(rows, cols);
  p.x = x, p.weight = weight, p.rstd = rstd, p.dy = dy, p.dx = dx;
  launch_norm_backward_rows<false>(stream_, "rms_norm_backward", p);
}

void GpuBackend::rope(int rows, int heads, int head_dim, const std::int32_t* position, real theta, bool inverse,
                      real* x, int ldx) {
  if (rows <= 0) return;
  RopeParams p;
  p.rows = rows, p.heads = heads, p.head_dim = head_dim, p.ldx = ldx;
  p.position = position, p.inverse = inverse, p.x = x;
  fill_turns(p.turns, head_dim, theta);
  const std::int64_t groups = blocks_for(heads, RopeConfig::kHeads);
  launch(stream_, "rope", rope_rows<RopeConfig>,
         {dim3(indexed_blocks(groups * (head_dim / 2) * rows, RopeConfig::kThreads)), dim3(RopeConfig::kThreads)}, p);
}

void launch_kv_cache(cudaStream_t stream, gpu::Precision precision, KvCacheParams p, float theta) {
  fill_turns(p.turns, p.head_dim, theta);
  switch (precision) {
    case gpu::Precision::fp32:
      return launch_kv_cache_of<float>(stream, p);
    case gpu::Precision::bf16:
      return launch_kv_cache_of<bf16>(stream, p);
    case gpu::Precision::f16:
      return launch_kv_cache_of<f16>(stream, p);
  }
}

void GpuBackend::embedding(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo,
                           bool add) {
  if (rows <= 0) return;
  EmbeddingParams p;
  p.rows = rows, p.cols = cols, p.ldo = ldo, p.add = add;
  p.wide = all_aligned16(table, out) && cols % 4 == 0 && keeps_alignment(rows, ldo);
  p.table = table, p.id = id, p.out = out;
  launch(stream_, "embedding", embedding_gather<EmbeddingConfig>,
         {dim3(indexed_blocks(std::int64_t{(cols + 3) / 4} * rows, EmbeddingConfig::kThreads)),
          dim3(EmbeddingConfig::kThreads)},
         p);
}

void GpuBackend::embedding_backward(int rows, int cols, const std::int32_t* id, const real* dout, int ldo,
                                    real* dtable) {
  if (rows <= 0) return;
  using Config = EmbeddingBackwardConfig;
  EmbeddingBackwardParams p;
  p.rows = rows, p.cols = cols, p.ldo = ldo;
  p.wide = all_aligned16(dout, dtable) && cols % 4 == 0 && keeps_alignment(rows, ldo);
  p.id = id, p.dout = dout, p.dtable = dtable;
  if (options_.deterministic) {
    launch(stream_, "embedding_backward", embedding_scatter<Config>,
           {dim3(static_cast<unsigned>(rows), blocks_for(cols, Config::kCols)), dim3(Config::kThreads),
            Config::kSharedBytes},
           p);
  } else {
    launch(stream_, "embedding_backward", embedding_scatter_atomic<Config>,
           {dim3(indexed_blocks(std::int64_t{cols} * rows, Config::kThreads)), dim3(Config::kThreads)}, p);
  }
}

void GpuBackend::cross_entropy(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target, real smear,
                               const real* weight, real* loss, real* dlogits, int lddl) {
  if (rows <= 0) return;
  CrossEntropyParams p;
  p.rows = rows, p.vocab = vocab, p.ldl = ldl, p.lddl = lddl;
  // Beyond four standard deviations less than 1e-4 of the Gaussian is left.
  p.radius = std::min(vocab, static_cast<int>(4 * static_cast<double>(smear)));
  p.inverse_smear = 1 / static_cast<double>(smear);
  p.logits = logits, p.target = target, p.weight = weight, p.loss = loss, p.dlogits = dlogits;
  launch(stream_, "cross_entropy", cross_entropy_rows<CrossEntropyConfig>,
         {dim3(static_cast<unsigned>(rows)), dim3(CrossEntropyConfig::kThreads), CrossEntropyConfig::kSharedBytes}, p);
}

void GpuBackend::policy_loss(const PolicyLoss&) {
  throw Error("ERR_ARGUMENT", "the policy loss is not available on a GPU yet");
}

void GpuBackend::value_loss(ValueLoss, int, const real*, const real*, const real*, real*, real*) {
  throw Error("ERR_ARGUMENT", "the losses of values are not available on a GPU yet");
}

namespace {

template <auto kKernel, class Config>
void list(std::vector<KernelInfo>& out, const char* family, int shared_bytes, bool hot, std::vector<KernelCase> cases) {
  KernelInfo info;
  info.family = family, info.symbol = kernel_symbol<kKernel>();
  info.threads = Config::kThreads, info.shared_bytes = shared_bytes, info.hot = hot;
  info.cases = std::move(cases);
  out.push_back(std::move(info));
}

/// `values` operands of 4 bytes and `flops` an element of a matrix.
KernelCase row_case(int rows, int cols, double flops, double values, unsigned blocks) {
  const double elements = static_cast<double>(rows) * cols;
  return {std::to_string(rows) + " rows of " + std::to_string(cols), flops * elements, 4 * values * elements,
          static_cast<int>(blocks)};
}

template <bool kCentred>
void list_norm(std::vector<KernelInfo>& out) {
  using Narrow = NarrowNorm<kCentred>;
  using Wide = WideNorm<kCentred>;
  using Columns = NormColumnsConfig<kCentred>;
  const double flops = kCentred ? 7 : 4, flops_rows = kCentred ? 10 : 8, flops_columns = kCentred ? 5 : 3;
  list<&norm_forward<Narrow>, Narrow>(out, "norm", Narrow::kSharedBytes, true,
                                      {row_case(120, 256, flops, 2, blocks_for(120, Narrow::kRows)),
                                       row_case(576, 1024, flops, 2, blocks_for(576, Narrow::kRows))});
  list<&norm_forward<Wide>, Wide>(out, "norm", Wide::kSharedBytes, true,
                                  {row_case(32, 2048, flops, 2, 32), row_case(732, 2048, flops, 2, 732)});
  list<&norm_backward_rows<Narrow>, Narrow>(out, "norm", Narrow::kSharedBytes, true,
                                            {row_case(3840, 256, flops_rows, 3, blocks_for(3840, Narrow::kRows))});
  list<&norm_backward_rows<Wide>, Wide>(out, "norm", Wide::kSharedBytes, true,
                                        {row_case(2928, 2048, flops_rows, 3, 2928)});
  const auto column_blocks = [](int rows, int cols) {
    return blocks_for(cols, Columns::kCols) * blocks_for(rows, Columns::kChunkRows);
  };
  list<&norm_backward_columns<Columns>, Columns>(out, "norm", Columns::kSharedBytes, true,
                                                 {row_case(3840, 256, flops_columns, 2, column_blocks(3840, 256)),
                                                  row_case(2928, 2048, flops_columns, 2, column_blocks(2928, 2048))});
}

template <class T>
void list_kv_cache(std::vector<KernelInfo>& out) {
  using Config = KvCacheConfig<T>;
  constexpr int kRows = 32, kHeads = 16, kDim = 128;
  const double elements = double{kRows} * kHeads * kDim;
  list<&write_kv_cache<Config>, Config>(
      out, "kv_cache", 0, true,
      {{"32 rows, 16 heads of 128", 6 * elements, elements * (16 + 2 * sizeof(T)),
        static_cast<int>(blocks_for(3 * kHeads / Config::kHeads * (kDim / 2) * kRows, Config::kThreads))}});
}

}  // namespace

void list_rows_kernels(std::vector<KernelInfo>& out) {
  list_norm<true>(out);
  list_norm<false>(out);
  using Partials = NormPartialsConfig;
  list<&norm_add_partials<Partials>, Partials>(out, "norm", 0, true,
                                               {row_case(23, 2048, 2, 2, 2 * blocks_for(2048, Partials::kThreads))});

  using Rope = RopeConfig;
  const auto rope_blocks = [](int rows, int heads, int dim) {
    return blocks_for(std::int64_t{heads / Rope::kHeads} * (dim / 2) * rows, Rope::kThreads);
  };
  list<&rope_rows<Rope>, Rope>(out, "rope", 0, true,
                               {row_case(120, 16 * 32, 3, 2, rope_blocks(120, 16, 32)),
                                row_case(732, 32 * 128, 3, 2, rope_blocks(732, 32, 128))});
  list_kv_cache<float>(out);
  list_kv_cache<bf16>(out);
  list_kv_cache<f16>(out);

  using Gather = EmbeddingConfig;
  list<&embedding_gather<Gather>, Gather>(out, "embedding", 0, true,
                                          {row_case(24, 256, 0, 2, blocks_for(24 * 256 / 4, Gather::kThreads)),
                                           row_case(732, 2048, 0, 2, blocks_for(732 * 2048 / 4, Gather::kThreads))});
  using Scatter = EmbeddingBackwardConfig;
  list<&embedding_scatter<Scatter>, Scatter>(
      out, "embedding", Scatter::kSharedBytes, true,
      {row_case(768, 256, 1, 3, 768), row_case(2928, 2048, 1, 3, 2928 * blocks_for(2048, Scatter::kCols))});
  list<&embedding_scatter_atomic<Scatter>, Scatter>(
      out, "embedding", 0, false, {row_case(2928, 2048, 1, 3, blocks_for(2928 * 2048, Scatter::kThreads))});

  using Loss = CrossEntropyConfig;
  list<&cross_entropy_rows<Loss>, Loss>(out, "cross_entropy", Loss::kSharedBytes, true,
                                        {row_case(768, 20001, 20, 3, 768), row_case(128, 122401, 20, 3, 128)});
}

}  // namespace wam::WAM_GPU
