// Triplet margin on rows of a table, in double: neighbours of a 20,001-token table are 1e-4 apart, where float has four
// digits left of a difference. Included by flow_kernels.inl inside its namespace.

// Eight doubles in registers of the set.
#if defined(WAM_ISA_AVX512)
constexpr int kPackBytes = 64;
#elif defined(WAM_ISA_AVX2)
constexpr int kPackBytes = 32;
#else
constexpr int kPackBytes = 16;
#endif
constexpr int kEight = 8, kPackDoubles = kPackBytes / 8, kPacks = kEight / kPackDoubles;
typedef double DoublePack __attribute__((vector_size(kPackBytes)));

struct Doubles {
  DoublePack p[kPacks];
};
WAM_INLINE Doubles eight_of(double x) {
  Doubles r;
  for (int i = 0; i < kPacks; ++i) r.p[i] = x - DoublePack{};
  return r;
}
WAM_INLINE Doubles operator+(Doubles a, Doubles b) {
  for (int i = 0; i < kPacks; ++i) a.p[i] += b.p[i];
  return a;
}
WAM_INLINE Doubles operator-(Doubles a, Doubles b) {
  for (int i = 0; i < kPacks; ++i) a.p[i] -= b.p[i];
  return a;
}
WAM_INLINE Doubles operator*(Doubles a, Doubles b) {
  for (int i = 0; i < kPacks; ++i) a.p[i] *= b.p[i];
  return a;
}
template <class T>
WAM_INLINE Doubles load_eight(const T* x) {
  typedef T Pack __attribute__((vector_size(kPackDoubles * sizeof(T))));
  Doubles r;
  for (int i = 0; i < kPacks; ++i) {
    Pack v;
    memcpy(&v, x + i * kPackDoubles, sizeof v);
    r.p[i] = __builtin_convertvector(v, DoublePack);
  }
  return r;
}
template <class T>
WAM_INLINE void store_eight(T* x, Doubles a) {
  typedef T Pack __attribute__((vector_size(kPackDoubles * sizeof(T))));
  for (int i = 0; i < kPacks; ++i) {
    const Pack v = __builtin_convertvector(a.p[i], Pack);
    memcpy(x + i * kPackDoubles, &v, sizeof v);
  }
}
/// The first n of eight, zeros after them.
template <class T>
WAM_INLINE Doubles load_some(const T* x, int n) {
  if (n == kEight) return load_eight(x);
  T t[kEight] = {};
  for (int i = 0; i < n; ++i) t[i] = x[i];
  return load_eight(t);
}
template <class T>
WAM_INLINE void store_some(T* x, Doubles a, int n) {
  if (n == kEight) return store_eight(x, a);
  T t[kEight];
  store_eight(t, a);
  for (int i = 0; i < n; ++i) x[i] = t[i];
}
WAM_INLINE Doubles first_of(Doubles a, int n) {
  if (n == kEight) return a;
  double t[kEight];
  store_eight(t, a);
  for (int i = n; i < kEight; ++i) t[i] = 0;
  return load_eight(t);
}
WAM_INLINE double sum_eight(Doubles a) {
  double t[kEight];
  store_eight(t, a);
  return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}
/// f(offset, how many) for each eight of dim.
template <class F>
WAM_INLINE void each_eight(int dim, F f) {
  int i = 0;
  for (; i + kEight <= dim; i += kEight) f(i, kEight);
  if (i < dim) f(i, dim - i);
}

/// 1 / max(|x|, 1e-12).
inline double inverse_norm(int dim, const real* x, bool* floored) {
  constexpr double kFloor = 1e-12;
  Doubles square = eight_of(0);
  each_eight(dim, [&](int i, int n) {
    const Doubles v = load_some(x + i, n);
    square = square + v * v;
  });
  const double norm = scalar_sqrt(sum_eight(square));
  if (floored != nullptr) *floored = norm < kFloor;
  return 1 / (norm < kFloor ? kFloor : norm);
}

