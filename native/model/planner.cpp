#include "model/planner.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "core/error.h"
#include "model/posterior_network.h"
#include "model/reduce.h"
#include "model/refine.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

/// What decides which operations a plan of this engine consists of.
std::uint64_t recording_key(const PlanOptions& o, int first, int count) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over words
  const auto mix = [&hash](std::uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
  for (const int word : {o.steps, o.samples, static_cast<int>(o.rule), static_cast<int>(o.decode),
                         static_cast<int>(o.last_decode), o.top_k, static_cast<int>(o.cache), first, count}) {
    mix(static_cast<std::uint64_t>(word));
  }
  mix(std::bit_cast<std::uint64_t>(o.temperature));
  return hash;
}

}  // namespace

struct PlanEngine::Impl {
  Impl(std::shared_ptr<const Model> shared, Backend& plan_backend, PlanLimits plan_limits)
      : model(std::move(shared)),
        config(model->config()),
        backend(plan_backend),
        limits(plan_limits),
        network(model, backend, plan_limits.max_samples),
        refiner(config, network.metric(), backend, plan_limits),
        tokens(config),
        features({config.max_agents, config.max_lanes}) {}

  void check(const PlanOptions& o) const {
    const auto range = [](const char* name, double value, double low, double high) {
      if (value >= low && value <= high) return;
      throw Error("ERR_RANGE", std::string(name) + ": expected " + std::to_string(low) + " to " + std::to_string(high) +
                                   ", received " + std::to_string(value));
    };
    range("steps", o.steps, 1, limits.max_steps);
    range("samples", o.samples, 1, limits.max_samples);
    range("temperature", o.temperature, 1e-3, 1e3);
    range("topK", o.top_k, 0, config.vocab);
  }

  void queue_prefix() {
    network.encode_prefix();
    refiner.start();
  }

  /// Queues the operations of steps [first, first + count). At t = 0 a model with a mask token sees the same input in
  /// every sample, so one sample's logits stand for all.
  void queue_steps(const PlanOptions& o, int first, int count) {
    for (int k = first; k < first + count; ++k) {
      const bool masked = k == 0 && config.mask_at_zero;
      const int logit_rows = logit_rows_of(o, k);
      const real* logits = network.logits(masked ? network.mask_tokens() : refiner.state(), masked ? 1 : o.samples);
      if (k + 1 == o.steps) {
        refiner.decode(logits, logit_rows, o, o.last_decode, k);
      } else {
        refiner.refine(logits, logit_rows, o, k);
      }
    }
  }
  int logit_rows_of(const PlanOptions& o, int k) const {
    return (k == 0 && config.mask_at_zero ? 1 : o.samples) * config.slots();
  }

  /// Poses of x_1 of a step, and their reduction appended to the refinements.
  void write_step(const PlanOptions& o, double speed, double center_offset, PlanOutput& out, int step) {
    const int slots = config.slots();
    for (int s = 0; s < o.samples; ++s) {
      tokens.decode(refiner.plan(step) + s * slots, speed, center_offset,
                    &out.samples[static_cast<std::size_t>(s) * slots]);
    }
    float* refinement = &out.refinements[static_cast<std::size_t>(step) * slots];
    reduce_samples(o.reduce, o.samples, config.waypoints, out.samples.data(), refinement);
    out.steps_run = step + 1;
  }

  void write_decision(const PlanOptions& o, PlanOutput& out) {
    const int rows = o.samples * config.slots();
    std::copy_n(refiner.plan(out.steps_run - 1), rows, out.tokens.begin());
    std::copy_n(refiner.log_probability(), rows, out.log_probability.begin());
    std::copy_n(refiner.margin(), rows, out.margin.begin());
  }

  /// All steps at once: nobody asks for one before the last, and no clock has to be looked at.
  void plan_whole(const PlanOptions& o, double speed, double center_offset, PlanOutput& out) {
    const auto work = [&] {
      queue_prefix();
      queue_steps(o, 0, o.steps);
    };
    backend.replay(recording_key(o, 0, o.steps), std::ref(work));
    refiner.fetch(o.steps - 1, true);
    for (int k = 0; k < o.steps; ++k) write_step(o, speed, center_offset, out, k);
    write_decision(o, out);
  }

