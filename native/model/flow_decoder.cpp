#include "model/flow_decoder.h"

#include <algorithm>

namespace wam::model {

FlowDecoder::FlowDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : config_(model->config()),
      network_(model, backend, limits.max_samples),
      refiner_(config_, network_.metric(), backend, limits),
      tokens_(config_) {}

void FlowDecoder::begin(const scene::Features& features, const PlanOptions& o) {
  network_.set_prefix(features, o.samples, o.cache);
  refiner_.seed(o.seed, o.samples);
}

void FlowDecoder::queue_prefix() {
  network_.encode_prefix();
  refiner_.start();
}

int FlowDecoder::active(const PlanOptions& o, int k) const { return k == 0 && config_.mask_at_zero ? 1 : o.samples; }

bool FlowDecoder::queue_step(const PlanOptions& o, int k, const LayerWatch& watch) {
  const bool masked = k == 0 && config_.mask_at_zero;
  const int rows = active(o, k) * config_.slots();
  const real* logits = network_.logits(masked ? network_.mask_tokens() : refiner_.state(), active(o, k), watch);
  if (logits == nullptr) return false;
  if (k + 1 == o.steps) {
    refiner_.decode(logits, rows, o, o.last_decode, k);
  } else {
    refiner_.refine(logits, rows, o, k);
  }
  return true;
}

void FlowDecoder::decode_again(const PlanOptions& o, int k) {
  refiner_.decode(network_.newest_logits(), active(o, k) * config_.slots(), o, o.last_decode, k);
}

void FlowDecoder::write_poses(int k, int sample, double speed, double center_offset, float* pose) {
  tokens_.decode(refiner_.plan(k) + sample * config_.slots(), speed, center_offset, pose);
}

void FlowDecoder::write_decision(const PlanOptions& o, int k, PlanOutput& out) {
  const int rows = o.samples * config_.slots();
  std::copy_n(refiner_.plan(k), rows, out.tokens.begin());
  std::copy_n(refiner_.log_probability(), rows, out.log_probability.begin());
  std::copy_n(refiner_.margin(), rows, out.margin.begin());
}

}  // namespace wam::model
