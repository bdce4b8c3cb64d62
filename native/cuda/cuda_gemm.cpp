// Matrix products of the GPU backend: packing, and what a product needs before and after its launch.
#include <algorithm>

#include "cuda/cuda_backend_impl.h"
#include "cuda/gemm_launch.h"
#include "kernels/column_sums.cuh"
#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_norm.cuh"
#include "kernels/gemm_pack.cuh"

namespace wam::WAM_GPU {
namespace {

static_assert(static_cast<int>(Activation::none) == 0 && static_cast<int>(Activation::gelu_erf) == 1 &&
                  static_cast<int>(Activation::gelu_tanh) == 2,
              "gemm_activate");

/// Float: [k][ld], ld a multiple of four. 16 bits: units of eight values of k (gemm_pack_half).
class GpuPackedWeight final : public PackedWeight {
 public:
  explicit GpuPackedWeight(void* m) : memory(m) {}
  ~GpuPackedWeight() override { cudaFree(memory); }
  void* memory;
  int ld = 0;      // float
  int chunks = 0;  // 16 bits: k / 8, rounded up
};

constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }

unsigned blocks_for(std::int64_t work, int threads) { return static_cast<unsigned>((work + threads - 1) / threads); }

bool wide_rows(const void* p, std::int64_t ld) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 && ld % 4 == 0; }

// The two things a product may need scratch memory for.
constexpr int kSumsSlot = 0, kStatisticsSlot = 1;

}  // namespace

std::unique_ptr<PackedWeight> GpuBackend::pack(const real* b, int ldb, bool b_transposed, int k, int n) {
  GemmPackParams p;
  p.k = k, p.n = n, p.b = b, p.ldb = ldb, p.transposed = b_transposed;
  if (options_.precision == gpu::Precision::fp32) {
    const int ld = round_up(n, 4);
    auto packed = std::make_unique<GpuPackedWeight>(
        allocate(static_cast<std::size_t>(k) * static_cast<std::size_t>(ld) * sizeof(float)));
    packed->ld = ld;
    p.packed = packed->memory;
    constexpr int kThreads = GemmPackConfig::kThreads;
    const std::int64_t fours = static_cast<std::int64_t>(round_up(k, 8)) * (ld / 4);
    launch(stream_, "gemm_pack_float", gemm_pack_float<GemmPackConfig>,
           {dim3(blocks_for(fours, kThreads)), dim3(kThreads)}, p);
    return packed;
  }
  const int chunks = round_up(k, 8) / 8;
  const std::int64_t units = static_cast<std::int64_t>(round_up(n, 8)) * chunks;
  auto packed = std::make_unique<GpuPackedWeight>(allocate(static_cast<std::size_t>(units) * sizeof(uint4)));
  packed->chunks = chunks;
  p.packed = packed->memory;
  const auto run = [&](auto kernel, int threads) {
    launch(stream_, "gemm_pack_half", kernel, {dim3(blocks_for(units, threads)), dim3(static_cast<unsigned>(threads))},
           p);
  };
  if (options_.precision == gpu::Precision::bf16) {
    run(gemm_pack_half<GemmPackHalfConfig<bf16>>, GemmPackHalfConfig<bf16>::kThreads);
  } else {
    run(gemm_pack_half<GemmPackHalfConfig<f16>>, GemmPackHalfConfig<f16>::kThreads);
  }
  return packed;
}

