// Single operations of the probability paths: schedules, metric path, mixture path.

#include <algorithm>
#include <vector>

#include "binding/function.h"
#include "binding/kernel_arguments.h"
#include "binding/kernels_binding.h"
#include "binding/path_schedule.h"
#include "flow/mixture.h"

namespace wam::binding {
namespace {

StepRule step_rule(const KernelArguments& a) {
  return a.fields().choice<StepRule>(
      "rule", {{"released", StepRule::released}, {"integrated", StepRule::integrated}, {"renoise", StepRule::renoise}});
}

flow::MixtureSchedule mixture_schedule(const Fields& fields) {
  using Kind = flow::MixtureSchedule::Kind;
  flow::MixtureSchedule s;
  s.kind = fields.choice<Kind>("kind", {{"cond_ot", Kind::cond_ot},
                                        {"polynomial", Kind::polynomial},
                                        {"cosine", Kind::cosine},
                                        {"vp", Kind::vp},
                                        {"linear_vp", Kind::linear_vp}});
  if (s.kind == Kind::polynomial) s.exponent = fields.number("exponent");
  if (s.kind == Kind::vp) s.beta_min = fields.number("betaMin"), s.beta_max = fields.number("betaMax");
  s.check();
  return s;
}

/// pathSchedule({ schedule, rule, t, h, out }): rows of out [count, 4] are beta, its derivative, the kernel width and the
/// step weight of the rule from t to t + h.
Napi::Value path_schedule_values(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "pathSchedule");
  const flow::PathSchedule schedule = read_path_schedule(a.fields().object("schedule"));
  const StepRule rule = step_rule(a);
  const std::int64_t count = a.dim("count", 0);
  const double* t = a.array<double>("t", count);
  double* out = a.array<double>("out", 4 * count);
  const double h = a.number("h");
  for (std::int64_t i = 0; i < count; ++i, out += 4) {
    out[0] = schedule.beta(t[i]);
    out[1] = schedule.beta_derivative(t[i]);
    out[2] = schedule.width(t[i]);
    out[3] = schedule.step_weight(rule, t[i], h);
  }
  return info.Env().Undefined();
}

/// mixtureSchedule({ schedule, rule, t, h, out }): rows of out [count, 7] are alpha, sigma, their derivatives, the jump
/// rate, the probability of a jump from t to t + h, and the time with kappa = t.
Napi::Value mixture_schedule_values(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "mixtureSchedule");
  const flow::MixtureSchedule schedule = mixture_schedule(a.fields().object("schedule"));
  const StepRule rule = step_rule(a);
  const std::int64_t count = a.dim("count", 0);
  const double* t = a.array<double>("t", count);
  double* out = a.array<double>("out", 7 * count);
  const double h = a.number("h");
  for (std::int64_t i = 0; i < count; ++i, out += 7) {
    const flow::SchedulerValue v = schedule.at(t[i]);
    out[0] = v.alpha, out[1] = v.sigma, out[2] = v.d_alpha, out[3] = v.d_sigma;
    out[4] = schedule.rate(t[i]);
    out[5] = schedule.jump_probability(rule, t[i], h);
    out[6] = schedule.kappa_inverse(t[i]);
  }
  return info.Env().Undefined();
}

/// Either form: { vocab, coordinate, power } or { vocab, table, dim }.
TokenMetric token_metric(const KernelArguments& a) {
  TokenMetric metric;
  metric.vocab = a.dim("vocab");
  if (a.has("coordinate")) {
    const real* u = a.reals("coordinate", metric.vocab);
    if (!std::is_sorted(u, u + metric.vocab)) throw Error("ERR_RANGE", "metric.coordinate: expected ascending values");
    metric.coordinate = u;
    metric.power = a.scalar("power");
    if (!(metric.power > 0)) throw Error("ERR_RANGE", "metric.power: expected a positive number");
  } else {
    metric.dim = a.dim("dim");
    metric.table = a.reals("table", elements(metric.vocab, metric.dim));
  }
  return metric;
}

/// The metric with its tables in the backend's memory.
TokenMetric staged(TokenMetric metric, CallStaging& s) {
  const auto vocab = static_cast<std::size_t>(metric.vocab);
  metric.coordinate = s.in(metric.coordinate, vocab);
  metric.table = s.in(metric.table, vocab * static_cast<std::size_t>(metric.dim));
  return metric;
}

/// Numbers of [0, infinity]; NaN and negative ones are refused.
const real* rates_of(const KernelArguments& a, const char* name, std::int64_t count) {
  const real* values = a.reals(name, count);
  for (std::int64_t i = 0; i < count; ++i) {
    if (!(values[i] >= 0)) throw Error("ERR_RANGE", a.fields().path(name) + ": expected numbers >= 0");
  }
  return values;
}

Napi::Value path_probability(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "pathProbability");
  const TokenMetric metric = token_metric(a);
  const int rows = a.dim("rows");
  const real* beta = rates_of(a, "beta", rows);
  const std::int32_t* x_1 = a.tokens("x1", rows, metric.vocab);
  real* out = a.reals("out", elements(rows, metric.vocab));
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows);
    b.path_probability(rows, staged(metric, s), s.in(beta, n), s.in(x_1, n), s.out(out, n * metric.vocab));
  });
  return info.Env().Undefined();
}

Napi::Value metric_distance(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "metricDistance");
  const TokenMetric metric = token_metric(a);
  const int rows = a.dim("rows");
  const std::int32_t* x_1 = a.tokens("x1", rows, metric.vocab);
  real* out = a.reals("out", elements(rows, metric.vocab));
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows);
    b.metric_distance(rows, staged(metric, s), s.in(x_1, n), s.out(out, n * metric.vocab));
  });
  return info.Env().Undefined();
}

