// Single operations of training: losses and the optimiser. (engine, arguments)

#include "binding/function.h"
#include "binding/kernel_arguments.h"
#include "binding/kernels_binding.h"

namespace wam::binding {
namespace {

constexpr std::int32_t kIgnored = -100;

Napi::Value cross_entropy(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "crossEntropy");
  const int rows = a.dim("rows"), vocab = a.dim("vocab");
  const std::int64_t size = elements(rows, vocab);
  const real *logits = a.reals("logits", size), *weight = a.reals("weight", rows);
  const std::int32_t* target = a.tokens("target", rows, vocab, kIgnored);
  real *loss = a.reals("loss", rows), *dlogits = a.reals("dlogits", size);
  const real smear = a.scalar("smear");
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows), all = static_cast<std::size_t>(size);
    b.cross_entropy(rows, vocab, s.in(logits, all), vocab, s.in(target, n), smear, s.in(weight, n), s.out(loss, n),
                    s.out(dlogits, all), vocab);
  });
  return info.Env().Undefined();
}

Napi::Value generalized_kl(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "generalizedKl");
  const int rows = a.dim("rows"), vocab = a.dim("vocab");
  const std::int64_t size = elements(rows, vocab);
  const real* logits = a.reals("logits", size);
  const double* rate = a.array<double>("rate", rows);
  const std::int32_t *x_1 = a.tokens("x1", rows, vocab), *x_t = a.tokens("xt", rows, vocab);
  real *loss = a.reals("loss", rows), *dlogits = a.optional<real>("dlogits", size);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows), all = static_cast<std::size_t>(size);
    b.generalized_kl(rows, vocab, s.in(logits, all), s.in(x_1, n), s.in(x_t, n), s.in(rate, n), s.out(loss, n),
                     s.out(dlogits, all));
  });
  return info.Env().Undefined();
}

/// Returns `scale` times the mean loss. dtable is added to: the caller brings zeros.
Napi::Value triplet_margin(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "tripletMargin");
  const int count = a.dim("count"), vocab = a.dim("vocab"), dim = a.dim("dim");
  const real *table = a.reals("table", elements(vocab, dim)), *margin = a.reals("margin", count);
  const std::int32_t* anchor = a.tokens("anchor", count, vocab);
  const std::int32_t* positive = a.tokens("positive", count, vocab);
  const std::int32_t* negative = a.tokens("negative", count, vocab);
  const bool normalise = a.flag("normalise");
  const double scale = a.number("scale");
  real* dtable = a.optional<real>("dtable", elements(vocab, dim));
  const double loss = with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(count), all = static_cast<std::size_t>(elements(vocab, dim));
    return b.triplet_margin(count, vocab, dim, s.in(table, all), s.in(anchor, n), s.in(positive, n), s.in(negative, n),
                            s.in(margin, n), normalise, s.inout(dtable, all), scale);
  });
  return Napi::Number::New(info.Env(), loss);
}

/// Sum of squares in double.
Napi::Value sum_squares(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "sumSquares");
  const std::int64_t count = a.dim("count");
  const real* x = a.reals("x", count);
  const double sum = with_backend(
      info, [&](Backend& b, CallStaging& s) { return b.sum_squares(count, s.in(x, static_cast<std::size_t>(count))); });
  return Napi::Number::New(info.Env(), sum);
}

/// In place on w, m and v.
Napi::Value adamw(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "adamw");
  const std::int64_t count = a.dim("count");
  real *w = a.reals("w", count), *m = a.reals("m", count), *v = a.reals("v", count);
  const real* grad = a.reals("grad", count);
  const real lr = a.scalar("lr"), beta1 = a.scalar("beta1"), beta2 = a.scalar("beta2"), eps = a.scalar("eps");
  const real decay = a.scalar("weightDecay"), scale = a.scalar("gradScale");
  const std::int64_t step = a.fields().integer64("step", 1, std::int64_t{1} << 52);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(count);
    b.adamw(count, s.inout(w, n), s.in(grad, n), s.inout(m, n), s.inout(v, n), lr, beta1, beta2, eps, decay, step,
            scale);
  });
  return info.Env().Undefined();
}

}  // namespace

void add_training_kernels(Napi::Object kernels) {
  define<&cross_entropy>(kernels, "crossEntropy");
  define<&generalized_kl>(kernels, "generalizedKl");
  define<&triplet_margin>(kernels, "tripletMargin");
  define<&sum_squares>(kernels, "sumSquares");
  define<&adamw>(kernels, "adamw");
}

}  // namespace wam::binding
