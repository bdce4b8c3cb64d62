#include "model/planner.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "core/error.h"
#include "model/action_decoder.h"
#include "model/model.h"
#include "model/reduce.h"
#include "model/step_pace.h"

namespace wam::model {

namespace {

using Time = std::chrono::steady_clock::time_point;

/// A warm start is between a cold one and none.
constexpr double kLeastWarmTime = 1e-3;

double microseconds(Time from, Time to) { return std::chrono::duration<double, std::micro>(to - from).count(); }

/// What decides which operations a plan of this engine consists of.
std::uint64_t recording_key(const PlanOptions& o, int first, int count) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over words
  const auto mix = [&hash](std::uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
  for (const int word :
       {o.steps, o.samples, static_cast<int>(o.rule), static_cast<int>(o.decode), static_cast<int>(o.last_decode),
        o.top_k, static_cast<int>(o.coupling), static_cast<int>(o.cache), static_cast<int>(o.reduce == Reduce::search),
        static_cast<int>(o.warm.given()), first, count}) {
    mix(static_cast<std::uint64_t>(word));
  }
  mix(std::bit_cast<std::uint64_t>(o.temperature));
  mix(std::bit_cast<std::uint64_t>(o.warm.given() ? o.warm.t0 : 0));
  return hash;
}

}  // namespace

struct PlanEngine::Impl {
  Impl(std::shared_ptr<const Model> shared, Backend& plan_backend, PlanLimits plan_limits, PlanEngine::Clock plan_clock)
      : model(std::move(shared)),
        config(model->config()),
        backend(plan_backend),
        limits(plan_limits),
        decoder(make_action_decoder(model, backend, plan_limits)),
        scorer(config.waypoints, config.interval_s),
        pace(config.layers, plan_limits.max_samples),
        clock(std::move(plan_clock)),
        features({config.max_agents, config.max_lanes}),
        shifted(static_cast<std::size_t>(config.slots())) {}

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
    decoder->check(o);
    if (!o.warm.given()) return;
    const auto slots = static_cast<std::size_t>(config.slots());
    if (o.warm.trajectory.size() != slots) {
      throw Error("ERR_SHAPE", "warmStart.trajectory: expected " + std::to_string(slots) + " numbers, received " +
                                   std::to_string(o.warm.trajectory.size()));
    }
    if (o.warm.t0 != 0) range("warmStart.t0", o.warm.t0, kLeastWarmTime, 1 - kLeastWarmTime);
    if (o.warm.t0 == 0 && !searches(o)) {
      throw Error("ERR_ARGUMENT",
                  "warmStart.t0: at 0 only a search looks at the plan before; expected reduce 'search'");
    }
    range("warmStart.elapsedS", o.warm.elapsed_s, 0, config.waypoints * config.interval_s);
  }

  static bool searches(const PlanOptions& o) { return o.reduce == Reduce::search; }

  bool queue_steps(const PlanOptions& o, int first, int count, const LayerWatch& watch = {}) {
    for (int k = first; k < first + count; ++k) {
      if (!decoder->queue_step(o, k, watch)) return false;
    }
    return true;
  }

  /// Poses of the samples after a step, and their reduction appended to the refinements. A search is for the last step.
  void write_step(const PlanOptions& o, double speed, double center_offset, PlanOutput& out, int step, bool last) {
    const int slots = config.slots();
    for (int s = 0; s < o.samples; ++s) {
      decoder->write_poses(step, s, speed, center_offset, &out.samples[static_cast<std::size_t>(s) * slots]);
    }
    float* refinement = &out.refinements[static_cast<std::size_t>(step) * slots];
    const bool chooses = last && searches(o);
    if (chooses) choose(o, speed, center_offset, out);
    reduce_samples(searches(o) ? Reduce::medoid : o.reduce, o.samples, config.waypoints, out.samples.data(),
                   refinement);
    if (chooses) std::copy_n(candidate(o, out, out.chosen), slots, refinement);
    out.steps_run = step + 1;
  }

