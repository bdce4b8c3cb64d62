#include "flow/schedule.h"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace wam::flow {
namespace {

void check_positive(const char* name, double value) {
  if (std::isfinite(value) && value > 0) return;
  throw Error("ERR_CONFIG", std::string(name) + " must be a positive finite number, received " + std::to_string(value));
}

}  // namespace

void PathSchedule::check() const {
  if (kind == Kind::published) {
    check_positive("schedule.a", a);
    check_positive("schedule.c", c);
    return;
  }
  check_positive("schedule.initial_width", initial_width);
  check_positive("schedule.final_width", final_width);
  check_positive("schedule.power", power);
  if (final_width >= initial_width) {
    throw Error("ERR_CONFIG", "schedule.final_width must be less than initial_width " + std::to_string(initial_width) +
                                  ", received " + std::to_string(final_width));
  }
}

double PathSchedule::beta(double t) const {
  if (t <= 0) return 0;
  if (kind == Kind::published) {
    return t >= 1 ? std::numeric_limits<double>::infinity() : c * std::pow(t / (1 - t), a);
  }
  // w(t)^-p - w0^-p = w0^-p ((w0/w1)^(p t) - 1); expm1 keeps small t exact.
  const double s = power * std::log(initial_width / final_width);
  return std::pow(initial_width, -power) * std::expm1(s * t);
}

double PathSchedule::beta_derivative(double t) const {
  if (kind == Kind::published) {
    if (t <= 0) return 0;
    if (t >= 1) return std::numeric_limits<double>::infinity();
    return c * a * std::pow(t / (1 - t), a - 1) / ((1 - t) * (1 - t));
  }
  const double s = power * std::log(initial_width / final_width);
  return std::pow(initial_width, -power) * s * std::exp(s * t);
}

double PathSchedule::width(double t) const { return std::pow(beta(t), -1 / power); }

double PathSchedule::step_weight(StepRule rule, double t, double h) const {
  switch (rule) {
    case StepRule::released:
      return t <= 0 ? 0 : h * beta_derivative(t);
    case StepRule::integrated:
      return beta(t + h) - beta(t);
    case StepRule::renoise:
      return 0;
  }
  return 0;
}

}  // namespace wam::flow
