// Triplet margin on rows of a table, in double: neighbours of a 20,001-token table are 1e-4 apart, where float has four
// digits left of a difference. Included by flow_kernels.inl inside its namespace.

/// Sum of term(i), i < n, in eight interleaved partial sums: the same on every instruction set, and vectorisable.
template <class F>
inline double lane_sum(int n, F term) {
  constexpr int kParts = 8;
  double part[kParts] = {};
  int i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (int l = 0; l < kParts; ++l) part[l] += term(i + l);
  }
  for (; i < n; ++i) part[i % kParts] += term(i);
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

/// 1 / max(|x|, 1e-12).
inline double inverse_norm(int dim, const real* x, bool* floored) {
  constexpr double kFloor = 1e-12;
  const double norm = scalar_sqrt(lane_sum(dim, [x](int i) {
    const double v = static_cast<double>(x[i]);
    return v * v;
  }));
  if (floored != nullptr) *floored = norm < kFloor;
  return 1 / (norm < kFloor ? kFloor : norm);
}

inline TripletDistances triplet_distances(int dim, const real* a, const real* p, const real* n, bool normalise,
                                          double eps) {
  TripletDistances t = {0, 0, {1, 1, 1}, {false, false, false}};
  if (normalise) {
    t.inverse[0] = inverse_norm(dim, a, &t.floored[0]);
    t.inverse[1] = inverse_norm(dim, p, &t.floored[1]);
    t.inverse[2] = inverse_norm(dim, n, &t.floored[2]);
  }
  const double ia = t.inverse[0];
  const auto distance = [&](const real* other, double io) {
    return scalar_sqrt(lane_sum(dim, [&](int i) {
      const double d = static_cast<double>(a[i]) * ia - static_cast<double>(other[i]) * io + eps;
      return d * d;
    }));
  };
  t.positive = distance(p, t.inverse[1]);
  t.negative = distance(n, t.inverse[2]);
  return t;
}

inline void add_triplet_gradient(int dim, const real* a, const real* p, const real* n, const TripletDistances& t,
                                 bool normalise, double eps, int own, double to_positive, double to_negative,
                                 double* sum) {
  // d|x|/dx = x/|x|, and 0 at 0
  const double cp = t.positive > 0 ? to_positive / t.positive : 0;
  const double cn = t.negative > 0 ? to_negative / t.negative : 0;
  const double ia = t.inverse[0], ip = t.inverse[1], in = t.inverse[2], io = t.inverse[own];
  const real* row = own == 0 ? a : own == 1 ? p : n;
  const auto gradient = [&](int i) {
    const double za = static_cast<double>(a[i]) * ia;
    return cp * (za - static_cast<double>(p[i]) * ip + eps) + cn * (za - static_cast<double>(n[i]) * in + eps);
  };
  // z = x/|x|: dx = (dz - z (z.dz)) / |x|; below the floor z is x times a constant.
  double along = 0;
  if (normalise && !t.floored[own]) {
    along = lane_sum(dim, [&](int i) { return static_cast<double>(row[i]) * io * gradient(i); });
  }
  for (int i = 0; i < dim; ++i) sum[i] += io * (gradient(i) - static_cast<double>(row[i]) * io * along);
}
