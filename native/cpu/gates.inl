// Sigmoid, GELU in both forms and its derivative.

namespace wam::cpu::WAM_ISA {

constexpr real kInvSqrtTwoPi = static_cast<real>(0.39894228040143267794);
constexpr real kTanhScale = static_cast<real>(0.79788456080286535588);  // sqrt(2/pi)
constexpr real kTanhCubic = static_cast<real>(0.044715);

WAM_INLINE Vec sigmoid(Vec x) { return splat(1) / (splat(1) + exp(-x)); }

/// x Phi(x)
WAM_INLINE Vec gelu_erf(Vec x) {
  Vec bell;
  return x * normal_cdf(x, &bell);
}
/// Phi(x) + x phi(x)
WAM_INLINE Vec gelu_erf_slope(Vec x) {
  Vec bell;
  const Vec phi = normal_cdf(x, &bell);
  return fma(x * splat(kInvSqrtTwoPi), bell, phi);
}

/// x/2 (1 + tanh u) = x s with s = 1/(1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3): keeps the left tail exact.
struct TanhGate {
  Vec s, rest;  // s and 1 - s
  WAM_INLINE explicit TanhGate(Vec x) {
    const Vec u2 = x * fma(x * x, splat(-2 * kTanhScale * kTanhCubic), splat(-2 * kTanhScale));  // -2u
    const Vec e = exp(min(splat(80), u2));  // bounded, so that e s stays finite
    s = splat(1) / (splat(1) + e);
    rest = e * s;
  }
};
WAM_INLINE Vec gelu_tanh(Vec x) { return x * TanhGate(x).s; }
/// s + x s (1 - s) 2 du/dx
WAM_INLINE Vec gelu_tanh_slope(Vec x) {
  const TanhGate gate(x);
  const Vec du2 = fma(x * x, splat(6 * kTanhScale * kTanhCubic), splat(2 * kTanhScale));
  return fma(x * gate.s * gate.rest, du2, gate.s);
}

}  // namespace wam::cpu::WAM_ISA
