#include "align/align_config.h"

#include <string>

#include "core/error.h"

namespace wam::align {

void AlignConfig::validate() const {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error("ERR_CONFIG", std::string("align.") + what);
  };
  require(steps >= 1, "steps: expected at least 1");
  require(batch >= 1 && batch <= 4096, "batch: expected 1 to 4096 scenes");
  require(micro_batches >= 1 && batch % micro_batches == 0, "microBatches: must divide batch");
  require(group >= 1 && group <= 64, "group: expected 1 to 64 plans");
  require(!rollout_steps.empty(), "rolloutSteps: expected at least one number");
  for (const int n : rollout_steps) require(n >= 1 && n <= 64, "rolloutSteps: expected 1 to 64 steps");
  require(temperature >= 1e-3 && temperature <= 1e3, "temperature: expected 0.001 to 1000");
  require(zero_share >= 0 && zero_share <= 1, "zeroShare: expected [0, 1]");
  require(clip_ratio > 0 && kl_beta >= 0, "clipRatio must be positive, klBeta must not be negative");
  require(inner_epochs >= 1 && inner_epochs <= 64, "innerEpochs: expected 1 to 64");
  require(lr > 0 && eps > 0 && weight_decay >= 0 && clip > 0, "lr, eps and clip must be positive, weightDecay >= 0");
  require(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "beta1 and beta2: expected [0, 1)");
  require(warmup >= 0 && ema >= 0 && ema < 1, "warmup must not be negative, ema in [0, 1)");
  require(probe_every >= 1, "probeEvery: expected at least 1");
  require(max_kl > 0 && min_diversity >= 0 && max_ade_drift > 0,
          "maxKl and maxAdeDrift must be positive, minDiversity >= 0");
}

}  // namespace wam::align
