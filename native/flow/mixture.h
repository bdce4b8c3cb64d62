#pragma once
// The mixture path p_t(.|x0,x1) = (1 - kappa_t) delta_x0 + kappa_t delta_x1 and its schedulers, as an alternative to the
// metric path that can be compared with what other discrete flow models use (wamflow-spec section 4).

#include <cstdint>

#include "core/backend.h"

namespace wam::flow {

/// Coefficients of x1 (alpha) and of the source (sigma) at one time, with their time derivatives.
struct SchedulerValue {
  double alpha = 0, sigma = 0, d_alpha = 0, d_sigma = 0;
};

struct MixtureSchedule {
  enum class Kind {
    cond_ot,     // alpha = t, sigma = 1 - t
    polynomial,  // alpha = t^exponent, sigma = 1 - alpha
    cosine,      // alpha = sin(pi t/2), sigma = cos(pi t/2)
    vp,          // alpha = exp(-T(1-t)/2), sigma = sqrt(1 - alpha^2), T(s) = (beta_max - beta_min) s^2/2 + beta_min s
    linear_vp,   // alpha = t, sigma = sqrt(1 - t^2)
  };
  Kind kind = Kind::cond_ot;
  double exponent = 1;                   // polynomial
  double beta_min = 0.1, beta_max = 20;  // vp

  /// Throws Error(ERR_CONFIG) when a parameter has no meaning.
  void check() const;

  SchedulerValue at(double t) const;
  /// Share of positions that show x1 at time t. Only cond_ot and polynomial have sigma = 1 - kappa; the mixture path of
  /// the others keeps x0 with probability 1 - kappa as well, since a probability cannot be anything else.
  double kappa(double t) const { return at(t).alpha; }
  /// t with kappa(t) = value.
  double kappa_inverse(double value) const;
  /// kappa'/(1-kappa): the rate at which positions jump to x1; infinite at t = 1.
  double rate(double t) const;
  /// Probability that a position not yet at x1 jumps there between t and t+h. released: Euler, 1 - exp(-h rate(t)).
  /// integrated and renoise: exact, (kappa(t+h) - kappa(t)) / (1 - kappa(t)).
  double jump_probability(StepRule rule, double t, double h) const;
};

/// x_t = x_0 where uniform < 1 - kappa, else x_1.
void mixture_sample(std::int64_t count, double kappa, const std::int32_t* x_0, const std::int32_t* x_1,
                    const float* uniform, std::int32_t* x_t);

/// velocity[y] = rate (softmax(logits)[y] - [y = x_t]), one row.
void mixture_velocity(int vocab, double rate, const real* logits, std::int32_t x_t, real* velocity);

/// Jump rates of one row given x_1: kappa'/(1-kappa) [y = x_1], and with divergence_free > 0 also
/// divergence_free kappa' / (kappa (1-kappa)) ((1-kappa) source[y] + kappa [y = x_1]); 0 at y = x_t. `source` [vocab] may
/// be null when divergence_free is 0. Returns the total rate.
double mixture_rates(int vocab, const SchedulerValue& value, double divergence_free, const real* source,
                     std::int32_t x_t, std::int32_t x_1, real* rate);

}  // namespace wam::flow