  const float* candidate(const PlanOptions& o, const PlanOutput& out, int k) const {
    const int slots = config.slots();
    return k < o.samples ? &out.samples[static_cast<std::size_t>(k) * slots]
                         : &out.extra_candidates[static_cast<std::size_t>(k - o.samples) * slots];
  }

  /// Scores all candidates; of equal ones the first is chosen.
  void choose(const PlanOptions& o, double speed, double center_offset, PlanOutput& out) {
    const bool has[] = {decoder->has_median(o), o.warm.given()};
    float* median = out.extra_candidates.data();
    if (has[0]) decoder->write_median(speed, center_offset, median);
    if (has[1]) std::copy_n(shifted.data(), config.slots(), median + config.slots());
    out.chosen = 0;
    for (int k = 0; k < o.samples + kExtraCandidates; ++k) {
      const auto i = static_cast<std::size_t>(k);
      out.scores[i] = -1;
      if (k >= o.samples && !has[k - o.samples]) continue;
      out.findings[i] = scorer.judge(candidate(o, out, k), has[0] ? median : nullptr);
      out.scores[i] = search::score(out.findings[i]);
      if (out.scores[i] > out.scores[static_cast<std::size_t>(out.chosen)]) out.chosen = k;
    }
  }

  /// What a search looks at.
  void prepare_search(const scene::Observation& observation, const PlanOptions& o, PlanOutput& out) {
    const std::size_t candidates = searches(o) ? static_cast<std::size_t>(o.samples + kExtraCandidates) : 0;
    out.findings.resize(candidates), out.scores.resize(candidates);
    out.extra_candidates.resize(searches(o) ? static_cast<std::size_t>(kExtraCandidates * config.slots()) : 0);
    if (!searches(o)) return;
    const search::EarlierPlan earlier{o.warm.trajectory.data(), o.warm.elapsed_s};
    scorer.look(observation, o.warm.given() ? &earlier : nullptr);
  }

  /// All steps at once: nobody asks for one before the last, and no clock has to be looked at.
  void plan_whole(const PlanOptions& o, double speed, double center_offset, PlanOutput& out) {
    const auto work = [&] {
      decoder->queue_prefix(o);
      queue_steps(o, 0, o.steps);
    };
    backend.replay(recording_key(o, 0, o.steps), std::ref(work));
    decoder->fetch(o.steps - 1, true);
    for (int k = 0; k < o.steps; ++k) write_step(o, speed, center_offset, out, k, k + 1 == o.steps);
    decoder->write_decision(o, o.steps - 1, out);
  }

  /// What the layers of a step ask.
  struct Watch {
    Impl& impl;
    const PlanOptions& o;
    int step = 0;
    Time began{};
    static bool gives_up(void* context, int layer) {
      const Watch& w = *static_cast<const Watch*>(context);
      if (w.impl.is_aborted(w.o)) return true;
      if (w.step == 0 || w.o.deadline == Time::max()) return false;
      const Time now = w.impl.clock();
      return !w.impl.pace.can_finish(w.o.samples, layer, microseconds(w.began, now), microseconds(now, w.o.deadline));
    }
  };
  static bool is_aborted(const PlanOptions& o) {
    return o.abort != nullptr && o.abort->load(std::memory_order_relaxed);
  }

  /// Makes step k the last one after all: `refine` chose its tokens as between steps.
  void decode_again(const PlanOptions& o, int k) {
    const Time began = clock();
    decoder->decode_again(o, k);
    decoder->fetch(k, true);
    pace.decode_ran(o.samples, microseconds(began, clock()));
  }

