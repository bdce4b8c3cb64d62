#pragma once
// Posteriors as the released sampler forms them before it draws x1 (wamflow-spec section 4), for parity with foreign
// weights. The planner's own decoding is Backend::decode_posterior, which never writes probabilities.

#include "core/real.h"

namespace wam::flow {

/// prob = softmax of the logits that reach the k-th largest; ties at the k-th value all stay. [rows, vocab]
void topk_posterior(int rows, int vocab, const real* logits, int k, real* prob);

/// The released rule "train-top": value = exp(logit) / (-log uniform)^temperature, cut to its k largest, then softmax of
/// that value. uniform [rows, vocab] in [0, 1).
void gumbel_topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature, int k,
                           real* prob);

}  // namespace wam::flow
