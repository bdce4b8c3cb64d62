// Everything that is compiled once an instruction set, in order of use.
#include "cpu/kernels.h"
#include "cpu/simd.h"

#include "cpu/gates.inl"
#include "cpu/norm.inl"

#include "cpu/elementwise.inl"

#include "cpu/gemm_tile.inl"

#include "cpu/gemm_bf16.inl"

#include "cpu/gemm_pack.inl"

#include "cpu/gemm.inl"

#include "cpu/attention_tiles.inl"

#include "cpu/attention.inl"
#include "cpu/attention_backward.inl"

#include "cpu/gemm_int8.inl"
#include "cpu/int8_units.inl"

#include "cpu/loss.inl"
#include "cpu/optimiser.inl"
#include "cpu/policy_loss.inl"

#include "cpu/flow_kernels.inl"

namespace wam::cpu::WAM_ISA {

const Kernels& kernels() {
  static constexpr Kernels kTable = {
      .panel = kPanel,
      .strip = kStrip,
      .pack_panel = pack_panel,
      .gemm_task = gemm_task,
      .add_column_sums = add_column_sums,
      .narrow_panel = narrow_panel,
      .quantise_panel = quantise_panel,
      .quantise_activations = quantise_activations,
      .int8_task = int8_task,
      .int8_kernel = int8_kernel,
      .attention_scratch = attention_scratch,
      .attention = attention,
      .attention_backward_scratch = attention_backward_scratch,
      .attention_backward = attention_backward,
      .layer_norm = layer_norm,
      .layer_norm_backward_rows = layer_norm_backward_rows,
      .layer_norm_backward_columns = layer_norm_backward_columns,
      .rms_norm = rms_norm,
      .rms_norm_backward_rows = rms_norm_backward_rows,
      .rms_norm_backward_columns = rms_norm_backward_columns,
      .activation = activation,
      .activation_backward = activation_backward,
      .swiglu = swiglu,
      .swiglu_backward = swiglu_backward,
      .axpy = axpy,
      .fill = fill,
      .dropout = dropout,
      .rope = rope,
      .embedding = embedding,
      .embedding_backward = embedding_backward,
      .cross_entropy = cross_entropy,
      .value_loss = value_loss,
      .policy_loss = policy_loss,
      .sum_squares = sum_squares,
      .adamw = adamw,
      .ema = ema,
  };
  return kTable;
}

}  // namespace wam::cpu::WAM_ISA
