#pragma once
// Clipped objective of GRPO with a divergence from a reference policy, and its gradient.
//
// A block takes a row. A pass over each of the two rows of logits keeps a running maximum and sum of exponentials, the
// exact divergence takes a pass over both, the gradient another: 20 bytes a logit with it and 12 without, of which the
// later reads come from L2 at the planners' vocabularies. What a row has once is made by one thread in double, since
// differences of logarithms cancel: some hundred instructions against the tens of a logit times vocab / 512.

#include "kernels/device.cuh"
#include "kernels/reduce.cuh"

namespace wam::WAM_GPU {

/// What a row's gradient is made of: dlogits_v = pull ([v = token] - p_v) + spread p_v (a_v - b_v - centre), a and b the
/// logits of policy and reference relative to their peaks and divided by the temperature.
struct PolicySlope {
  float pull, spread, centre;
};

struct PolicyLossConfig {
  static constexpr int kThreads = 512;
  static constexpr int kUnroll = 4;
  static constexpr int kSlopeOffset = kReduceScratch<kThreads> * static_cast<int>(sizeof(float));
  static constexpr int kSharedBytes = kSlopeOffset + static_cast<int>(sizeof(PolicySlope));
};

struct PolicyLossParams {
  int vocab = 0;
  int ldl = 0, ldr = 0, lddl = 0;
  float temperature = 1;
  float clip = 0, kl_beta = 0;
  bool exact_kl = true;
  const float* logits = nullptr;               // [rows, vocab]
  const std::int32_t* token = nullptr;         // [rows], negative: ignored
  const float* old_log_probability = nullptr;  // [rows]
  const float* advantage = nullptr;            // [rows]
  const float* weight = nullptr;               // [rows]
  const float* reference = nullptr;            // [rows, vocab] or null
  float* loss = nullptr;                       // [rows]
  float* ratio = nullptr;                      // [rows] or null
  float* kl = nullptr;                         // [rows] or null
  float* log_probability = nullptr;            // [rows] or null
  float* dlogits = nullptr;                    // [rows, vocab] or null, may be logits
};

/// softmax(x / temperature): (x - peak) * inverse_temperature, and the sum of its exponentials.
struct PolicySoftmax {
  const float* x = nullptr;
  float peak = 0.0f, inverse_temperature = 1.0f, mass = 1.0f;

  WAM_DEVICE float relative(int v) const { return (x[v] - peak) * inverse_temperature; }
};

/// All threads of the block get it. Barriers.
template <class Config>
WAM_DEVICE PolicySoftmax policy_softmax(const float* x, int vocab, float inverse_temperature, float* scratch) {
  // The least finite number instead of -inf, whose difference from itself is NaN.
  constexpr float kLowest = -3.402823466e38f;
  constexpr int kStride = Config::kThreads;
  float peak = kLowest, sum = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < vocab; i += Config::kUnroll * kStride) {
    float v[Config::kUnroll];
#pragma unroll
    for (int u = 0; u < Config::kUnroll; ++u) v[u] = i + u * kStride < vocab ? x[i + u * kStride] : kLowest;
    const float top = fmaxf(fmaxf(v[0], v[1]), fmaxf(v[2], v[3]));
    if (top > peak) {
      sum *= expf((peak - top) * inverse_temperature);
      peak = top;
    }
#pragma unroll
    for (int u = 0; u < Config::kUnroll; ++u)
      sum += i + u * kStride < vocab ? expf((v[u] - peak) * inverse_temperature) : 0.0f;
  }
  PolicySoftmax row;
  row.x = x, row.inverse_temperature = inverse_temperature;
  row.peak = block_max<Config::kThreads>(peak, scratch);
  row.mass = block_sum<Config::kThreads>(sum * expf((peak - row.peak) * inverse_temperature), scratch);
  return row;
}

