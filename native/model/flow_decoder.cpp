#include "model/flow_decoder.h"

#include <algorithm>

namespace wam::model {

FlowDecoder::FlowDecoder(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : config_(model->config()),
      network_(model, backend, limits.max_samples),
      refiner_(config_, network_.metric(), backend, limits),
      tokens_(config_),
      earlier_(static_cast<std::size_t>(config_.slots())) {}

void FlowDecoder::begin(const scene::Features& features, const PlanOptions& o, const PlanStart& start) {
  network_.set_prefix(features, o.samples, o.cache);
  refiner_.seed(o.seed, o.samples, has_median(o));
  if (!o.warm.begins()) return;
  tokens_.encode_poses(start.earlier, features.speed, start.center_offset, earlier_.data());
  refiner_.set_warm(earlier_.data(), o.seed, o.warm.t0);
}

void FlowDecoder::queue_prefix(const PlanOptions& o) {
  network_.encode_prefix();
  if (!o.warm.begins()) return refiner_.start();
  refiner_.start_warm();
  if (has_median(o)) refiner_.decode_median(network_.logits(network_.mask_tokens(), 1));
}

bool FlowDecoder::is_masked(const PlanOptions& o, int k) const {
  return k == 0 && config_.mask_at_zero && !o.warm.begins();
}

int FlowDecoder::active(const PlanOptions& o, int k) const { return is_masked(o, k) ? 1 : o.samples; }

bool FlowDecoder::has_median(const PlanOptions& o) const {
  return o.reduce == Reduce::search && (config_.mask_at_zero || !o.warm.begins());
}

void FlowDecoder::write_median(double speed, double center_offset, float* pose) {
  tokens_.decode(refiner_.median(), speed, center_offset, pose);
}

bool FlowDecoder::queue_step(const PlanOptions& o, int k, const LayerWatch& watch) {
  const int rows = active(o, k) * config_.slots();
  const real* logits =
      network_.logits(is_masked(o, k) ? network_.mask_tokens() : refiner_.state(), active(o, k), watch);
  if (logits == nullptr) return false;
  if (k == 0 && has_median(o) && !o.warm.begins()) refiner_.decode_median(logits);
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
