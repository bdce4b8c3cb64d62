// Single operations of training: losses, what an alignment makes of scores, and the optimiser. (engine, arguments) unless
// it says otherwise.

#include "align/advantage.h"
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

Napi::Value policy_loss(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "policyLoss");
  PolicyLoss p;
  p.rows = a.dim("rows"), p.vocab = p.ldl = p.ldr = p.lddl = a.dim("vocab");
  const std::int64_t size = elements(p.rows, p.vocab);
  p.logits = a.reals("logits", size), p.reference = a.optional<real>("reference", size);
  p.token = a.tokens("token", p.rows, p.vocab, kIgnored);
  p.old_log_probability = a.reals("oldLogProbability", p.rows);
  p.advantage = a.reals("advantage", p.rows), p.weight = a.reals("weight", p.rows);
  p.temperature = a.scalar("temperature"), p.clip = a.scalar("clip"), p.kl_beta = a.scalar("klBeta");
  p.exact_kl = a.flag("exactKl");
  p.loss = a.reals("loss", p.rows), p.ratio = a.reals("ratio", p.rows), p.kl = a.reals("kl", p.rows);
  p.log_probability = a.reals("logProbability", p.rows), p.dlogits = a.reals("dlogits", size);
  if (!(p.temperature > 0)) throw Error("ERR_RANGE", "policyLoss.temperature: expected a number above 0");
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(p.rows), all = static_cast<std::size_t>(size);
    p.logits = s.in(p.logits, all), p.reference = s.in(p.reference, all), p.token = s.in(p.token, n);
    p.old_log_probability = s.in(p.old_log_probability, n);
    p.advantage = s.in(p.advantage, n), p.weight = s.in(p.weight, n);
    p.loss = s.out(p.loss, n), p.ratio = s.out(p.ratio, n), p.kl = s.out(p.kl, n);
    p.log_probability = s.out(p.log_probability, n), p.dlogits = s.out(p.dlogits, all);
    b.policy_loss(p);
  });
  return info.Env().Undefined();
}

/// (arguments): `groups` groups of `group` rewards each.
Napi::Value group_advantages(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "groupAdvantages");
  const int groups = a.dim("groups"), group = a.dim("group");
  const double* reward = a.array<double>("reward", elements(groups, group));
  double* out = a.array<double>("out", elements(groups, group));
  const auto kind =
      a.fields().choice<align::AdvantageKind>("kind", {{"mean", align::AdvantageKind::mean},
                                                       {"standardised", align::AdvantageKind::standardised},
                                                       {"leave-one-out", align::AdvantageKind::leave_one_out}});
  for (std::ptrdiff_t i = 0; i < groups; ++i) align::group_advantages(reward + i * group, group, kind, out + i * group);
  return info.Env().Undefined();
}

/// (arguments): subScores [count, 8] in the order of lib/sim/score-rows.ts; weights of progress, time to collision, lane
/// keeping and comfort.
Napi::Value pdm_reward(const Napi::CallbackInfo& info) {
  constexpr int kParts = 8;
  const KernelArguments a(info[0], "pdmReward");
  const int count = a.dim("count");
  const double *part = a.array<double>("subScores", elements(count, kParts)), *w = a.array<double>("weights", 4);
  double* out = a.array<double>("out", count);
  const align::PdmWeights weights{.ttc = w[1], .progress = w[0], .lane = w[2], .comfort = w[3]};
  for (int i = 0; i < count; ++i, part += kParts) {
    out[i] = align::pdm_reward({.collision = part[0],
                                .drivable = part[1],
                                .direction = part[3],
                                .light = part[2],
                                .ttc = part[5],
                                .progress = part[4],
                                .lane = part[6],
                                .comfort = part[7]},
                               weights);
  }
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
  define<&policy_loss>(kernels, "policyLoss");
  define<&group_advantages>(kernels, "groupAdvantages");
  define<&pdm_reward>(kernels, "pdmReward");
  define<&generalized_kl>(kernels, "generalizedKl");
  define<&triplet_margin>(kernels, "tripletMargin");
  define<&sum_squares>(kernels, "sumSquares");
  define<&adamw>(kernels, "adamw");
}

}  // namespace wam::binding