  void plan_by_steps(const PlanOptions& o, double speed, double center_offset, PlanOutput& out) {
    const auto prefix = [&] { queue_prefix(); };
    const auto began = Clock::now();
    backend.replay(recording_key(o, 0, 0), std::ref(prefix));
    auto step_began = Clock::now();
    out.prefix_us += microseconds(began, step_began);
    for (int k = 0; k < o.steps; ++k) {
      if (o.abort != nullptr && o.abort->load(std::memory_order_relaxed)) {
        out.aborted = true;
        break;
      }
      const auto work = [&] { queue_steps(o, k, 1); };
      backend.replay(recording_key(o, k, 1), std::ref(work));
      bool last = k + 1 == o.steps;
      if (!last) refiner.fetch(k, false);
      const auto now = Clock::now();
      // A further step takes about as long as this one did; do not begin what cannot end in time.
      if (!last && now + (now - step_began) > o.deadline) {
        last = true;
        refiner.decode(network.newest_logits(), logit_rows_of(o, k), o, o.last_decode, k);
      }
      if (last) refiner.fetch(k, true);
      write_step(o, speed, center_offset, out, k);
      if (o.on_step != nullptr) {
        o.on_step(o.on_step_context, out.steps_run, &out.refinements[static_cast<std::size_t>(k) * config.slots()]);
      }
      if (last) {
        write_decision(o, out);
        break;
      }
      step_began = now;
    }
  }

  void plan(const scene::Observation& observation, const PlanOptions& o, PlanOutput& out) {
    check(o);
    const int slots = config.slots();
    const std::size_t rows = static_cast<std::size_t>(o.samples) * slots;
    out.trajectory.resize(static_cast<std::size_t>(slots));
    out.refinements.resize(static_cast<std::size_t>(o.steps) * slots);
    out.samples.resize(rows), out.tokens.resize(rows), out.log_probability.resize(rows), out.margin.resize(rows);
    out.steps_run = 0;
    out.aborted = false;

    const auto start = Clock::now();
    features.build(observation, {}, row);
    const auto featured = Clock::now();
    network.set_prefix(row, o.samples, o.cache);
    refiner.seed(o.seed, o.samples);
    const bool aborted = o.abort != nullptr && o.abort->load(std::memory_order_relaxed);
    const bool watched = o.on_step != nullptr || o.deadline != Clock::time_point::max();
    const auto prefixed = Clock::now();
    out.features_us = microseconds(start, featured);
    out.prefix_us = microseconds(featured, prefixed);
    if (!aborted && !watched && !backend.unified()) {
      plan_whole(o, row.speed, observation.center_offset, out);
    } else {
      plan_by_steps(o, row.speed, observation.center_offset, out);
    }
    out.refinements.resize(static_cast<std::size_t>(out.steps_run) * slots);
    if (out.steps_run > 0) std::copy_n(out.refinements.end() - slots, slots, out.trajectory.begin());
    out.steps_us = microseconds(featured, Clock::now()) - out.prefix_us;
  }

  std::shared_ptr<const Model> model;
  const ModelConfig& config;
  Backend& backend;
  PlanLimits limits;
  PosteriorNetwork network;
  Refiner refiner;
  TrajectoryTokens tokens;
  scene::FeatureBuilder features;
  scene::Features row;
};

PlanEngine::PlanEngine(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : impl_(std::make_unique<Impl>(std::move(model), backend, limits)) {}

PlanEngine::~PlanEngine() = default;

void PlanEngine::plan(const scene::Observation& observation, const PlanOptions& options, PlanOutput& out) {
  impl_->plan(observation, options, out);
}

std::size_t PlanEngine::workspace_bytes() const { return impl_->network.bytes() + impl_->refiner.bytes(); }

}  // namespace wam::model
