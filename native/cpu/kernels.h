#pragma once
// The tables of kernels, one an instruction set. kernels_<isa>.cpp compiles the same *.inl files three times and exports
// both tables; flow_kernels.inl defines flow_kernels() for the table that flow_kernels.h declares.

#include <cstddef>
#include <cstdint>

#include "core/backend.h"
#include "cpu/int8_unit.h"
#include "cpu/isa.h"

namespace wam::cpu {

/// Products are summed in blocks of this many values of k, each from zero: part of what a result is, so one constant
/// for all instruction sets.
constexpr int kGemmBlock = 256;

/// A rectangle of a product: rows [row_begin, row_end) x panels [panel_begin, panel_end) of columns, done in blocks of
/// rows and of k that the caches hold. b was packed before, or is packed by the task panel by panel into b_scratch. Panels
/// of a gated product are those of its gates; the panel of the same values lies n / panel panels on.
struct GemmTask {
  int row_begin = 0, row_end = 0;
  int panel_begin = 0, panel_end = 0;
  int block_rows = 1, depth = 1;               // depth: a multiple of kGemmBlock, or at least k
  bool pack_a = false;                         // into strips; must be when a is transposed
  bool reads_on = false;                       // what lies behind the last panel will be read soon
  const real* panels = nullptr;                // [panels of g][k][panel]
  const std::uint16_t* bf16_panels = nullptr;  // or those
  real* b_scratch = nullptr;                   // [depth][panel]
  real* a_scratch = nullptr;                   // strips [strips of a block][depth][strip], and one vector more
  real* gate_scratch = nullptr;                // [block_rows][panel], of gated products
  const real *cos = nullptr, *sin = nullptr;   // as of `rope`: of a product whose rotated heads lie in whole panels
};

/// Activations as int8: a row is values[lda] (int16 when the kernel is wide) times scale[row].
struct Int8Rows {
  const Int8Kernel* kernel = nullptr;
  int row_begin = 0, row_end = 0;
  int padded = 0;                 // k rounded up to kInt8Block
  std::ptrdiff_t lda = 0;         // in values
  void* values = nullptr;         // [m + kInt8Strip][lda]
  real* scale = nullptr;          // [m]
  std::int32_t* total = nullptr;  // [m]: the sum of a row's values, where the kernel has an offset
  real* row_scratch = nullptr;    // [k]
};

/// A rectangle of a product with int8 weights, panels [padded / group][panel][group] bytes each.
struct Int8Task {
  int row_begin = 0, row_end = 0;
  int panel_begin = 0, panel_end = 0;
  const std::uint8_t* panels = nullptr;
  const real* scale = nullptr;  // [panels][panel]
  const Int8Rows* rows = nullptr;
};

/// One unit of attention: the query heads of key/value head `kv_head` in `group`, cut in `parts` by query rows.
struct AttentionTask {
  int group = 0, kv_head = 0, part = 0, parts = 1;
  real* scratch = nullptr;
};

struct Kernels {
  // gemm.inl
  int panel, strip;  // columns of a packed panel; rows of a tile
  void (*pack_panel)(const real* b, int ldb, bool transposed, int k, int columns, real* panel);
  void (*gemm_task)(const Gemm& g, const GemmTask& t);
  void (*add_column_sums)(int rows, int col_begin, int col_end, const real* dy, int ld, real* dbias);

  // gemm_bf16.inl
  void (*narrow_panel)(const real* panel, int k, std::uint16_t* to);

  // gemm_int8.inl, int8_units.inl
  void (*quantise_panel)(const real* panel, int k, int padded, const Int8Kernel& kernel, std::uint8_t* to, real* scale);
  void (*quantise_activations)(const Gemm& g, const Int8Rows& t);
  void (*int8_task)(const Gemm& g, const Int8Task& t);
  const Int8Kernel& (*int8_kernel)(Int8Unit unit);

  // attention.inl; scratch sizes in values
  std::size_t (*attention_scratch)(const Attention& a);
  void (*attention)(const Attention& a, const AttentionTask& t);
  std::size_t (*attention_backward_scratch)(const Attention& a);
  void (*attention_backward)(const Attention& a, const AttentionBackward& g, const AttentionTask& t);

  // norm.inl
  void (*layer_norm)(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                     real* mean, real* rstd);
  void (*layer_norm_backward_rows)(int rows, int cols, const real* x, const real* weight, const real* mean,
                                   const real* rstd, const real* dy, real* dx, bool add_dx);
  void (*layer_norm_backward_columns)(int rows, int cols, int col_begin, int col_end, const real* x, const real* mean,
                                      const real* rstd, const real* dy, real* dweight, real* dbias);
  void (*rms_norm)(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd);
  void (*rms_norm_backward_rows)(int rows, int cols, const real* x, const real* weight, const real* rstd,
                                 const real* dy, real* dx, bool add_dx);
  void (*rms_norm_backward_columns)(int rows, int cols, int col_begin, int col_end, const real* x, const real* rstd,
                                    const real* dy, real* dweight);

  // elementwise.inl; n values from the pointers given
  void (*activation)(Activation kind, std::int64_t n, const real* x, real* y);
  void (*activation_backward)(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx);
  void (*swiglu)(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y);
  void (*swiglu_backward)(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                          real* dgate, int lddg, real* dup, int lddu);
  void (*axpy)(std::int64_t n, real alpha, const real* x, real* y);
  void (*fill)(std::int64_t n, real value, real* y);
  /// Elements [begin, begin + n) of the whole vector; begin is a multiple of 64.
  void (*dropout)(std::int64_t begin, std::int64_t n, real p, std::uint32_t key0, std::uint32_t key1,
                  std::uint32_t site, const real* x, real* y);
  /// cos and sin: [position][head_dim / 2].
  void (*rope)(int rows, int heads, int head_dim, const std::int32_t* position, const real* cos, const real* sin,
               bool inverse, real* x, int ldx);

  // loss.inl
  void (*embedding)(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo, bool add);
  void (*embedding_backward)(int rows, int cols, int col_begin, int col_end, const std::int32_t* id, const real* dout,
                             int ldo, real* dtable);
  /// window[j] = exp(-j^2 / (2 smear^2)), j = 0..radius
  void (*cross_entropy)(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target,
                        const double* window, int radius, const real* weight, real* loss, real* dlogits, int lddl);
  void (*value_loss)(ValueLoss kind, int n, const real* prediction, const real* target, const real* weight, real* loss,
                     real* dprediction);

  // policy_loss.inl
  void (*policy_loss)(const PolicyLoss& p, int row_begin, int row_end);

  // optimiser.inl
  double (*sum_squares)(std::int64_t n, const real* x);
  /// rate = lr / (1 - beta1^step), v_scale = 1 / (1 - beta2^step)
  void (*adamw)(std::int64_t n, real* w, const real* grad, real* m, real* v, real rate, real v_scale, real beta1,
                real beta2, real eps, real keep, real grad_scale);
  void (*ema)(std::int64_t n, real decay, const real* w, real* average);
};
struct FlowKernels;

namespace portable {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace portable
#if WAM_HAS_AVX
namespace avx2 {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace avx2
namespace avx512 {
const Kernels& kernels();
const FlowKernels& flow_kernels();
}  // namespace avx512
#endif

}  // namespace wam::cpu
