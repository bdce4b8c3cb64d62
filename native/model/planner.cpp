#include "model/planner.h"

#include <algorithm>
#include <cstring>

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

}  // namespace

struct PlanEngine::Impl {
  Impl(std::shared_ptr<const Model> shared, Backend& backend, PlanLimits plan_limits)
      : model(std::move(shared)),
        config(model->config()),
        limits(plan_limits),
        network(model, backend, plan_limits.max_samples),
        refiner(config, network.metric(), backend, plan_limits.max_samples),
        tokens(config),
        features({config.max_agents, config.max_lanes}),
        input(static_cast<std::size_t>(plan_limits.max_samples) * config.slots()),
        repeated(static_cast<std::size_t>(plan_limits.max_samples) * config.slots() * config.vocab) {}

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

  /// Logits [samples * slots, vocab] of step k. At t = 0 a model with a mask token sees the same input in every sample,
  /// so one sample's rows stand for all.
  const real* posterior(const PlanOptions& o, int k) {
    const int slots = config.slots();
    const bool masked = k == 0 && config.mask_at_zero;
    const int active = masked ? 1 : o.samples;
    if (masked) {
      std::fill_n(input.begin(), slots, config.vocab);
    } else {
      std::copy_n(refiner.state(), active * slots, input.begin());
    }
    const real* logits = network.logits(input.data(), active);
    if (active == o.samples) return logits;
    const std::size_t block = static_cast<std::size_t>(slots) * config.vocab;
    for (int s = 0; s < o.samples; ++s) std::memcpy(&repeated[s * block], logits, block * sizeof(real));
    return repeated.data();
  }

  /// Poses of the refiner's present x_1, and their reduction appended to the refinements.
  void write_step(const PlanOptions& o, double speed, double center_offset, PlanOutput& out, int step) {
    const int slots = config.slots();
    for (int s = 0; s < o.samples; ++s) {
      tokens.decode(refiner.plan() + s * slots, speed, center_offset,
                    &out.samples[static_cast<std::size_t>(s) * slots]);
    }
    float* refinement = &out.refinements[static_cast<std::size_t>(step) * slots];
    reduce_samples(o.reduce, o.samples, config.waypoints, out.samples.data(), refinement);
  }

  void write_decision(const PlanOptions& o, const real* logits, PlanOutput& out) {
    const int rows = o.samples * config.slots();
    std::copy_n(refiner.plan(), rows, out.tokens.begin());
    for (int i = 0; i < rows; ++i) {
      out.log_probability[i] = static_cast<float>(refiner.log_probability()[i]);
      const real* row = logits + static_cast<std::int64_t>(i) * config.vocab;
      real first = row[0], second = row[1];
      if (first < second) std::swap(first, second);
      for (int v = 2; v < config.vocab; ++v) {
        if (row[v] > first) {
          second = first, first = row[v];
        } else if (row[v] > second) {
          second = row[v];
        }
      }
      out.margin[i] = static_cast<float>(first - second);
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
    refiner.start(o.seed, o.samples);
    const auto prefixed = Clock::now();
    out.features_us = microseconds(start, featured);
    out.prefix_us = microseconds(featured, prefixed);

    auto step_began = prefixed;
    for (int k = 0; k < o.steps; ++k) {
      if (o.abort != nullptr && o.abort->load(std::memory_order_relaxed)) {
        out.aborted = true;
        break;
      }
      const real* logits = posterior(o, k);
      bool last = k + 1 == o.steps;
      refiner.decode(logits, o, last ? o.last_decode : o.decode, k);
      const auto now = Clock::now();
      // A further step takes about as long as this one did; do not begin what cannot end in time.
      if (!last && now + (now - step_began) > o.deadline) {
        last = true;
        if (o.last_decode != o.decode) refiner.decode(logits, o, o.last_decode, k);
      }
      write_step(o, row.speed, observation.center_offset, out, k);
      out.steps_run = k + 1;
      if (o.on_step != nullptr) {
        o.on_step(o.on_step_context, out.steps_run, &out.refinements[static_cast<std::size_t>(k) * slots]);
      }
      if (last) {
        write_decision(o, logits, out);
        break;
      }
      refiner.advance(o, k);
      step_began = now;
    }
    out.refinements.resize(static_cast<std::size_t>(out.steps_run) * slots);
    if (out.steps_run > 0) std::copy_n(out.refinements.end() - slots, slots, out.trajectory.begin());
    out.steps_us = microseconds(prefixed, Clock::now());
  }

  std::shared_ptr<const Model> model;
  const ModelConfig& config;
  PlanLimits limits;
  PosteriorNetwork network;
  Refiner refiner;
  TrajectoryTokens tokens;
  scene::FeatureBuilder features;
  scene::Features row;
  std::vector<std::int32_t> input;
  std::vector<real> repeated;
};

PlanEngine::PlanEngine(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits)
    : impl_(std::make_unique<Impl>(std::move(model), backend, limits)) {}

PlanEngine::~PlanEngine() = default;

void PlanEngine::plan(const scene::Observation& observation, const PlanOptions& options, PlanOutput& out) {
  impl_->plan(observation, options, out);
}

std::size_t PlanEngine::workspace_bytes() const {
  return impl_->network.bytes() + impl_->input.size() * sizeof(std::int32_t) + impl_->repeated.size() * sizeof(real);
}

}  // namespace wam::model
