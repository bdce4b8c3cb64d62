#include "flow/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "core/error.h"

namespace wam::flow {

void MixtureSchedule::check() const {
  if (kind == Kind::polynomial && !(std::isfinite(exponent) && exponent > 0)) {
    throw Error("ERR_CONFIG",
                "scheduler.exponent must be a positive finite number, received " + std::to_string(exponent));
  }
  const bool ordered = beta_min >= 0 && beta_max > beta_min && std::isfinite(beta_max);
  if (kind == Kind::vp && !ordered) {
    throw Error("ERR_CONFIG",
                "scheduler.beta_min and beta_max must be finite with 0 <= beta_min < beta_max, received " +
                    std::to_string(beta_min) + " and " + std::to_string(beta_max));
  }
}

SchedulerValue MixtureSchedule::at(double t) const {
  constexpr double kHalfPi = std::numbers::pi / 2;
  switch (kind) {
    case Kind::cond_ot:
      return {t, 1 - t, 1, -1};
    case Kind::polynomial: {
      const double alpha = std::pow(t, exponent);
      const double slope = exponent * std::pow(t, exponent - 1);
      return {alpha, 1 - alpha, slope, -slope};
    }
    case Kind::cosine:
      return {std::sin(kHalfPi * t), std::cos(kHalfPi * t), kHalfPi * std::cos(kHalfPi * t),
              -kHalfPi * std::sin(kHalfPi * t)};
    case Kind::vp: {
      const double s = 1 - t;
      const double integral = 0.5 * s * s * (beta_max - beta_min) + s * beta_min;
      const double slope = s * (beta_max - beta_min) + beta_min;
      const double alpha = std::exp(-0.5 * integral), variance = -std::expm1(-integral);
      const double sigma = std::sqrt(variance);
      return {alpha, sigma, 0.5 * slope * alpha, -0.5 * slope * (1 - variance) / sigma};
    }
    case Kind::linear_vp: {
      const double sigma = std::sqrt((1 - t) * (1 + t));
      return {t, sigma, 1, -t / sigma};
    }
  }
  return {};
}

double MixtureSchedule::kappa_inverse(double value) const {
  switch (kind) {
    case Kind::cond_ot:
    case Kind::linear_vp:
      return value;
    case Kind::polynomial:
      return std::pow(value, 1 / exponent);
    case Kind::cosine:
      return std::asin(value) / (std::numbers::pi / 2);
    case Kind::vp: {
      // T(s) = -2 log(value): the positive root of (beta_max - beta_min)/2 s^2 + beta_min s - T, in the stable form.
      const double integral = -2 * std::log(value);
      const double root = std::sqrt(beta_min * beta_min + 2 * (beta_max - beta_min) * integral);
      return integral <= 0 ? 1 : 1 - 2 * integral / (beta_min + root);
    }
  }
  return value;
}

double MixtureSchedule::rate(double t) const {
  const SchedulerValue v = at(t);
  return v.alpha < 1 ? v.d_alpha / (1 - v.alpha) : std::numeric_limits<double>::infinity();
}

double MixtureSchedule::jump_probability(StepRule rule, double t, double h) const {
  if (rule == StepRule::released) return -std::expm1(-h * rate(t));
  const double now = kappa(t), next = kappa(std::min(1.0, t + h));
  return now < 1 ? (next - now) / (1 - now) : 1;
}

void mixture_sample(std::int64_t count, double kappa, const std::int32_t* x_0, const std::int32_t* x_1,
                    const float* uniform, std::int32_t* x_t) {
  const double keep = 1 - kappa;
  for (std::int64_t i = 0; i < count; ++i) x_t[i] = uniform[i] < keep ? x_0[i] : x_1[i];
}

void mixture_velocity(int vocab, double rate, const real* logits, std::int32_t x_t, real* velocity) {
  const real highest = *std::max_element(logits, logits + vocab);
  double sum = 0;
  for (int y = 0; y < vocab; ++y) sum += std::exp(static_cast<double>(logits[y]) - highest);
  for (int y = 0; y < vocab; ++y) {
    const double posterior = std::exp(static_cast<double>(logits[y]) - highest) / sum;
    velocity[y] = static_cast<real>(rate * (posterior - (y == x_t ? 1 : 0)));
  }
}

double mixture_rates(int vocab, const SchedulerValue& value, double divergence_free, const real* source,
                     std::int32_t x_t, std::int32_t x_1, real* rate) {
  const double kappa = value.alpha;
  const double forward = value.d_alpha / (1 - kappa);
  const double both = divergence_free > 0 ? divergence_free * value.d_alpha / (kappa * (1 - kappa)) : 0;
  double total = 0;
  for (int y = 0; y < vocab; ++y) {
    const double target = y == x_1 ? 1 : 0;
    double u = forward * target;
    if (divergence_free > 0) u += both * ((1 - kappa) * source[y] + kappa * target);
    if (y == x_t) u = 0;
    total += u;
    rate[y] = static_cast<real>(u);
  }
  return total;
}

}  // namespace wam::flow
