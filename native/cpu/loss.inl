// Token tables, the cross entropy of the posterior, and the losses of predicted values.

namespace wam::cpu::WAM_ISA {

void embedding(int rows, int cols, const real* table, const int32_t* id, real* out, int ldo, bool add) {
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real* from = table + static_cast<ptrdiff_t>(id[r]) * cols;
    real* to = out + r * ldo;
    for_lanes(cols, [=](int i, int n) {
      const Vec v = load_lanes(from + i, n);
      store_lanes(to + i, add ? load_lanes(to + i, n) + v : v, n);
    });
  }
}

void embedding_backward(int rows, int cols, int col_begin, int col_end, const int32_t* id, const real* dout, int ldo,
                        real* dtable) {
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real* from = dout + r * ldo + col_begin;
    real* to = dtable + static_cast<ptrdiff_t>(id[r]) * cols + col_begin;
    for_lanes(col_end - col_begin,
              [=](int i, int n) { store_lanes(to + i, load_lanes(to + i, n) + load_lanes(from + i, n), n); });
  }
}

/// Cross entropy of softmax(logits) against the target's window: loss = log sum exp - sum_j q_j logit_j. The window is
/// a Gaussian around the target token, cut at `radius` tokens on either side and at the ends of the vocabulary, and
/// normalised over what is left. Logits may be overwritten by dlogits.
void cross_entropy(int rows, int vocab, const real* logits, int ldl, const int32_t* target, const double* window,
                   int radius, const real* weight, real* loss, real* dlogits, int lddl) {
  constexpr int32_t kIgnored = -100;
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real* x = logits + r * ldl;
    real* dx = dlogits == nullptr ? nullptr : dlogits + r * lddl;
    const int t = target[r];
    if (t == kIgnored) {
      loss[r] = 0;
      if (dx != nullptr) for_lanes(vocab, [=](int i, int n) { store_lanes(dx + i, zero(), n); });
      continue;
    }
    const int low = larger(0, t - radius), high = smaller(vocab - 1, t + radius);
    Vec top = splat(static_cast<real>(-__builtin_inf()));
    for_lanes(vocab, [&](int i, int n) { top = max(top, n == kLanes ? load(x + i) : load_partial(x + i, n, x[0])); });
    const real peak = max_lane(top);
    // Relative to the peak, so that nothing cancels: log sum exp(x - peak) - sum q (x - peak).
    double mass = 0, expected = 0;
    for (int j = low; j <= high; ++j) {
      const double q = window[j < t ? t - j : j - t];
      mass += q;
      expected += q * (static_cast<double>(x[j]) - static_cast<double>(peak));
    }
    Vec total = zero();
    for_lanes(vocab, [&](int i, int n) {
      Vec e = exp(load_lanes(x + i, n) - splat(peak));
      if (n < kLanes) e = select(first_lanes(n), e, zero());
      if (dx != nullptr) store_lanes(dx + i, e, n);
      total = total + e;
    });
    const real z = sum(total);
    loss[r] = weight[r] * (scalar_log(z) - static_cast<real>(expected / mass));
    if (dx == nullptr) continue;
    const Vec scale = splat(weight[r] / z);
    for_lanes(vocab, [=](int i, int n) { store_lanes(dx + i, load_lanes(dx + i, n) * scale, n); });
    for (int j = low; j <= high; ++j) dx[j] -= weight[r] * static_cast<real>(window[j < t ? t - j : j - t] / mass);
  }
}

void value_loss(ValueLoss kind, int n, const real* prediction, const real* target, const real* weight, real* loss,
                real* dprediction) {
  const bool squared = kind == ValueLoss::squared;
  for_lanes(n, [=](int i, int lanes) {
    const Vec w = load_lanes(weight + i, lanes),
              off = load_lanes(prediction + i, lanes) - load_lanes(target + i, lanes);
    const Vec value = squared ? off * off : abs(off);
    const Vec slope =
        squared ? off + off : select(gt(off, zero()), splat(1), select(lt(off, zero()), splat(-1), off * zero()));
    // Selected, not multiplied: a target that does not count may be NaN.
    const Mask none = eq(w, zero());
    store_lanes(loss + i, select(none, zero(), w * value), lanes);
    if (dprediction != nullptr) store_lanes(dprediction + i, select(none, zero(), w * slope), lanes);
  });
}

}  // namespace wam::cpu::WAM_ISA
