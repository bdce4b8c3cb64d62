#include "binding/plan_packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"

namespace wam::binding {
namespace {

enum RequestField {
  kJob,
  kSteps,
  kSamples,
  kSeedLow,   // 32 bits
  kSeedHigh,  // 32 bits
  kRule,
  kDecode,
  kLastDecode,
  kTemperature,
  kTopK,
  kReduce,
  kCache,
  kDeadlineMs,  // from now; infinite: none
  kCoupling,
  kWarm,  // 1: the rest is read
  kWarmT0,
  kWarmElapsed,
  kWarmX,
  kWarmY,
  kWarmHeading,
  kRequestFields,  // then the trajectory of the plan before
};

enum ResultField { kStepsRun, kFeaturesUs, kPrefixUs, kStepsUs, kQueueUs, kResultFields };

constexpr std::size_t kCandidateFields = 10 + 2 * search::kSpans;

// Beyond a week a deadline is none; keeps the sum of time points in range.
constexpr double kLongestDeadlineMs = 7.0 * 24 * 3600 * 1000;

double integer(std::span<const double> request, RequestField field, double min, double max, const char* name) {
  const double value = request[field];
  if (!(value >= min && value <= max) || value != std::floor(value)) {
    throw Error("ERR_RANGE", std::string(name) + ": expected an integer from " + std::to_string(std::llround(min)) +
                                 " to " + std::to_string(std::llround(max)) + ", received " + std::to_string(value));
  }
  return value;
}

void read_warm_start(std::span<const double> request, model::WarmStart& warm) {
  warm.trajectory.clear();
  if (integer(request, kWarm, 0, 1, "warmStart") == 0) return;
  for (std::size_t i = kWarmT0; i < request.size(); ++i) {
    if (!std::isfinite(request[i])) throw Error("ERR_NOT_FINITE", "warmStart: expected finite numbers");
  }
  warm.t0 = request[kWarmT0], warm.elapsed_s = request[kWarmElapsed];
  for (int k = 0; k < 3; ++k) warm.motion[k] = request[static_cast<std::size_t>(kWarmX + k)];
  for (std::size_t i = kRequestFields; i < request.size(); ++i) {
    warm.trajectory.push_back(static_cast<float>(request[i]));
  }
  if (warm.trajectory.empty()) throw Error("ERR_SHAPE", "warmStart.trajectory: expected poses");
}

std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

std::size_t result_stride(const model::PlanOptions& options, int slots) {
  const auto plan = sizeof(float) * static_cast<std::size_t>(slots);
  const auto samples = static_cast<std::size_t>(options.samples);
  auto plans = 1 + static_cast<std::size_t>(options.steps) + 4 * samples;
  std::size_t found = 0;
  if (options.reduce == model::Reduce::search) {
    plans += model::kExtraCandidates;
    found = (samples + model::kExtraCandidates) * kCandidateFields * sizeof(float);
  }
  return kResultFields * sizeof(double) + padded(plan * plans + found);
}

/// Numbers of a candidate of a search; lib/plan-result.ts names them.
std::byte* put_candidate(std::byte* out, const search::Findings& f, double score) {
  float fields[kCandidateFields], *next = fields;
  const auto add = [&](double value) { *next++ = static_cast<float>(value); };
  add(score);
  for (const double value : f.clearance) add(value);
  for (const double value : f.time_to_collision) add(value);
  for (const double value : {f.off_road, f.against, f.past_red, f.progress, f.reference, f.discomfort, f.off_center,
                             f.inconsistency, f.deviation}) {
    add(value);
  }
  std::memcpy(out, fields, sizeof fields);
  return out + sizeof fields;
}

/// Copies what is there and leaves the rest of the field's `room` items as it is.
template <class T>
std::byte* put(std::byte* out, const std::vector<T>& items, std::size_t room) {
  const std::size_t count = std::min(items.size(), room);
  if (count > 0) std::memcpy(out, items.data(), sizeof(T) * count);
  return out + sizeof(T) * room;
}

}  // namespace

double read_request(std::span<const double> request, const model::PlanLimits& limits, model::PlanOptions& options) {
  if (request.size() < kRequestFields) {
    throw Error("ERR_SHAPE", "request: expected " + std::to_string(kRequestFields) + " numbers or more");
  }
  options.steps = static_cast<int>(integer(request, kSteps, 1, limits.max_steps, "steps"));
  options.samples = static_cast<int>(integer(request, kSamples, 1, limits.max_samples, "samples"));
  const auto low = static_cast<std::uint64_t>(integer(request, kSeedLow, 0, 0xFFFFFFFF, "seed"));
  const auto high = static_cast<std::uint64_t>(integer(request, kSeedHigh, 0, 0xFFFFFFFF, "seed"));
  options.seed = high << 32 | low;
  options.rule = static_cast<StepRule>(integer(request, kRule, 0, 2, "rule"));
  options.decode = static_cast<DecodeRule>(integer(request, kDecode, 0, 2, "decode"));
  options.last_decode = static_cast<DecodeRule>(integer(request, kLastDecode, 0, 2, "lastDecode"));
  options.temperature = request[kTemperature];
  if (!(options.temperature > 0) || !std::isfinite(options.temperature)) {
    throw Error("ERR_RANGE", "temperature: expected a positive number");
  }
  options.top_k = static_cast<int>(integer(request, kTopK, 0, 1 << 30, "topK"));
  options.reduce = static_cast<model::Reduce>(integer(request, kReduce, 0, 3, "reduce"));
  options.coupling = static_cast<model::Coupling>(integer(request, kCoupling, 0, 1, "coupling"));
  options.cache = integer(request, kCache, 0, 1, "cache") != 0;
  const double deadline_ms = request[kDeadlineMs];
  options.deadline = std::chrono::steady_clock::time_point::max();
  if (deadline_ms < kLongestDeadlineMs) {
    options.deadline = std::chrono::steady_clock::now() +
                       std::chrono::microseconds(deadline_ms > 0 ? static_cast<std::int64_t>(deadline_ms * 1000) : 0);
  }
  read_warm_start(request, options.warm);
  options.abort = nullptr;
  options.on_step = nullptr;
  return request[kJob];
}

void read_observations(std::span<const std::int32_t> sizes, std::span<const std::int32_t> meta,
                       std::span<const double> values, std::span<const std::int32_t> lanes, PlanWork& work) {
  const auto count = static_cast<std::size_t>(work.count);
  if (sizes.size() < 3 * count) throw Error("ERR_SHAPE", "sizes: expected 3 numbers an observation");
  if (work.observations.size() < count) {
    work.observations.resize(count);
    work.outputs.resize(count);
  }
  std::size_t at[3] = {0, 0, 0};
  const std::size_t room[3] = {meta.size(), values.size(), lanes.size()};
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t size[3];
    for (int k = 0; k < 3; ++k) {
      const std::int32_t part = sizes[3 * i + static_cast<std::size_t>(k)];
      if (part < 0 || static_cast<std::size_t>(part) > room[k] - at[k]) {
        throw Error("ERR_SHAPE", "sizes: an observation lies outside the packed arrays");
      }
      size[k] = static_cast<std::size_t>(part);
    }
    scene::unpack_observation(*work.maps[i], meta.data() + at[0], size[0], values.data() + at[1], size[1],
                              lanes.data() + at[2], size[2], work.observations[i]);
    for (int k = 0; k < 3; ++k) at[k] += size[k];
  }
}