Napi::Value path_rates(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "pathRates");
  const TokenMetric metric = token_metric(a);
  const int rows = a.dim("rows");
  const real *beta = rates_of(a, "beta", rows), *beta_dot = rates_of(a, "betaDot", rows);
  const std::int32_t* x_t = a.tokens("xt", rows, metric.vocab);
  const std::int32_t* x_1 = a.tokens("x1", rows, metric.vocab);
  real *rate = a.reals("rate", elements(rows, metric.vocab)), *total = a.reals("total", rows);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows);
    b.path_rates(rows, staged(metric, s), s.in(beta, n), s.in(beta_dot, n), s.in(x_t, n), s.in(x_1, n),
                 s.out(rate, n * metric.vocab), s.out(total, n));
  });
  return info.Env().Undefined();
}

Napi::Value path_noise(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "pathNoise");
  PathNoise s;
  s.metric = token_metric(a);
  s.rows = a.dim("rows");
  s.beta = rates_of(a, "beta", s.rows);
  s.x_1 = a.tokens("x1", s.rows, s.metric.vocab);
  s.draw = a.array<float>("draw", s.rows);
  s.x_t = a.array<std::int32_t>("xt", s.rows);
  with_backend(info, [&](Backend& b, CallStaging& stage) {
    const auto n = static_cast<std::size_t>(s.rows);
    s.metric = staged(s.metric, stage);
    s.beta = stage.in(s.beta, n), s.x_1 = stage.in(s.x_1, n), s.draw = stage.in(s.draw, n);
    s.x_t = stage.out(s.x_t, n);
    b.path_noise(s);
  });
  return info.Env().Undefined();
}

Napi::Value path_step(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "pathStep");
  PathStep s;
  s.metric = token_metric(a);
  s.rows = a.dim("rows");
  s.rule = step_rule(a);
  s.beta = *rates_of(a, "beta", 1);
  s.step_weight = *rates_of(a, "stepWeight", 1);
  s.x_t = a.tokens("xt", s.rows, s.metric.vocab);
  s.x_1 = a.tokens("x1", s.rows, s.metric.vocab);
  s.draw = a.array<float>("draw", s.rows);
  s.jump = s.rule == StepRule::renoise ? s.draw : a.array<float>("jump", s.rows);
  s.x_next = a.array<std::int32_t>("next", s.rows);
  with_backend(info, [&](Backend& b, CallStaging& stage) {
    const auto n = static_cast<std::size_t>(s.rows);
    s.metric = staged(s.metric, stage);
    s.x_t = stage.in(s.x_t, n), s.x_1 = stage.in(s.x_1, n);
    s.draw = stage.in(s.draw, n), s.jump = stage.in(s.jump, n);
    s.x_next = stage.out(s.x_next, n);
    b.path_step(s);
  });
  return info.Env().Undefined();
}

Napi::Value mixture_sample(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "mixtureSample");
  const std::int64_t count = a.dim("count", 0);
  const std::int32_t *x_0 = a.array<std::int32_t>("x0", count), *x_1 = a.array<std::int32_t>("x1", count);
  const float* uniform = a.array<float>("uniform", count);
  std::int32_t* x_t = a.array<std::int32_t>("xt", count);
  flow::mixture_sample(count, a.number("kappa"), x_0, x_1, uniform, x_t);
  return info.Env().Undefined();
}

/// out [rows, vocab] = rate[row] (softmax(logits) - onehot(xt)).
Napi::Value mixture_velocity(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "mixtureVelocity");
  const int rows = a.dim("rows"), vocab = a.dim("vocab");
  const real* logits = a.reals("logits", elements(rows, vocab));
  const double* rate = a.array<double>("rate", rows);
  const std::int32_t* x_t = a.tokens("xt", rows, vocab);
  real* out = a.reals("out", elements(rows, vocab));
  for (std::int64_t row = 0; row < rows; ++row) {
    flow::mixture_velocity(vocab, rate[row], logits + row * vocab, x_t[row], out + row * vocab);
  }
  return info.Env().Undefined();
}

Napi::Value mixture_rates(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "mixtureRates");
  const int rows = a.dim("rows"), vocab = a.dim("vocab");
  const flow::SchedulerValue value = mixture_schedule(a.fields().object("schedule")).at(a.number("t"));
  const double free = a.number("divergenceFree");
  const real* source = a.optional<real>("source", vocab);
  if (free > 0 && source == nullptr) throw Error("ERR_ARGUMENT", "mixtureRates.source: expected a Float32Array");
  const std::int32_t *x_t = a.tokens("xt", rows, vocab), *x_1 = a.tokens("x1", rows, vocab);
  real* rate = a.reals("rate", elements(rows, vocab));
  double* total = a.array<double>("total", rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    total[row] = flow::mixture_rates(vocab, value, free, source, x_t[row], x_1[row], rate + row * vocab);
  }
  return info.Env().Undefined();
}

}  // namespace

void add_path_kernels(Napi::Object kernels) {
  define<&path_schedule_values>(kernels, "pathSchedule");
  define<&mixture_schedule_values>(kernels, "mixtureSchedule");
  define<&path_probability>(kernels, "pathProbability");
  define<&metric_distance>(kernels, "metricDistance");
  define<&path_rates>(kernels, "pathRates");
  define<&path_noise>(kernels, "pathNoise");
  define<&path_step>(kernels, "pathStep");
  define<&mixture_sample>(kernels, "mixtureSample");
  define<&mixture_velocity>(kernels, "mixtureVelocity");
  define<&mixture_rates>(kernels, "mixtureRates");
}

}  // namespace wam::binding
