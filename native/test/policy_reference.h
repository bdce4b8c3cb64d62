#pragma once
// The clipped objective of GRPO by its definition, in float64, for the tests of Backend::policy_loss.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace wam::test {

/// Inputs of one row, all in double.
struct PolicyRowInput {
  std::vector<double> logits, reference;  // [vocab]; reference empty: no divergence
  double temperature = 1;
  int token = 0;
  double old_log_probability = 0, advantage = 0, weight = 1;
  double clip = 0.2, kl_beta = 0;
  bool exact_kl = true;
};

struct PolicyRowResult {
  double loss = 0, ratio = 0, kl = 0, log_probability = 0;
  std::vector<double> dlogits;  // [vocab]
};

inline std::vector<double> log_softmax(const std::vector<double>& x, double temperature) {
  const double peak = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double v : x) sum += std::exp((v - peak) / temperature);
  std::vector<double> out;
  for (const double v : x) out.push_back((v - peak) / temperature - std::log(sum));
  return out;
}

/// Loss and its parts; the gradient by the chain rule through each p_v.
inline PolicyRowResult policy_reference(const PolicyRowInput& in) {
  PolicyRowResult r;
  const std::size_t n = in.logits.size();
  r.dlogits.assign(n, 0);
  if (in.token < 0) return r;
  const std::size_t token = static_cast<std::size_t>(in.token);
  const std::vector<double> lp = log_softmax(in.logits, in.temperature);
  r.log_probability = lp[token];
  r.ratio = std::exp(std::min(lp[token] - in.old_log_probability, 80.0));
  const double free = r.ratio * in.advantage;
  const double bounded = std::clamp(r.ratio, 1 - in.clip, 1 + in.clip) * in.advantage;
  // d loss / d log p_v, v by v.
  std::vector<double> slope(n, 0);
  if (free <= bounded) slope[token] -= free;
  if (!in.reference.empty()) {
    const std::vector<double> lq = log_softmax(in.reference, in.temperature);
    if (in.exact_kl) {
      for (std::size_t v = 0; v < n; ++v) {
        const double p = std::exp(lp[v]);
        if (p == 0) continue;
        r.kl += p * (lp[v] - lq[v]);
        slope[v] += in.kl_beta * p * (lp[v] - lq[v] + 1);
      }
    } else {
      const double log_x = std::min(lq[token] - lp[token], 80.0);
      r.kl = std::exp(log_x) - log_x - 1;
      slope[token] += in.kl_beta * (1 - std::exp(log_x));
    }
  }
  r.loss = in.weight * (in.kl_beta * r.kl - std::min(free, bounded));
  double total = 0;
  for (const double s : slope) total += s;
  for (std::size_t v = 0; v < n; ++v) r.dlogits[v] = in.weight / in.temperature * (slope[v] - std::exp(lp[v]) * total);
  return r;
}

/// A batch for a backend, with rows of `ld` values in logits, reference and dlogits. T is float or real.
template <class T>
struct PolicyBatch {
  int rows = 0, vocab = 0, ld = 0;
  T temperature = 1, clip = static_cast<T>(0.2), kl_beta = 0;
  bool exact_kl = true;
  std::vector<T> logits, reference, old_log_probability, advantage, weight;
  std::vector<std::int32_t> token;

  PolicyRowInput row(int i) const {
    const auto at = [&](const std::vector<T>& x) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(i) * ld;
      return x.empty() ? std::vector<double>() : std::vector<double>(begin, begin + vocab);
    };
    const std::size_t r = static_cast<std::size_t>(i);
    PolicyRowInput in;
    in.logits = at(logits), in.reference = at(reference);
    in.temperature = temperature, in.token = token[r];
    in.old_log_probability = old_log_probability[r], in.advantage = advantage[r], in.weight = weight[r];
    in.clip = clip, in.kl_beta = kl_beta, in.exact_kl = exact_kl;
    return in;
  }
  /// loss, ratio, kl and log probability of the rows, then dlogits [rows, vocab].
  std::vector<double> expected() const {
    std::vector<double> out(4 * static_cast<std::size_t>(rows));
    for (int i = 0; i < rows; ++i) {
      const PolicyRowResult r = policy_reference(row(i));
      const double parts[] = {r.loss, r.ratio, r.kl, r.log_probability};
      for (int k = 0; k < 4; ++k) out[static_cast<std::size_t>(k * rows + i)] = parts[k];
      out.insert(out.end(), r.dlogits.begin(), r.dlogits.end());
    }
    return out;
  }
};

/// What a row of `make_policy_batch` is about, by its number modulo 8.
enum PolicyRowKind { kInside, kAbove, kAboveNegative, kBelow, kBelowNegative, kIgnored, kNoAdvantage, kEdgeToken };

/// Rows of each kind in turn: ratios inside and beyond both ends of the clip range, each with advantages of both signs.
/// `values(n, seed, scale)` makes n values, roughly normal.
template <class T, class Values>
PolicyBatch<T> make_policy_batch(int rows, int vocab, int gap, double scale, T temperature, const Values& values) {
  PolicyBatch<T> b;
  b.rows = rows, b.vocab = vocab, b.ld = vocab + gap, b.temperature = temperature;
  const std::size_t n = static_cast<std::size_t>(rows), all = n * static_cast<std::size_t>(b.ld);
  b.logits = values(all, 61, scale), b.reference = values(all, 62, scale / 10);
  for (std::size_t i = 0; i < all; ++i) b.reference[i] += b.logits[i];
  b.weight = values(n, 63, 0.2), b.advantage = values(n, 64, 0.3);
  const std::vector<T> spot = values(n, 65, 1);
  for (int i = 0; i < rows; ++i) {
    const std::size_t r = static_cast<std::size_t>(i);
    const int kind = i % 8;
    b.weight[r] = static_cast<T>(0.5 + std::abs(static_cast<double>(b.weight[r])));
    double advantage = 0.05 + std::abs(static_cast<double>(b.advantage[r])), log_ratio = 0;
    if (kind == kAboveNegative || kind == kBelowNegative) advantage = -advantage;
    if (kind == kAbove || kind == kAboveNegative) log_ratio = 0.7;
    if (kind == kBelow || kind == kBelowNegative) log_ratio = -0.7;
    b.advantage[r] = static_cast<T>(kind == kNoAdvantage ? 0 : advantage);
    const int token = std::min(vocab - 1, static_cast<int>(std::abs(static_cast<double>(spot[r])) * vocab / 4));
    b.token.push_back(kind == kIgnored ? -1 : kind == kEdgeToken ? (i % 16 < 8 ? 0 : vocab - 1) : token);
    b.old_log_probability.push_back(0);
    if (kind == kIgnored) continue;
    const std::vector<double> lp = log_softmax(b.row(i).logits, static_cast<double>(temperature));
    b.old_log_probability[r] = static_cast<T>(lp[static_cast<std::size_t>(b.token[r])] - log_ratio + 0.01);
  }
  return b;
}

}  // namespace wam::test