std::size_t result_bytes(const PlanWork& work, int slots) {
  return static_cast<std::size_t>(work.count) * result_stride(work.options, slots);
}

void write_results(const PlanWork& work, int slots, std::byte* out) {
  const std::size_t stride = result_stride(work.options, slots);
  const auto plan = static_cast<std::size_t>(slots);
  const std::size_t sampled = plan * static_cast<std::size_t>(work.options.samples);
  for (int i = 0; i < work.count; ++i, out += stride) {
    const model::PlanOutput& output = work.outputs[static_cast<std::size_t>(i)];
    double head[kResultFields];
    head[kStepsRun] = output.steps_run;
    head[kFeaturesUs] = output.features_us;
    head[kPrefixUs] = output.prefix_us;
    head[kStepsUs] = output.steps_us;
    head[kQueueUs] = work.queue_us;
    std::memcpy(out, head, sizeof head);
    std::byte* next = out + sizeof head;
    next = put(next, output.trajectory, plan);
    next = put(next, output.refinements, plan * static_cast<std::size_t>(work.options.steps));
    next = put(next, output.samples, sampled);
    next = put(next, output.log_probability, sampled);
    next = put(next, output.margin, sampled);
    next = put(next, output.tokens, sampled);
    next = put(next, output.extra_candidates, output.extra_candidates.size());
    for (std::size_t k = 0; k < output.scores.size(); ++k) {
      next = put_candidate(next, output.findings[k], output.scores[k]);
    }
  }
}

}  // namespace wam::binding
