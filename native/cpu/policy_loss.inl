// The clipped objective of GRPO and its gradient. Tokens are passed over two to three times; a vocabulary of 401 stays in
// the first cache meanwhile. What a row has once is computed in double: there, differences of logarithms cancel.

namespace wam::cpu::WAM_ISA {

/// softmax(x / temperature), by its peak and the sum of exp((x - peak) / temperature).
struct RowSoftmax {
  const real* x;
  real peak, inverse_temperature, mass;
  double log_mass, temperature;

  /// (x - peak) / temperature of some lanes.
  WAM_INLINE Vec relative(int i, int lanes) const {
    return (load_lanes(x + i, lanes) - splat(peak)) * splat(inverse_temperature);
  }
  WAM_INLINE double log_probability(int token) const {
    return (static_cast<double>(x[token]) - static_cast<double>(peak)) / temperature - log_mass;
  }
};

/// exp, and 0 in lanes that are not there.
WAM_INLINE Vec exp_lanes(Vec x, int lanes) {
  const Vec e = exp(x);
  return lanes < kLanes ? select(first_lanes(lanes), e, zero()) : e;
}

RowSoftmax row_softmax(const real* x, int n, real temperature) {
  Vec top = splat(static_cast<real>(-__builtin_inf()));
  for_lanes(
      n, [&](int i, int lanes) { top = max(top, lanes == kLanes ? load(x + i) : load_partial(x + i, lanes, x[0])); });
  RowSoftmax row{x, max_lane(top), 1 / temperature, 0, 0, static_cast<double>(temperature)};
  Vec total = zero();
  for_lanes(n, [&](int i, int lanes) { total = total + exp_lanes(row.relative(i, lanes), lanes); });
  row.mass = sum(total);
  row.log_mass = scalar_log(static_cast<double>(row.mass));
  return row;
}

/// sum_v p_v log(p_v / q_v), exactly 0 for equal rows. Tokens that p cannot draw add nothing, also where q cannot either.
double divergence(const RowSoftmax& p, const RowSoftmax& q, int n) {
  Vec total = zero();
  for_lanes(n, [&](int i, int lanes) {
    const Vec a = p.relative(i, lanes), e = exp_lanes(a, lanes);
    total = total + select(gt(e, zero()), e * (a - q.relative(i, lanes)), zero());
  });
  const double mean = static_cast<double>(sum(total)) / static_cast<double>(p.mass);
  return larger(0.0, mean - (p.log_mass - q.log_mass));
}

/// dx_v = pull ([v = token] - p_v) + spread p_v (log(p_v / q_v) - kl). Without q the second term is none. dx may be p.x.
void policy_gradient(const RowSoftmax& p, const RowSoftmax* q, int n, int token, double pull, double spread, double kl,
                     real* dx) {
  const Vec scale = splat(1 / p.mass), pull_v = splat(static_cast<real>(pull));
  if (q == nullptr) {
    for_lanes(n, [&](int i, int lanes) { store_lanes(dx + i, -(exp(p.relative(i, lanes)) * scale * pull_v), lanes); });
  } else {
    const Vec spread_v = splat(static_cast<real>(spread));
    const Vec centre = splat(static_cast<real>(p.log_mass - q->log_mass + kl));
    for_lanes(n, [&](int i, int lanes) {
      const Vec a = p.relative(i, lanes), e = exp(a);
      const Vec slope = spread_v * (a - q->relative(i, lanes) - centre) - pull_v;
      store_lanes(dx + i, select(gt(e, zero()), e * scale * slope, zero()), lanes);
    });
  }
  dx[token] += static_cast<real>(pull);
}

void policy_loss(const PolicyLoss& p, int row_begin, int row_end) {
  constexpr double kMostLogRatio = 80;  // a float holds e^80, and e^80 advantages
  const double clip = static_cast<double>(p.clip), beta = static_cast<double>(p.kl_beta);
  // A divergence that neither counts nor is asked for is not computed.
  const bool diverges = p.reference != nullptr && (p.kl_beta != 0 || p.kl != nullptr);
  for (ptrdiff_t r = row_begin; r < row_end; ++r) {
    real* dx = p.dlogits == nullptr ? nullptr : p.dlogits + r * p.lddl;
    const int token = p.token[r];
    double loss = 0, ratio = 0, kl = 0, log_p = 0;
    if (token < 0) {
      if (dx != nullptr) for_lanes(p.vocab, [=](int i, int n) { store_lanes(dx + i, zero(), n); });
    } else {
      const RowSoftmax policy = row_softmax(p.logits + r * p.ldl, p.vocab, p.temperature);
      RowSoftmax reference{};
      if (diverges) reference = row_softmax(p.reference + r * p.ldr, p.vocab, p.temperature);
      const double advantage = static_cast<double>(p.advantage[r]), weight = static_cast<double>(p.weight[r]);
      log_p = policy.log_probability(token);
      ratio = scalar_exp(smaller(kMostLogRatio, log_p - static_cast<double>(p.old_log_probability[r])));
      const bool clipped = advantage > 0 ? ratio > 1 + clip : ratio < 1 - clip;
      const double bounded = larger(1 - clip, smaller(1 + clip, ratio));
      const double objective = (clipped ? bounded : ratio) * advantage;
      double slope = clipped ? 0 : 0 - ratio * advantage;  // of the loss in log p(token); 0 has no sign
      if (diverges && p.exact_kl) {
        kl = divergence(policy, reference, p.vocab);
      } else if (diverges) {
        const double log_x = smaller(kMostLogRatio, reference.log_probability(token) - log_p), x = scalar_exp(log_x);
        kl = x - log_x - 1;
        slope += beta * (1 - x);
      }
      loss = weight * (beta * kl - objective);
      const double share = weight / static_cast<double>(p.temperature);
      if (dx != nullptr) {
        const bool spreads = diverges && p.exact_kl && p.kl_beta != 0;
        policy_gradient(policy, spreads ? &reference : nullptr, p.vocab, token, share * slope, share * beta, kl, dx);
      }
    }
    p.loss[r] = static_cast<real>(loss);
    if (p.ratio != nullptr) p.ratio[r] = static_cast<real>(ratio);
    if (p.kl != nullptr) p.kl[r] = static_cast<real>(kl);
    if (p.log_probability != nullptr) p.log_probability[r] = static_cast<real>(log_p);
  }
}

}  // namespace wam::cpu::WAM_ISA
