#pragma once
// The transformer over rows [prefix rows | action rows], forward and backward. Which row sees which is a list of
// attention segments (model/segments.h), so the same code runs every mask, training with several noised copies of the
// action tokens a prefix, and the cached steps of a plan.

#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/backend.h"
#include "model/gradient.h"
#include "model/network.h"
#include "model/segments.h"

namespace wam::model {

/// The weights to compute with; packed copies are used where they exist.
struct Weights {
  const real* block = nullptr;
  const std::vector<std::unique_ptr<PackedWeight>>* packed = nullptr;  // by Linear::id
};

/// What is fused with a product.
struct Fused {
  const RowNorm* norm = nullptr;  // of x
  Activation activation = Activation::none;
  bool gated = false;  // W holds gate rows, then as many rows to be gated
  const real* residual = nullptr;
  int ldr = 0;
  const HeadRotation* rotation = nullptr;
};

/// y = act(norm(x) W^T + b) + residual.
void apply(Backend& backend, const Weights& weights, const Linear& linear, int rows, const real* x, int ldx, real* y,
           int ldy, const Fused& fused = {});

/// dweight += dy^T x, dbias += column sums of dy, and dx = dy W (skipped when dx is null).
void apply_backward(Backend& backend, const real* block, const Linear& linear, int rows, const real* x, int ldx,
                    const real* dy, int lddy, real* dx, int lddx, Gradient grad);

/// Activations of one layer that the backward pass or the key/value cache needs.
struct LayerActivations {
  real* input = nullptr;  // [rows, hidden]
  real* norm1 = nullptr;  // [rows, hidden]
  real *mean1 = nullptr, *rstd1 = nullptr;
  real* qkv = nullptr;  // [rows, (heads + 2 kv_heads) head_dim]
  real *query = nullptr,
       *key_value = nullptr;  // [rows, heads head_dim] and [rows, 2 kv_heads head_dim] of a split stack
  real* lse = nullptr;        // [rows, heads]
  real* mixed = nullptr;      // [rows, heads head_dim] attention output
  real* middle = nullptr;     // [rows, hidden] after attention and residual
  real* norm2 = nullptr;
  real *mean2 = nullptr, *rstd2 = nullptr;
  real* up = nullptr;      // before the activation
  real* active = nullptr;  // after it
};

struct Dropout {
  real p = 0;
  RandomStream stream{0};
  std::uint32_t site = 0;  // first site; each layer takes two
};

/// Asked before each layer of a forward pass whether to give it up. Null: never.
struct LayerWatch {
  bool (*gives_up)(void* context, int layer) = nullptr;
  void* context = nullptr;
};

class Decoder {
 public:
  /// `stack` must outlive this.
  Decoder(const StackShape& shape, const Stack& stack, Backend& backend);
  Decoder(const ModelConfig& config, const Network& network, Backend& backend)
      : Decoder(stack_shape(config), network, backend) {}

  /// Takes memory for `rows` rows. `training` keeps every layer's activations; otherwise layers share all but keys and
  /// values (and the queries that lie beside them, unless the stack is split), and without `cache` those too: then rows
  /// of an earlier call cannot be seen. `recompute`, for training: only the rows between layers are kept, and the backward
  /// pass runs each layer once more.
  void reserve(Arena& arena, int rows, bool training, bool cache = true, bool recompute = false);

  /// Where the embedded rows go before `forward`: [rows, hidden].
  real* input() { return activations_[0].input; }

  /// Operations alone. Runs rows [begin, end) through all layers. In the last layer, rows before `last_begin` only give keys and values
  /// (nothing reads more of them). Rows outside keep what an earlier call left: the prefix cache.
  /// Position of row i for rotary embeddings: position[i]. Returns the final-normed rows (index from row 0 of the
  /// block; valid for rows [max(begin, last_begin), end)), or null when it was given up.
  const real* forward(const Weights& weights, int begin, int end, int last_begin, const Segments& all,
                      const Segments& last, const std::int32_t* position, const Dropout& dropout,
                      const LayerWatch& watch = {});

  /// After a training forward over rows [0, rows): dnormed [rows, hidden] (rows >= last_begin are read) -> gradients
  /// added to `grad`, and the gradient of the input rows, which is returned [rows, hidden].
  const real* backward(const Weights& weights, int rows, int last_begin, const Segments& all, const Segments& last,
                       const std::int32_t* position, const Dropout& dropout, const real* dnormed, Gradient grad);

 private:
  /// What a pass runs over.
  struct Span {
    int begin, end, last_begin;
    const Segments &all, &last;
    const std::int32_t* position;
    const Dropout& dropout;
  };
  /// Layer `l` of a forward pass; without `whole` what the backward pass of the layer needs, not its output.
  void run_layer(const Weights& weights, int l, const Span& span, bool whole);
  void normalise(const Weights& weights, const Norm& norm, int rows, const real* x, real* y, real* mean, real* rstd);
  RowNorm row_norm(const Weights& weights, const Norm& norm) const;
  void normalise_backward(const Weights& weights, const Norm& norm, int rows, const real* x, const real* mean,
                          const real* rstd, const real* dy, real* dx, Gradient grad);
  Attention attention_of(const LayerActivations& a, const Segments& segments) const;

  const StackShape shape_;
  const Stack& stack_;
  Backend& backend_;
  const int qkv_width_, mixed_width_, key_value_width_;
  bool training_ = false, recompute_ = false;
  std::vector<LayerActivations> activations_;  // one more than layers: the last holds the output
  real *final_ = nullptr, *final_mean_ = nullptr, *final_rstd_ = nullptr;
  real* branch_ = nullptr;  // a residual branch before dropout
  real *dx_ = nullptr, *dwide_ = nullptr, *dnarrow_ = nullptr, *dactive_ = nullptr, *dbranch_ = nullptr;
};

}  // namespace wam::model
