#include "model/step_pace.h"

#include <algorithm>

namespace wam::model {
namespace {

// A record follows slower steps quickly and faster ones slowly: it is to say what a step may take.
constexpr double kSlower = 0.5, kFaster = 0.1;
constexpr double kWorn = 0.97;         // what a refusal leaves of an estimate
constexpr double kDecodeShare = 0.15;  // of a step, until a decoding was seen
constexpr double kLearnReached = 0.1;

void learn(double& record, double took) {
  if (record == 0) {
    record = took;
  } else {
    record += (took > record ? kSlower : kFaster) * (took - record);
  }
}

}  // namespace

StepPace::StepPace(int layers, int max_samples)
    : records_(static_cast<std::size_t>(max_samples) + 1),
      reached_(static_cast<std::size_t>(layers)),
      elapsed_(static_cast<std::size_t>(layers)) {
  // The head and the update count as one more layer, until steps were seen.
  for (int l = 0; l < layers; ++l) reached_[static_cast<std::size_t>(l)] = static_cast<double>(l) / (layers + 1);
}

double StepPace::decode_of(const Record& r) const { return r.decode > 0 ? r.decode : kDecodeShare * r.step; }

bool StepPace::worth_beginning(int samples, double left, double last, int last_samples) {
  Record& r = records_[static_cast<std::size_t>(samples)];
  // More rows take longer, at most in proportion.
  if (r.step == 0) r.step = last * std::max(1.0, static_cast<double>(samples) / last_samples);
  if (r.step + decode_of(r) <= left) return true;
  r.step *= kWorn;
  return false;
}

bool StepPace::can_finish(int samples, int layer, double elapsed, double left) {
  const Record& r = records_[static_cast<std::size_t>(samples)];
  const auto l = static_cast<std::size_t>(layer);
  elapsed_[l] = elapsed;
  if (layer == 0) return true;  // nothing was learned since it began
  const double whole = std::max(r.step, elapsed / std::max(reached_[l], 1e-3));
  return whole * (1 - reached_[l]) + decode_of(r) <= left;
}

void StepPace::step_ran(int samples, double took) {
  learn(records_[static_cast<std::size_t>(samples)].step, took);
  if (took <= 0) return;
  for (std::size_t l = 1; l < reached_.size(); ++l) {
    if (elapsed_[l] > 0) reached_[l] += kLearnReached * (std::min(elapsed_[l] / took, 1.0) - reached_[l]);
    elapsed_[l] = 0;
  }
}

void StepPace::decode_ran(int samples, double took) { learn(records_[static_cast<std::size_t>(samples)].decode, took); }

}  // namespace wam::model
