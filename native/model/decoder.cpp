#include "model/decoder.h"

#include <algorithm>
#include <cmath>

namespace wam::model {

void apply(Backend& backend, const Weights& weights, const Linear& linear, int rows, const real* x, int ldx, real* y,
           int ldy, const Fused& fused) {
  Gemm g;
  g.m = rows, g.n = fused.gated ? linear.out / 2 : linear.out, g.k = linear.in;
  g.a = x, g.lda = ldx;
  g.b = weights.block + linear.weight, g.ldb = linear.in, g.b_transposed = true;
  if (weights.packed != nullptr) g.packed = (*weights.packed)[static_cast<std::size_t>(linear.id)].get();
  g.c = y, g.ldc = ldy;
  if (linear.bias >= 0) g.bias = weights.block + linear.bias;
  g.norm = fused.norm;
  g.activation = fused.activation;
  g.gated = fused.gated;
  g.residual = fused.residual, g.ldr = fused.ldr;
  g.rotation = fused.rotation;
  backend.gemm(g);
}

void apply_backward(Backend& backend, const real* block, const Linear& linear, int rows, const real* x, int ldx,
                    const real* dy, int lddy, real* dx, int lddx, Gradient grad) {
  if (real* dweight = grad.begin(linear); dweight != nullptr) {
    Gemm g;
    g.m = linear.out, g.n = linear.in, g.k = rows;
    g.a = dy, g.lda = lddy, g.a_transposed = true;
    g.b = x, g.ldb = ldx;
    g.c = dweight, g.ldc = linear.in;
    g.accumulate = true;
    backend.gemm(g);
    grad.end(linear);
  }
  if (linear.bias >= 0) backend.add_column_sums(rows, linear.out, dy, lddy, grad.vector(linear.bias));
  if (dx == nullptr) return;
  Gemm d;
  d.m = rows, d.n = linear.in, d.k = linear.out;
  d.a = dy, d.lda = lddy;
  d.b = block + linear.weight, d.ldb = linear.in;
  d.c = dx, d.ldc = lddx;
  backend.gemm(d);
}

Decoder::Decoder(const StackShape& shape, const Stack& stack, Backend& backend)
    : shape_(shape),
      stack_(stack),
      backend_(backend),
      qkv_width_((shape.heads + 2 * shape.kv_heads) * shape.head_dim),
      mixed_width_(shape.heads * shape.head_dim),
      key_value_width_(2 * shape.kv_heads * shape.head_dim) {}

void Decoder::reserve(Arena& arena, int rows, bool training, bool cache, bool recompute) {
  training_ = training, recompute_ = recompute;
  const auto n = static_cast<std::size_t>(rows);
  const auto hidden = static_cast<std::size_t>(shape_.hidden);
  const auto mlp = static_cast<std::size_t>(shape_.mlp_hidden);
  const std::size_t up = shape_.mlp == MlpKind::swiglu ? 2 * mlp : mlp;
  const std::size_t wide = std::max<std::size_t>(qkv_width_, up);
  const auto take_keys = [&](LayerActivations& a) {
    real*& keys = stack_.split ? a.key_value : a.qkv;
    keys = arena.take<real>(n * (stack_.split ? key_value_width_ : qkv_width_));
  };
  activations_.assign(static_cast<std::size_t>(shape_.layers) + 1, {});
  for (std::size_t i = 0; i < activations_.size(); ++i) {
    LayerActivations& a = activations_[i];
    const bool last = i + 1 == activations_.size();
    if (i > 0 && !training) {
      a = activations_[0];
      if (!last && cache) take_keys(a);
      // The residual stream alternates between two buffers: a layer reads its input while writing its output.
      if (i % 2 == 1) a.input = i == 1 ? arena.take<real>(n * hidden) : activations_[1].input;
      continue;
    }
    if (i > 0 && recompute) a = activations_[0];
    a.input = arena.take<real>(n * hidden);
    if (i > 0 && recompute) continue;
    if (last) break;
    if (stack_.split) a.query = arena.take<real>(n * mixed_width_);
    take_keys(a);
    a.mixed = arena.take<real>(n * mixed_width_);
    a.middle = arena.take<real>(n * hidden);
    a.active = arena.take<real>(n * mlp);
    const bool gated_with_bias = shape_.mlp == MlpKind::swiglu && stack_.layers.front().up.bias >= 0;
    if (training || gated_with_bias) a.up = arena.take<real>(n * up);
    if (!training) continue;
    a.norm1 = arena.take<real>(n * hidden), a.norm2 = arena.take<real>(n * hidden);
    a.mean1 = arena.take<real>(n), a.rstd1 = arena.take<real>(n);
    a.mean2 = arena.take<real>(n), a.rstd2 = arena.take<real>(n);
    a.lse = arena.take<real>(n * shape_.heads);
  }
  final_ = arena.take<real>(n * hidden);
  if (!training) return;
  final_mean_ = arena.take<real>(n), final_rstd_ = arena.take<real>(n);
  branch_ = arena.take<real>(n * hidden);
  dx_ = arena.take<real>(n * hidden);
  dwide_ = arena.take<real>(n * wide);
  dnarrow_ = arena.take<real>(n * std::max<std::size_t>(hidden, mixed_width_));
  dactive_ = arena.take<real>(n * mlp);
  dbranch_ = arena.take<real>(n * hidden);
}

void Decoder::normalise(const Weights& weights, const Norm& norm, int rows, const real* x, real* y, real* mean,
                        real* rstd) {
  const real eps = static_cast<real>(shape_.norm_eps);
  if (shape_.norm == NormKind::layer_norm) {
    backend_.layer_norm(rows, shape_.hidden, x, weights.block + norm.weight, weights.block + norm.bias, eps, y, mean,
                        rstd);
  } else {
    backend_.rms_norm(rows, shape_.hidden, x, weights.block + norm.weight, eps, y, rstd);
  }
}

RowNorm Decoder::row_norm(const Weights& weights, const Norm& norm) const {
  RowNorm n;
  n.weight = weights.block + norm.weight;
  if (shape_.norm == NormKind::layer_norm) n.bias = weights.block + norm.bias;
  n.eps = static_cast<real>(shape_.norm_eps);
  return n;
}

void Decoder::normalise_backward(const Weights& weights, const Norm& norm, int rows, const real* x, const real* mean,
                                 const real* rstd, const real* dy, real* dx, Gradient grad) {
  if (shape_.norm == NormKind::layer_norm) {
    backend_.layer_norm_backward(rows, shape_.hidden, x, weights.block + norm.weight, mean, rstd, dy, dx, true,
                                 grad.vector(norm.weight), grad.vector(norm.bias));
  } else {
    backend_.rms_norm_backward(rows, shape_.hidden, x, weights.block + norm.weight, rstd, dy, dx, true,
                               grad.vector(norm.weight));
  }
}

Attention Decoder::attention_of(const LayerActivations& a, const Segments& segments) const {
  Attention at;
  at.heads = shape_.heads, at.kv_heads = shape_.kv_heads, at.head_dim = shape_.head_dim;
  at.scale = static_cast<real>(1 / std::sqrt(static_cast<double>(shape_.head_dim)));
  at.q = stack_.split ? a.query : a.qkv, at.k = stack_.split ? a.key_value : a.qkv + mixed_width_;
  at.v = at.k + key_value_width_ / 2;
  at.ldq = stack_.split ? mixed_width_ : qkv_width_;
  at.ldk = at.ldv = stack_.split ? key_value_width_ : qkv_width_;
  at.out = a.mixed, at.ldo = mixed_width_;
  at.lse = a.lse;
  segments.describe(at);
  return at;
}

void Decoder::run_layer(const Weights& weights, int l, const Span& span, bool whole) {
  const int hidden = shape_.hidden, head_dim = shape_.head_dim;
  const int begin = span.begin, end = span.end, last_begin = span.last_begin;
  const std::int32_t* position = span.position;
  const Dropout& dropout = span.dropout;
  const real theta = static_cast<real>(shape_.rope_theta);
  const auto row = [](real* base, int index, int width) {
    return base == nullptr ? nullptr : base + static_cast<std::int64_t>(index) * width;
  };
  const Layer& layer = stack_.layers[static_cast<std::size_t>(l)];
  LayerActivations& a = activations_[static_cast<std::size_t>(l)];
  real* output = activations_[static_cast<std::size_t>(l) + 1].input;
  const bool is_last = l + 1 == shape_.layers;
  const int from = is_last ? std::clamp(last_begin, begin, end) : begin;  // first row that goes on after k and v
  const int kept = from - begin, rows = end - from;

  // The backward pass needs the normalised rows; otherwise they only exist inside the product.
  const RowNorm attention_norm = row_norm(weights, layer.attention_norm), mlp_norm = row_norm(weights, layer.mlp_norm);
  if (training_) {
    normalise(weights, layer.attention_norm, end - begin, row(a.input, begin, hidden), row(a.norm1, begin, hidden),
              row(a.mean1, begin, 1), row(a.rstd1, begin, 1));
  }
  const real* normed = training_ ? a.norm1 : a.input;
  const auto at = [](const real* base, int index, int width) {
    return base + static_cast<std::int64_t>(index) * width;
  };
  const auto project = [&](const Linear& linear, int first, int count, real* out, int ld, int heads) {
    const HeadRotation rotation{heads, head_dim, position + first, theta};
    apply(backend_, weights, linear, count, at(normed, first, hidden), hidden, out, ld,
          {.norm = training_ ? nullptr : &attention_norm, .rotation = theta != 0 ? &rotation : nullptr});
  };
  if (stack_.split) {
    project(layer.key_value, begin, end - begin, row(a.key_value, begin, key_value_width_), key_value_width_,
            shape_.kv_heads);
    if (rows == 0) return;
    project(layer.query, from, rows, row(a.query, from, mixed_width_), mixed_width_, shape_.heads);
  } else {
    if (kept > 0) {
      project(stack_.last_key_value, begin, kept, row(a.qkv, begin, qkv_width_) + mixed_width_, qkv_width_,
              shape_.kv_heads);
    }
    if (rows == 0) return;
    // Query and key heads lie side by side, so one product rotates both.
    project(layer.qkv, from, rows, row(a.qkv, from, qkv_width_), qkv_width_, shape_.heads + shape_.kv_heads);
  }
  backend_.attention(attention_of(a, is_last ? span.last : span.all));

  const bool drop = dropout.p > 0;
  real* middle = row(a.middle, from, hidden);
  const real* input = row(a.input, from, hidden);
  const auto count = static_cast<std::int64_t>(rows) * hidden;
  const auto add_branch = [&](const Linear& linear, const real* x, int width, const real* residual, real* y,
                              std::uint32_t site) {
    if (!drop) {
      apply(backend_, weights, linear, rows, x, width, y, hidden, {.residual = residual, .ldr = hidden});
      return;
    }
    apply(backend_, weights, linear, rows, x, width, y, hidden);
    backend_.dropout(count, dropout.p, dropout.stream, dropout.site + site, y, y);
    backend_.axpy(count, 1, residual, y);
  };
  add_branch(layer.output, row(a.mixed, from, mixed_width_), mixed_width_, input, middle,
             static_cast<std::uint32_t>(2 * l));

  const int mlp = shape_.mlp_hidden, up_width = shape_.mlp == MlpKind::swiglu ? 2 * mlp : mlp;
  real *active = row(a.active, from, mlp), *up = row(a.up, from, up_width);
  if (!training_ && shape_.mlp == MlpKind::gelu) {
    apply(backend_, weights, layer.up, rows, middle, hidden, active, mlp,
          {.norm = &mlp_norm, .activation = Activation::gelu_erf});
  } else if (!training_ && layer.up.bias < 0) {
    apply(backend_, weights, layer.up, rows, middle, hidden, active, mlp, {.norm = &mlp_norm, .gated = true});
  } else {
    if (training_) {
      real* norm2 = row(a.norm2, from, hidden);
      normalise(weights, layer.mlp_norm, rows, middle, norm2, row(a.mean2, from, 1), row(a.rstd2, from, 1));
      apply(backend_, weights, layer.up, rows, norm2, hidden, up, up_width);
    } else {
      apply(backend_, weights, layer.up, rows, middle, hidden, up, up_width, {.norm = &mlp_norm});
    }
    if (shape_.mlp == MlpKind::swiglu) {
      backend_.swiglu(rows, mlp, up, up_width, up + mlp, up_width, active);
    } else {
      backend_.activation(Activation::gelu_erf, static_cast<std::int64_t>(rows) * mlp, up, active);
    }
  }
  if (!whole) return;
  add_branch(layer.down, active, mlp, middle, row(output, from, hidden), static_cast<std::uint32_t>(2 * l + 1));
}

const real* Decoder::forward(const Weights& weights, int begin, int end, int last_begin, const Segments& all,
                             const Segments& last, const std::int32_t* position, const Dropout& dropout,
                             const LayerWatch& watch) {
  for (int l = 0; l < shape_.layers; ++l) {
    if (watch.gives_up != nullptr && watch.gives_up(watch.context, l)) return nullptr;
    run_layer(weights, l, {begin, end, last_begin, all, last, position, dropout}, true);
  }
  const int hidden = shape_.hidden, from = std::clamp(last_begin, begin, end);
  const auto row = [](real* base, int index, int width) {
    return base == nullptr ? nullptr : base + static_cast<std::int64_t>(index) * width;
  };
  normalise(weights, stack_.final_norm, end - from, row(activations_.back().input, from, hidden),
            row(final_, from, hidden), row(final_mean_, from, 1), row(final_rstd_, from, 1));
  return final_;
}

const real* Decoder::backward(const Weights& weights, int rows, int last_begin, const Segments& all,
                              const Segments& last, const std::int32_t* position, const Dropout& dropout,
                              const real* dnormed, Gradient grad) {
  const int hidden = shape_.hidden, mlp = shape_.mlp_hidden, head_dim = shape_.head_dim;
  const real theta = static_cast<real>(shape_.rope_theta);
  const auto at = [](auto* base, int index, int width) { return base + static_cast<std::int64_t>(index) * width; };

  backend_.fill(static_cast<std::int64_t>(rows) * hidden, 0, dx_);
  normalise_backward(weights, stack_.final_norm, rows - last_begin, at(activations_.back().input, last_begin, hidden),
                     final_mean_ + last_begin, final_rstd_ + last_begin, at(dnormed, last_begin, hidden),
                     at(dx_, last_begin, hidden), grad);

  for (int l = shape_.layers - 1; l >= 0; --l) {
    const Layer& layer = stack_.layers[static_cast<std::size_t>(l)];
    const LayerActivations& a = activations_[static_cast<std::size_t>(l)];
    const bool is_last = l + 1 == shape_.layers;
    const int from = is_last ? last_begin : 0;
    const int count = rows - from;
    // What the last layer computed is still there.
    if (recompute_ && !is_last) run_layer(weights, l, {0, rows, last_begin, all, last, position, dropout}, false);
    const auto elements = static_cast<std::int64_t>(count) * hidden;
    real* dx = at(dx_, from, hidden);
    // The gradient of a residual branch is that of the stream, through the branch's dropout.
    const auto branch_gradient = [&](std::uint32_t site) -> const real* {
      if (dropout.p <= 0) return dx;
      backend_.dropout(elements, dropout.p, dropout.stream, dropout.site + site, dx, at(dbranch_, from, hidden));
      return at(dbranch_, from, hidden);
    };

    const real* dbranch = branch_gradient(static_cast<std::uint32_t>(2 * l + 1));
    real* dactive = at(dactive_, from, mlp);
    apply_backward(backend_, weights.block, layer.down, count, at(a.active, from, mlp), mlp, dbranch, hidden, dactive,
                   mlp, grad);
    const int up_width = shape_.mlp == MlpKind::swiglu ? 2 * mlp : mlp;
    real* dup = at(dwide_, from, up_width);
    const real* up = at(a.up, from, up_width);
    if (shape_.mlp == MlpKind::swiglu) {
      backend_.swiglu_backward(count, mlp, up, up_width, up + mlp, up_width, dactive, dup, up_width, dup + mlp,
                               up_width);
    } else {
      backend_.activation_backward(Activation::gelu_erf, static_cast<std::int64_t>(count) * mlp, up, dactive, dup);
    }
    real* dnorm = at(dnarrow_, from, hidden);
    apply_backward(backend_, weights.block, layer.up, count, at(a.norm2, from, hidden), hidden, dup, up_width, dnorm,
                   hidden, grad);
    normalise_backward(weights, layer.mlp_norm, count, at(a.middle, from, hidden), a.mean2 + from, a.rstd2 + from,
                       dnorm, dx, grad);

    dbranch = branch_gradient(static_cast<std::uint32_t>(2 * l));
    real* dmixed = at(dnarrow_, from, mixed_width_);
    apply_backward(backend_, weights.block, layer.output, count, at(a.mixed, from, mixed_width_), mixed_width_, dbranch,
                   hidden, dmixed, mixed_width_, grad);

    backend_.fill(static_cast<std::int64_t>(rows) * qkv_width_, 0, dwide_);
    const Attention attention = attention_of(a, is_last ? last : all);
    AttentionBackward g;
    g.out = a.mixed, g.ldo = mixed_width_;
    g.dout = dnarrow_, g.lddo = mixed_width_;
    g.dq = dwide_, g.dk = dwide_ + mixed_width_, g.dv = g.dk + key_value_width_ / 2;
    g.lddq = g.lddk = g.lddv = qkv_width_;
    backend_.attention_backward(attention, g);
    if (theta != 0) {
      backend_.rope(rows, shape_.heads + shape_.kv_heads, head_dim, position, theta, true, dwide_, qkv_width_);
    }
    // Rows before `from` have no query gradient: their product is with the k and v rows of the weight alone.
    if (from > 0) {
      apply_backward(backend_, weights.block, stack_.last_key_value, from, a.norm1, hidden, dwide_ + mixed_width_,
                     qkv_width_, dnarrow_, hidden, grad);
    }
    apply_backward(backend_, weights.block, layer.qkv, count, at(a.norm1, from, hidden), hidden,
                   at(dwide_, from, qkv_width_), qkv_width_, at(dnarrow_, from, hidden), hidden, grad);
    normalise_backward(weights, layer.attention_norm, rows, a.input, a.mean1, a.rstd1, dnarrow_, dx_, grad);
  }
  return dx_;
}

}  // namespace wam::model
