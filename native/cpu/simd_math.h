#pragma once
// exp, log and erf on Vec. In float they are polynomials written once over the vector operations, so AVX2 and
// AVX-512 agree bit for bit; in the double build they call the C library lane by lane. The coefficients are weighted
// minimax fits made for this file (Lawson iteration on Chebyshev nodes, 40-digit references). Included by simd.h only.

namespace wam::cpu::WAM_ISA {

#if WAM_REAL_BITS == 64

inline Vec exp(Vec x) {
  return each_lane(x, [](real t) { return scalar_exp(t); });
}
inline Vec log(Vec x) {
  return each_lane(x, [](real t) { return scalar_log(t); });
}
inline Vec erf(Vec x) {
  return each_lane(x, [](real t) { return scalar_erf(t); });
}

#else

/// Relative error below 1.2e-7. 0 below -87.33 (where the result would be denormal), inf above 88.722; NaN stays NaN.
inline Vec exp(Vec x) {
  const Vec shift = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
  const Vec shifted = fma(x, splat(1.44269504f), shift);
  const Vec n = shifted - shift;
  // x - n ln 2, with ln 2 in two pieces, the first short enough for an exact product
  const Vec r = fnma(n, splat(-2.12194440e-4f), fnma(n, splat(0.693359375f), x));
  Vec q = splat(1.395053854e-03f);
  q = fma(q, r, splat(8.368918062e-03f));
  q = fma(q, r, splat(4.166620509e-02f));
  q = fma(q, r, splat(1.666651860e-01f));
  q = fma(q, r, splat(5.000000095e-01f));
  const Vec y = scale_by_power(fma(r * r, q, r) + splat(1.0f), shifted);
  const Vec low = select(lt(x, splat(-87.33f)), zero(), y);
  return select(gt(x, splat(88.722f)), splat(__builtin_inff()), low);
}

/// Relative error below 2e-7 (absolute near 1). log(0) = -inf, negative or NaN: NaN. Denormals count as 0.
inline Vec log(Vec x) {
  Vec m, e;
  split_exponent(x, &m, &e);
  const Vec f = m - splat(1.0f);
  const Vec s = f / (splat(2.0f) + f);  // log(m) = 2 atanh(s)
  const Vec z = s * s;
  Vec p = splat(2.358357171e-01f);
  p = fma(p, z, splat(2.853723815e-01f));
  p = fma(p, z, splat(4.000033622e-01f));
  p = fma(p, z, splat(6.666666564e-01f));
  // 2s = f - f s, so the leading term keeps f exactly
  const Vec tail = fma(e, splat(-2.12194440e-4f), fnma(s, f, s * z * p));
  const Vec y = fma(e, splat(0.693359375f), tail + f);
  const Vec finite = select(gt(x, splat(3.4028234e38f)), splat(__builtin_inff()), y);
  const Vec tiny = select(lt(x, splat(1.17549435e-38f)), splat(-__builtin_inff()), finite);
  return select(ge(x, zero()), tiny, splat(__builtin_nanf("")));
}

/// Absolute error below 1.5e-7, relative below 2e-7 under 0.9.
inline Vec erf(Vec x) {
  const Vec a = min(splat(4.0f), abs(x)), z = a * a;  // erf(4) = 1 in float; a NaN stays one
  Vec p = splat(8.538839197e-05f);
  p = fma(p, z, splat(-8.181927293e-04f));
  p = fma(p, z, splat(5.204436027e-03f));
  p = fma(p, z, splat(-2.686075281e-02f));
  p = fma(p, z, splat(1.128371972e-01f));
  p = fma(p, z, splat(-3.761263531e-01f));
  p = fma(p, z, splat(1.128379167e+00f));
  Vec q = splat(-1.971826223e-04f);  // -log(erfc(a)) on [0.9, 4]
  q = fma(q, a, splat(3.055615697e-03f));
  q = fma(q, a, splat(-2.227711705e-02f));
  q = fma(q, a, splat(1.040374170e-01f));
  q = fma(q, a, splat(6.370596927e-01f));
  q = fma(q, a, splat(1.127749596e+00f));
  q = fma(q, a, splat(1.774872439e-04f));
  const Vec large = splat(1.0f) - exp(-q);
  return select(lt(a, splat(0.9f)), x * p, select(lt(x, zero()), -large, large));
}

#endif

}  // namespace wam::cpu::WAM_ISA
