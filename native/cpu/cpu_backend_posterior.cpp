// Flow operations of the CPU backend on the network's posterior: decoding, generalised KL.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/cpu_backend_impl.h"
#include "cpu/posterior_rows.h"

namespace wam::cpu {
void CpuBackend::decode_posterior(const DecodePosterior& d) {
  const std::size_t size = PosteriorRows::scratch_size(d.vocab, d.top_k);
  parallel_ranges(d.rows, 1, d.vocab, [&](std::int64_t begin, std::int64_t end, int worker) {
    PosteriorRows posterior(flow_, d.vocab, d.rule, d.temperature, d.top_k, worker_scratch<real>(worker, size));
    for (std::int64_t row = begin; row < end; ++row) {
      posterior.open(d.logits + row * d.ldl);
      d.token[row] = posterior.token(d.uniform == nullptr ? nullptr : d.uniform + row);
      if (d.log_probability != nullptr) d.log_probability[row] = posterior.log_probability(d.token[row]);
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

}  // namespace wam::cpu