inline TripletRow spread_row(int dim, const real* x, bool normalise, double* z) {
  TripletRow row = {1, false};
  if (normalise) {
    bool floored;
    row.inverse = inverse_norm(dim, x, &floored);
    row.projects = !floored;
  }
  const Doubles inverse = eight_of(row.inverse);
  each_eight(dim, [&](int i, int n) { store_some(z + i, load_some(x + i, n) * inverse, n); });
  return row;
}

template <class T>
WAM_INLINE TripletDistances distances_of(int dim, const T* a, const T* p, const T* n, double eps) {
  const Doubles shift = eight_of(eps);
  Doubles positive = eight_of(0), negative = positive;
  each_eight(dim, [&](int i, int m) {
    const Doubles own = load_some(a + i, m);
    const Doubles to_p = first_of(own - load_some(p + i, m) + shift, m);
    const Doubles to_n = first_of(own - load_some(n + i, m) + shift, m);
    positive = positive + to_p * to_p;
    negative = negative + to_n * to_n;
  });
  return {scalar_sqrt(sum_eight(positive)), scalar_sqrt(sum_eight(negative))};
}

inline TripletDistances triplet_distances(int dim, const double* a, const double* p, const double* n, double eps) {
  return distances_of(dim, a, p, n, eps);
}

inline void add_triplet_gradient(int dim, const double* a, const double* p, const double* n, double eps,
                                 double to_positive, double to_negative, double* sum) {
  const Doubles shift = eight_of(eps), cp = eight_of(to_positive), cn = eight_of(to_negative);
  each_eight(dim, [&](int i, int m) {
    const Doubles own = load_some(a + i, m) + shift;
    Doubles s = load_some(sum + i, m);
    if (p != nullptr) s = s + cp * (own - load_some(p + i, m));
    if (n != nullptr) s = s + cn * (own - load_some(n + i, m));
    store_some(sum + i, s, m);
  });
}

inline void finish_triplet_row(int dim, const double* z, TripletRow row, const double* sum, bool add, real* dx) {
  // z = x/|x|: dx = (dz - z (z.dz)) / |x|
  double along = 0;
  if (row.projects) {
    Doubles product = eight_of(0);
    each_eight(dim, [&](int i, int n) { product = product + load_some(z + i, n) * load_some(sum + i, n); });
    along = sum_eight(product);
  }
  const Doubles inverse = eight_of(row.inverse), part = eight_of(along);
  each_eight(dim, [&](int i, int n) {
    Doubles d = inverse * (load_some(sum + i, n) - load_some(z + i, n) * part);
    if (add) d = d + load_some(dx + i, n);
    store_some(dx + i, d, n);
  });
}

inline TripletDistances whole_triplet(int dim, const real* a, const real* p, const real* n, double eps, real margin,
                                      double share, bool add, real* da, real* dp, real* dn) {
  const TripletDistances t = distances_of(dim, a, p, n, eps);
  if (da == nullptr) return t;
  const bool open = t.positive - t.negative + static_cast<double>(margin) > 0;
  if (!open && add) return t;
  // d|x|/dx = x/|x|, and 0 at 0
  const Doubles cp = eight_of(open && t.positive > 0 ? share / t.positive : 0);
  const Doubles cn = eight_of(open && t.negative > 0 ? -share / t.negative : 0);
  const Doubles shift = eight_of(eps);
  each_eight(dim, [&](int i, int m) {
    const Doubles own = load_some(a + i, m);
    const Doubles by_p = cp * (own - load_some(p + i, m) + shift), by_n = cn * (own - load_some(n + i, m) + shift);
    Doubles ga = by_p + by_n, gp = eight_of(0) - by_p, gn = eight_of(0) - by_n;
    if (add) ga = ga + load_some(da + i, m), gp = gp + load_some(dp + i, m), gn = gn + load_some(dn + i, m);
    store_some(da + i, ga, m), store_some(dp + i, gp, m), store_some(dn + i, gn, m);
  });
  return t;
}
