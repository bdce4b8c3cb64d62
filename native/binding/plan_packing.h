#pragma once
// The number arrays that a plan call takes and gives. lib/plan-options.ts and lib/plan-result.ts are the other side.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/planner.h"
#include "scene/observation.h"
#include "scene/road_map.h"

namespace wam::binding {

/// One call: its observations, options and results. Reused, so a warm call allocates nothing.
struct PlanWork {
  int count = 0;  // observations; the vectors may be longer
  std::vector<std::shared_ptr<const scene::RoadMap>> maps;
  std::vector<scene::Observation> observations;
  std::vector<model::PlanOutput> outputs;
  model::PlanOptions options;
  double queue_us = 0;
};

/// Fills `work.options` from the request array and returns the call's job number. The deadline counts from now.
/// Throws Error(ERR_ARGUMENT, ERR_RANGE).
double read_request(std::span<const double> request, const model::PlanLimits& limits, model::PlanOptions& options);

/// Observations one after another; `sizes` [3 count]: how much of meta, values and lanes each takes. `work.maps` and
/// `work.count` are set. Throws Error(ERR_SHAPE) and what unpack_observation throws.
void read_observations(std::span<const std::int32_t> sizes, std::span<const std::int32_t> meta,
                       std::span<const double> values, std::span<const std::int32_t> lanes, PlanWork& work);

/// Bytes of the results of a call; every observation takes the same.
std::size_t result_bytes(const PlanWork& work, int slots);
void write_results(const PlanWork& work, int slots, std::byte* out);

}  // namespace wam::binding
