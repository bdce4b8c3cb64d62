// Flow operations of the CPU backend on the network's posterior and on rows of token tables: decoding, generalised KL,
// triplet margin.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include "cpu/cpu_backend_impl.h"
#include "cpu/inverse_cdf.h"

namespace wam::cpu {
namespace {

constexpr real kLowest = -std::numeric_limits<real>::infinity();

std::size_t row_scratch_size(int vocab) {
  return static_cast<std::size_t>(sum_blocks(vocab)) + (static_cast<std::size_t>(vocab) * sizeof(real) + 7) / 8;
}

/// The k-th largest logit: everything below it is cut. `copy` is overwritten.
real cut_of(int vocab, const real* logits, int top_k, real* copy) {
  if (top_k <= 0 || top_k >= vocab) return kLowest;
  // NaN has no place in an order; it carries no weight either.
  std::transform(logits, logits + vocab, copy, [](real v) { return v == v ? v : kLowest; });
  std::nth_element(copy, copy + top_k - 1, copy + vocab, std::greater<real>());
  return copy[top_k - 1];
}

}  // namespace

void CpuBackend::decode_posterior(const DecodePosterior& d) {
  const std::size_t size = row_scratch_size(d.vocab);
  parallel_ranges(d.rows, 1, d.vocab, [&](std::int64_t begin, std::int64_t end, int worker) {
    double* block_sum = worker_scratch<double>(worker, size);
    real* weight = reinterpret_cast<real*>(block_sum + sum_blocks(d.vocab));
    const auto block = [&](int b) { return weight + b * kSumBlock; };
    for (std::int64_t row = begin; row < end; ++row) {
      const real* logits = d.logits + row * d.ldl;
      const real highest = flow_.row_max(d.vocab, logits);
      double total = 0;  // of softmax(logits), when already known
      int token = 0;
      if (d.rule == DecodeRule::median) {
        total = flow_.logit_weights(d.vocab, logits, highest, 1, kLowest, weight, block_sum);
        token = inverse_cdf<true>(d.vocab, block_sum, 0.5 * total, block);
      } else if (d.rule == DecodeRule::sample && d.temperature > 0) {
        const real cut = cut_of(d.vocab, logits, d.top_k, weight);
        const real inverse = std::min(1 / d.temperature, std::numeric_limits<real>::max());
        const double cut_total = flow_.logit_weights(d.vocab, logits, highest, inverse, cut, weight, block_sum);
        token = inverse_cdf<false>(d.vocab, block_sum, d.uniform[row] * cut_total, block);
        if (d.temperature == 1 && cut == kLowest) total = cut_total;
      } else {
        token = flow_.first_equal(d.vocab, logits, highest);
      }
      d.token[row] = token;
      if (d.log_probability == nullptr) continue;
      if (total == 0) total = flow_.logit_weights(d.vocab, logits, highest, 1, kLowest, weight, block_sum);
      d.log_probability[row] = static_cast<real>(static_cast<double>(logits[token]) - highest - std::log(total));
    }
  });
}

/// In double throughout, each result rounded once: rates grow like 1/(1-t), and with them what rounding would cost.
void CpuBackend::generalized_kl(int rows, int vocab, const real* logits, const std::int32_t* x_1,
                                const std::int32_t* x_t, const double* rate, real* loss, real* dlogits) {
  constexpr double kCostOfExp = 20;
  parallel_ranges(rows, 1, kCostOfExp * vocab, [&](std::int64_t begin, std::int64_t end, int worker) {
    double* weight = worker_scratch<double>(worker, static_cast<std::size_t>(vocab));
    for (std::int64_t row = begin; row < end; ++row) {
      const real* l = logits + row * vocab;
      const int target = x_1[row], present = x_t[row];
      const double highest = flow_.row_max(vocab, l);
      double total = 0;
      for (int y = 0; y < vocab; ++y) {
        weight[y] = std::exp(l[y] - highest);
        total += weight[y];
      }
      const double here = weight[present] / total;  // p(x_t)
      const double moving = present == target ? 0 : 1;
      const double r = rate[row];
      loss[row] = static_cast<real>(-r * (here - (1 - moving) + moving * (l[target] - highest - std::log(total))));
      if (dlogits == nullptr) continue;
      // r ((here + moving) p - here onehot(x_t) - moving onehot(x_1))
      real* g = dlogits + row * vocab;
      const double factor = r * (here + moving) / total;
      for (int y = 0; y < vocab; ++y) g[y] = static_cast<real>(factor * weight[y]);
      g[target] = static_cast<real>(factor * weight[target] - r * moving);
      g[present] = static_cast<real>(factor * weight[present] - r * here);
    }
  });
}

double CpuBackend::triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                                  const std::int32_t* positive, const std::int32_t* negative, const real* margin,
                                  bool normalise, real* dtable, double scale, bool add) {
  if (dtable != nullptr && !add) fill(static_cast<std::int64_t>(vocab) * dim, 0, dtable);
  if (count <= 0) return 0;
  const double eps = normalise ? 0 : 1e-6;
  const auto row = [&](std::int32_t token) { return table + static_cast<std::int64_t>(token) * dim; };
  const auto triplets = static_cast<std::size_t>(count);
  auto* distances = call_scratch<TripletDistances>(
      triplets + (3 * triplets + static_cast<std::size_t>(vocab)) * sizeof(std::int32_t) / sizeof(TripletDistances) +
      1);
  parallel_ranges(count, 16, 5.0 * dim, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      distances[i] = flow_.triplet_distances(dim, row(anchor[i]), row(positive[i]), row(negative[i]), normalise, eps);
    }
  });
  const auto hinge = [&](std::int64_t i) { return distances[i].positive - distances[i].negative + margin[i]; };
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::max(0.0, hinge(i));
  const double loss = scale * sum / count;
  if (dtable == nullptr) return loss;

  // The triplets that pull at each table row, as lists in triplet order: place 3 i + role in `next`. A row is then
  // summed by one task, whatever the number of threads.
  auto* next = reinterpret_cast<std::int32_t*>(distances + triplets);
  std::int32_t* first = next + 3 * triplets;
  std::fill_n(first, vocab, -1);
  const std::int32_t* id[3] = {anchor, positive, negative};
  for (std::int32_t i = count - 1; i >= 0; --i) {
    if (!(hinge(i) > 0)) continue;
    for (int role = 2; role >= 0; --role) {
      next[3 * i + role] = first[id[role][i]];
      first[id[role][i]] = 3 * i + role;
    }
  }
  const double share = scale / count;
  const double to_positive[3] = {share, -share, 0}, to_negative[3] = {-share, 0, share};
  const double cost_of_row = 1 + 10.0 * dim * count / vocab;
  parallel_ranges(vocab, 1, cost_of_row, [&](std::int64_t begin, std::int64_t end, int worker) {
    double* gradient = worker_scratch<double>(worker, static_cast<std::size_t>(dim));
    for (std::int64_t v = begin; v < end; ++v) {
      if (first[v] < 0) continue;
      std::fill_n(gradient, dim, 0.0);
      for (std::int32_t place = first[v]; place >= 0; place = next[place]) {
        const int i = place / 3, role = place % 3;
        flow_.add_triplet_gradient(dim, row(anchor[i]), row(positive[i]), row(negative[i]), distances[i], normalise,
                                   eps, role, to_positive[role], to_negative[role], gradient);
      }
      real* drow = dtable + v * dim;
      for (int p = 0; p < dim; ++p) drow[p] = static_cast<real>(static_cast<double>(drow[p]) + gradient[p]);
    }
  });
  return loss;
}

}  // namespace wam::cpu