/// Loss of a row from what the block has summed, by one thread. Writes the row's results and gives the gradient's parts.
/// `spread_sum`: sum of exp(a) (a - b) over the vocabulary.
template <class Config>
WAM_DEVICE PolicySlope finish_policy_row(const PolicyLossParams& p, const PolicySoftmax& policy,
                                         const PolicySoftmax& reference, float spread_sum, int row, int token) {
  constexpr double kMostLogRatio = 80;  // a float holds e^80, and e^80 advantages
  const double temperature = p.temperature, beta = p.kl_beta, clip = p.clip;
  const double log_mass = log(static_cast<double>(policy.mass));
  const auto log_probability = [&](const PolicySoftmax& of, double of_mass) {
    return (static_cast<double>(of.x[token]) - static_cast<double>(of.peak)) / temperature - of_mass;
  };
  const double log_p = log_probability(policy, log_mass);
  const double advantage = p.advantage[row], weight = p.weight[row];
  const double ratio = exp(fmin(kMostLogRatio, log_p - static_cast<double>(p.old_log_probability[row])));
  const bool clipped = advantage > 0.0 ? ratio > 1.0 + clip : ratio < 1.0 - clip;
  const double bounded = fmax(1.0 - clip, fmin(1.0 + clip, ratio));
  const double objective = (clipped ? bounded : ratio) * advantage;
  double slope = clipped ? 0.0 : 0.0 - ratio * advantage;  // of the loss in log p(token); 0 has no sign
  double kl = 0.0, normalisers = 0.0;
  if (reference.x != nullptr) {
    const double log_reference_mass = log(static_cast<double>(reference.mass));
    normalisers = log_mass - log_reference_mass;
    if (p.exact_kl) {
      kl = static_cast<double>(spread_sum) / static_cast<double>(policy.mass) - normalisers;
      if (kl < 0.0) kl = 0.0;
    } else {
      const double log_x = fmin(kMostLogRatio, log_probability(reference, log_reference_mass) - log_p), x = exp(log_x);
      kl = x - log_x - 1.0;
      slope += beta * (1.0 - x);
    }
  }
  p.loss[row] = static_cast<float>(weight * (beta * kl - objective));
  if (p.ratio != nullptr) p.ratio[row] = static_cast<float>(ratio);
  if (p.kl != nullptr) p.kl[row] = static_cast<float>(kl);
  if (p.log_probability != nullptr) p.log_probability[row] = static_cast<float>(log_p);
  const double share = weight / temperature;
  return {static_cast<float>(share * slope), static_cast<float>(share * beta), static_cast<float>(normalisers + kl)};
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads) policy_loss_rows(const __grid_constant__ PolicyLossParams p) {
  WAM_SHARED(base);
  float* scratch = reinterpret_cast<float*>(base);
  PolicySlope* shared_slope = reinterpret_cast<PolicySlope*>(base + Config::kSlopeOffset);
  constexpr int kStride = Config::kThreads;
  const int thread = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.x);
  float* dx = p.dlogits == nullptr ? nullptr : p.dlogits + static_cast<std::int64_t>(row) * p.lddl;
  const int token = p.token[row];

  if (token < 0) {  // the same in all threads
    if (thread == 0) {
      p.loss[row] = 0.0f;
      if (p.ratio != nullptr) p.ratio[row] = 0.0f;
      if (p.kl != nullptr) p.kl[row] = 0.0f;
      if (p.log_probability != nullptr) p.log_probability[row] = 0.0f;
    }
    if (dx != nullptr) {
      for (int v = thread; v < p.vocab; v += kStride) dx[v] = 0.0f;
    }
  } else {
    const float inverse = 1.0f / p.temperature;
    const PolicySoftmax policy =
        policy_softmax<Config>(p.logits + static_cast<std::int64_t>(row) * p.ldl, p.vocab, inverse, scratch);
    PolicySoftmax reference;
    float spread_sum = 0.0f;
    if (p.reference != nullptr) {
      reference =
          policy_softmax<Config>(p.reference + static_cast<std::int64_t>(row) * p.ldr, p.vocab, inverse, scratch);
      if (p.exact_kl) {
#pragma unroll 4
        for (int v = thread; v < p.vocab; v += kStride) {
          const float a = policy.relative(v), e = expf(a);
          // A token that the policy cannot draw adds nothing, also where the reference cannot either.
          spread_sum += e > 0.0f ? e * (a - reference.relative(v)) : 0.0f;
        }
        spread_sum = block_sum<Config::kThreads>(spread_sum, scratch);
      }
    }
    if (thread == 0) *shared_slope = finish_policy_row<Config>(p, policy, reference, spread_sum, row, token);
    if (dx != nullptr) {
      // The slope is there, and the token's logit was read before it is overwritten.
      if (WAM_PLANT(9, true, false)) __syncthreads();
      const PolicySlope slope = *shared_slope;
      const float scale = 1.0f / policy.mass;
      const bool spreads = p.reference != nullptr && p.exact_kl && p.kl_beta != 0.0f;
#pragma unroll 4
      for (int v = thread; v < p.vocab; v += kStride) {
        const float a = policy.relative(v), e = expf(a);
        float d = -(e * scale * slope.pull);
        if (spreads) {
          const float along = slope.spread * (a - reference.relative(v) - slope.centre) - slope.pull;
          d = e > 0.0f ? e * scale * along : 0.0f;
        }
        dx[v] = WAM_PLANT(10, v == token, false) ? d + slope.pull : d;
      }
    }
  }
}

}  // namespace wam::WAM_GPU