void GpuBackend::gemm(const Gemm& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const bool tensor_cores = options_.precision != gpu::Precision::fp32;
  const int columns = g.gated ? 2 * g.n : g.n;
  GemmParams p;
  p.m = g.m, p.n = g.n, p.k = g.k;
  p.a = {g.a, g.lda, !g.a_transposed, wide_rows(g.a, g.lda)};
  if (g.packed == nullptr) {
    p.b = {g.b, g.ldb, g.b_transposed, wide_rows(g.b, g.ldb)};
  } else {
    const auto* packed = static_cast<const GpuPackedWeight*>(g.packed);
    if (tensor_cores) {
      p.packed = static_cast<const uint4*>(packed->memory), p.packed_chunks = packed->chunks;
    } else {
      p.b = {static_cast<const float*>(packed->memory), packed->ld, false, true};
    }
  }
  // The ups begin at column n.
  if (g.gated && !p.b.along_k && g.n % 4 != 0) p.b.wide = false;

  GemmEpilogue& e = p.epilogue;
  e.c = g.c, e.ldc = g.ldc;
  e.gated = g.gated;
  if (g.accumulate) {
    e.residual = g.c, e.ldr = g.ldc;
  } else {
    e.bias = g.bias, e.residual = g.residual, e.ldr = g.ldr;
    e.activation = static_cast<int>(g.activation);
  }
  e.wide = wide_rows(e.c, e.ldc) && (e.residual == nullptr || wide_rows(e.residual, e.ldr)) && wide_rows(e.bias, 0);

  const GemmPlan plan =
      tensor_cores ? plan_gemm(kGemmMmaShapes, g.m, columns, g.k, gemm_mma_chunk(columns, g.k), multiprocessors_)
                   : plan_gemm(kGemmFloatShapes, g.m, columns, g.k, kGemmFloatChunk, multiprocessors_);
  const GemmShape& shape = tensor_cores ? kGemmMmaShapes[plan.shape] : kGemmFloatShapes[plan.shape];
  const bool cut = plan.blocks_of_k > 1;
  p.sums.chunk = plan.chunk, p.sums.chunks_per_block = plan.chunks_per_block;
  if (plan.chunks > 1) {
    p.sums.ld = plan.column_tiles * shape.n;
    const std::int64_t size = static_cast<std::int64_t>(g.m) * p.sums.ld;
    p.sums.memory = scratch<float>(kSumsSlot, static_cast<std::size_t>(size * (cut ? plan.chunks : 1)));
    p.sums.stride = cut ? size : 0;
  }

  if (g.norm != nullptr && g.k > 0) {
    p.norm.on = true, p.norm.eps = g.norm->eps, p.norm.weight = g.norm->weight, p.norm.bias = g.norm->bias;
    if (g.k > kGemmNormInBlock || shape.m > kGemmNormRowsInBlock || cut) {
      GemmStatisticsParams s;
      s.a = p.a, s.m = g.m, s.k = g.k, s.centred = g.norm->bias != nullptr, s.eps = g.norm->eps;
      s.statistics = scratch<float>(kStatisticsSlot, 2 * static_cast<std::size_t>(g.m));
      p.norm.statistics = s.statistics;
      const auto run = [&](auto kernel, int rows, int threads) {
        launch(stream_, "gemm_statistics", kernel, {dim3(blocks_for(g.m, rows)), dim3(static_cast<unsigned>(threads))},
               s);
      };
      using Narrow = GemmStatisticsConfig<8>;
      using Wide = GemmStatisticsConfig<32>;
      g.k > kGemmNormInBlock ? run(gemm_statistics<Wide>, Wide::kRows, Wide::kThreads)
                             : run(gemm_statistics<Narrow>, Narrow::kRows, Narrow::kThreads);
    }
  }

  if (tensor_cores) {
    launch_gemm_mma(stream_, options_.precision, plan, p);
  } else {
    launch_gemm_fp32(stream_, plan, p);
  }
  if (cut) {
    const GemmFinishParams f = {g.m, g.n, plan.chunks, shape.n, p.sums, e};
    constexpr int kThreads = GemmFinishConfig::kThreads;
    launch(stream_, "gemm_finish", gemm_finish<GemmFinishConfig>,
           {dim3(blocks_for(static_cast<std::int64_t>(g.m) * g.n, kThreads)), dim3(kThreads)}, f);
  }
  if (g.rotation != nullptr) {
    rope(g.m, g.rotation->heads, g.rotation->head_dim, g.rotation->position, g.rotation->theta, false, g.c, g.ldc);
  }
}

void GpuBackend::add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) {
  if (rows <= 0 || cols <= 0) return;
  using Config = ColumnSumsConfig;
  const ColumnSumsParams p = {rows, cols, dy, ld, dbias};
  launch(stream_, "column_sums", column_sums<Config>,
         {dim3(blocks_for(cols, 32)), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

void list_gemm_kernels(std::vector<KernelInfo>& out) {
  list_gemm_fp32_kernels(out);
  list_gemm_mma_kernels(out);
  const auto add = [&](const char* family, std::string symbol, int threads, int shared, bool hot, KernelCase c) {
    out.push_back({family, std::move(symbol), threads, shared, 75, false, hot, {std::move(c)}});
  };
  const auto finish_bytes = [](double m, double n, double chunks) { return 4 * m * n * (chunks + 1); };
  add("gemm_epilogue", kernel_symbol<&gemm_finish<GemmFinishConfig>>(), GemmFinishConfig::kThreads, 0, true,
      {"vla step, down: 6 chunks of 32 x 2048", 6.0 * 32 * 2048, finish_bytes(32, 2048, 6), 32 * 2048 / 256});
  add("gemm_norm", kernel_symbol<&gemm_statistics<GemmStatisticsConfig<8>>>(), GemmStatisticsConfig<8>::kThreads, 0,
      true, {"120 rows of 512", 3.0 * 120 * 512, 4.0 * 120 * 512, 8});
  add("gemm_norm", kernel_symbol<&gemm_statistics<GemmStatisticsConfig<32>>>(), GemmStatisticsConfig<32>::kThreads, 0,
      true, {"vla prefill: 700 rows of 2048", 3.0 * 700 * 2048, 4.0 * 700 * 2048, 175});
  add("gemm_pack", kernel_symbol<&gemm_pack_float<GemmPackConfig>>(), GemmPackConfig::kThreads, 0, false,
      {"mini, up: 256 x 1024", 0, 8.0 * 256 * 1024, 256});
  const KernelCase half = {"vla, down: 5632 x 2048", 0, 6.0 * 5632 * 2048, 5632 * 2048 / 8 / 256};
  add("gemm_pack", kernel_symbol<&gemm_pack_half<GemmPackHalfConfig<bf16>>>(), GemmPackHalfConfig<bf16>::kThreads, 0,
      false, half);
  add("gemm_pack", kernel_symbol<&gemm_pack_half<GemmPackHalfConfig<f16>>>(), GemmPackHalfConfig<f16>::kThreads, 0,
      false, half);
  add("column_sums", kernel_symbol<&column_sums<ColumnSumsConfig>>(), ColumnSumsConfig::kThreads,
      ColumnSumsConfig::kSharedBytes, true, {"mini training, up: 960 x 1024", 960.0 * 1024, 4.0 * 960 * 1024, 32});
}

}  // namespace wam::WAM_GPU