  void plan_by_steps(const PlanOptions& o, double speed, double center_offset, PlanOutput& out) {
    const auto prefix = [&] { decoder->queue_prefix(o); };
    const Time began = clock();
    backend.replay(recording_key(o, 0, 0), std::ref(prefix));
    Watch watch{*this, o};
    watch.began = clock();
    out.prefix_us += microseconds(began, watch.began);
    // Between operations that are recorded or run behind our back there is nothing to look at.
    const bool watches = backend.unified() && (o.abort != nullptr || o.deadline != Time::max());
    for (int k = 0; k < o.steps; ++k) {
      if (is_aborted(o)) {
        out.aborted = true;
        break;
      }
      watch.step = k;
      bool ran = true;
      const auto work = [&] {
        ran = queue_steps(o, k, 1, watches ? LayerWatch{&Watch::gives_up, &watch} : LayerWatch{});
      };
      backend.replay(recording_key(o, k, 1), std::ref(work));
      if (!ran) {
        if (is_aborted(o)) {
          out.aborted = true;
          break;
        }
        decode_again(o, k - 1);
        write_step(o, speed, center_offset, out, k - 1, true);
        decoder->write_decision(o, k - 1, out);
        break;
      }
      bool last = k + 1 == o.steps;
      decoder->fetch(k, last);
      const Time now = clock();
      const double took = microseconds(watch.began, now);
      if (decoder->active(o, k) == o.samples) pace.step_ran(o.samples, took);
      if (!last && o.deadline != Time::max() &&
          !pace.worth_beginning(o.samples, microseconds(now, o.deadline), took, decoder->active(o, k))) {
        last = true;
        decode_again(o, k);
      }
      write_step(o, speed, center_offset, out, k, last);
      if (o.on_step != nullptr) {
        o.on_step(o.on_step_context, out.steps_run, &out.refinements[static_cast<std::size_t>(k) * config.slots()]);
      }
      if (last) {
        decoder->write_decision(o, k, out);
        break;
      }
      watch.began = now;
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

    const Time start = clock();
    features.build(observation, {}, row);
    const Time featured = clock();
    if (o.warm.given()) shift_plan(o.warm, config.waypoints, config.interval_s, shifted.data());
    decoder->begin(row, o, {o.warm.given() ? shifted.data() : nullptr, observation.center_offset});
    prepare_search(observation, o, out);
    const bool aborted = is_aborted(o);
    const bool watched = o.on_step != nullptr || o.deadline != Time::max();
    const Time prefixed = clock();
    out.features_us = microseconds(start, featured);
    out.prefix_us = microseconds(featured, prefixed);
    if (!aborted && !watched && !backend.unified()) {
      plan_whole(o, row.speed, observation.center_offset, out);
    } else {
      plan_by_steps(o, row.speed, observation.center_offset, out);
    }
    out.refinements.resize(static_cast<std::size_t>(out.steps_run) * slots);
    if (out.steps_run > 0) std::copy_n(out.refinements.end() - slots, slots, out.trajectory.begin());
    out.steps_us = microseconds(featured, clock()) - out.prefix_us;
  }

  std::shared_ptr<const Model> model;
  const ModelConfig& config;
  Backend& backend;
  PlanLimits limits;
  std::unique_ptr<ActionDecoder> decoder;
  search::CausalScorer scorer;
  StepPace pace;
  PlanEngine::Clock clock;
  scene::FeatureBuilder features;
  scene::Features row;
  std::vector<float> shifted;  // the plan before this one as a plan from now
};

PlanEngine::PlanEngine(std::shared_ptr<const Model> model, Backend& backend, PlanLimits limits, Clock clock)
    : impl_(std::make_unique<Impl>(std::move(model), backend, limits, std::move(clock))) {}

PlanEngine::~PlanEngine() = default;

void PlanEngine::plan(const scene::Observation& observation, const PlanOptions& options, PlanOutput& out) {
  impl_->plan(observation, options, out);
}

std::size_t PlanEngine::workspace_bytes() const { return impl_->decoder->bytes(); }

}  // namespace wam::model
