// GELU in both forms, and its derivative.

namespace wam::cpu::WAM_ISA {

constexpr real kSqrtHalf = static_cast<real>(0.70710678118654752440);
constexpr real kInvSqrtTwoPi = static_cast<real>(0.39894228040143267794);
constexpr real kTanhScale = static_cast<real>(0.79788456080286535588);  // sqrt(2/pi)
constexpr real kTanhCubic = static_cast<real>(0.044715);

/// x Phi(x)
inline Vec gelu_erf(Vec x) {
  const Vec half = splat(static_cast<real>(0.5)) * x;
  return fma(half, erf(x * splat(kSqrtHalf)), half);
}
/// Phi(x) + x phi(x)
inline Vec gelu_erf_slope(Vec x) {
  const Vec half = splat(static_cast<real>(0.5));
  const Vec density = splat(kInvSqrtTwoPi) * exp(x * x * splat(static_cast<real>(-0.5)));
  return fma(x, density, fma(half, erf(x * splat(kSqrtHalf)), half));
}

/// x/2 (1 + tanh u) = x s with s = 1/(1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3): keeps the left tail exact.
struct TanhGate {
  Vec s, rest;  // s and 1 - s
  explicit TanhGate(Vec x) {
    const Vec u2 = x * fma(x * x, splat(-2 * kTanhScale * kTanhCubic), splat(-2 * kTanhScale));  // -2u
    const Vec e = exp(min(splat(80), u2));  // bounded, so that e s stays finite
    s = splat(1) / (splat(1) + e);
    rest = e * s;
  }
};
inline Vec gelu_tanh(Vec x) { return x * TanhGate(x).s; }
/// s + x s (1 - s) 2 du/dx
inline Vec gelu_tanh_slope(Vec x) {
  const TanhGate gate(x);
  const Vec du2 = fma(x * x, splat(6 * kTanhScale * kTanhCubic), splat(2 * kTanhScale));
  return fma(x * gate.s * gate.rest, du2, gate.s);
}

}  // namespace wam::cpu::WAM_ISA
