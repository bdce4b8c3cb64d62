#include "align/aligner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <mutex>

#include "align/policy_pass.h"
#include "align/scene_order.h"
#include "core/error.h"
#include "model/optimiser.h"
#include "model/trajectory_tokens.h"

namespace wam::align {

using namespace model;

namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

OptimiserConfig optimiser_of(const AlignConfig& c) {
  return {c.steps * c.inner_epochs,
          c.warmup * c.inner_epochs,
          c.lr,
          c.beta1,
          c.beta2,
          c.eps,
          c.weight_decay,
          c.clip,
          c.ema};
}

// Probes have random numbers of their own: updates count from 1.
constexpr std::uint32_t kProbeUpdate = 0;

// Scenes share them by number: enough that threads seldom meet.
constexpr std::size_t kLocks = 251;

}  // namespace

struct Aligner::Impl {
  /// What one thread works with.
  struct Worker {
    Worker(const ModelConfig& model, const AlignConfig& config, const Network& network, Backend& device,
           const TokenMetric& metric, int scenes)
        : backend(device),
          rollouts(model, network, device, metric, scenes, config.group,
                   *std::max_element(config.rollout_steps.begin(), config.rollout_steps.end())),
          collector(model, metric, device, config.estimator, scenes, config.group),
          last(model, metric, device, Estimator::last, scenes, config.group),
          pass(model, network, device, scenes, most_blocks(config, scenes), most_blocks(config, scenes)),
          features({model.max_agents, model.max_lanes}) {}
    static int most_blocks(const AlignConfig& c, int scenes) {
      return most_decisions(c.estimator, scenes, c.group,
                            *std::max_element(c.rollout_steps.begin(), c.rollout_steps.end()));
    }
    Backend& backend;
    Rollouts rollouts;
    Collector collector, last;  // last: of probes
    PolicyPass pass;
    scene::FeatureBuilder features;
    scene::Observation observation;
    Decisions probed;
  };

  /// A micro-batch of an update, or a part of a probe.
  struct Part {
    std::vector<int> scenes;
    std::vector<scene::Features> features;
    std::vector<std::uint64_t> seeds;
    std::vector<double> advantage;  // [scenes, group]
    std::vector<bool> keep;
    Decisions decisions;
    GroupFigures group;
    PolicyFigures figures;
    double rollout_s = 0, judge_s = 0, update_s = 0;
  };

  Impl(ModelConfig model_config, AlignConfig align_config, std::shared_ptr<const scene::Dataset> dataset,
       std::shared_ptr<RewardModel> reward_model, std::shared_ptr<RewardModel> probe_model,
       const std::vector<NamedTensor>& weights, const BackendFactory& make_backend, int threads)
      : model(std::move(model_config)),
        config(std::move(align_config)),
        data(std::move(dataset)),
        reward(std::move(reward_model)),
        probes(std::move(probe_model)),
        network(model),
        tokens(model),
        optimiser(model, network, optimiser_of(config), config.micro_batches),
        scenes_of_part(config.batch / config.micro_batches),
        order(config.seed, reward->scenes()) {
    if (reward->scenes() == 0) throw Error("ERR_ARGUMENT", "scenes: expected at least one");
    for (RewardModel* of : {reward.get(), probes.get()}) {
      for (int i = 0; of != nullptr && i < of->scenes(); ++i) {
        if (of->window(i) < 0 || of->window(i) >= data->size()) {
          throw Error("ERR_ARGUMENT", "scenes: the data set has no window " + std::to_string(of->window(i)));
        }
      }
    }
    backends.push_back(make_backend());
    // A device of its own memory works on one micro-batch after the other: its threads are inside an operation.
    pool = std::make_unique<ThreadPool>(backend().unified() ? threads : 1);
    for (int i = 1; i < pool->threads(); ++i) backends.push_back(make_backend());
    arena = std::make_unique<Arena>(make_arena(backend(), [this](Arena& a) { reserve(a); }));
    std::vector<real> start_block(static_cast<std::size_t>(network.layout.size()));
    copy_tensors(network.layout, weights, "", start_block.data());
    optimiser.start(backend(), start_block);
    backend().upload(reference_block, start_block.data(), start_block.size() * sizeof(real));
    make_numeric_tables(model, network, backend(), reference_block, reference.tables);
    reference.block = reference_block;
    const std::vector<real> coordinates = tokens.coordinates();
    backend().upload(coordinate, coordinates.data(), coordinates.size() * sizeof(real));
    const TokenMetric metric = token_metric(model, network, reference_block, coordinate);
    for (const auto& mine : backends) {
      workers.push_back(std::make_unique<Worker>(model, config, network, *mine, metric, scenes_of_part));
    }
    parts.resize(static_cast<std::size_t>(config.micro_batches));
    objective.temperature = config.temperature, objective.clip = config.clip_ratio;
    objective.kl_beta = config.kl_beta, objective.exact_kl = config.exact_kl;
    if (probes) start = probe(reference);
  }

  Backend& backend() { return *backends[0]; }
  Policy policy() const { return {optimiser.weights(), optimiser.tables()}; }

  void reserve(Arena& a) {
    optimiser.reserve(a);
    reference_block = a.take<real>(static_cast<std::size_t>(network.layout.size()));
    reference.tables = NumericTables::take(model, a);
    coordinate = a.take<real>(static_cast<std::size_t>(model.vocab));
  }

  /// Observations, features and seeds of the scenes. `first`: number of the first one in its batch or probe.
  void observe(Worker& worker, const RewardModel& of, std::uint32_t update, std::uint32_t first, Part& part) {
    const std::size_t n = part.scenes.size();
    part.features.resize(n), part.seeds.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      data->observe(of.window(part.scenes[i]), worker.observation);
      worker.features.build(worker.observation, {}, part.features[i]);
      const Philox4 r =
          RandomStream(config.seed).at(update, 0, first + static_cast<std::uint32_t>(i), RandomUse::align_plan);
      part.seeds[i] = r.word[0] | static_cast<std::uint64_t>(r.word[1]) << 32;
    }
  }

  void roll_out(Worker& worker, const Policy& by, const RolloutOptions& options, const Part& part) {
    std::vector<const scene::Features*> features;
    for (const scene::Features& f : part.features) features.push_back(&f);
    worker.rollouts.run(by, features, part.seeds, options);
  }

  /// Judges the first `count` plans of a scene and appends their rewards to `rewards` when it is not null.
  GroupFigures judge(Worker& worker, RewardModel& by, const Part& part, std::size_t i, int steps, int count,
                     std::vector<double>* rewards) {
    const auto slots = static_cast<std::size_t>(model.slots());
    std::vector<float> poses(static_cast<std::size_t>(count) * slots);
    std::vector<JudgedPlan> plans;
    for (int p = 0; p < count; ++p) {
      const std::int32_t* drawn = worker.rollouts.drawn(steps - 1) + (i * config.group + p) * slots;
      float* pose = &poses[static_cast<std::size_t>(p) * slots];
      tokens.decode(drawn, part.features[i].speed, 0, pose);
      plans.push_back({{drawn, slots}, {pose, slots}});
    }
    std::vector<PlanValue> values(plans.size());
    {
      // A small pool may give a scene to an update twice.
      const std::lock_guard lock(judging[static_cast<std::size_t>(part.scenes[i]) % kLocks]);
      by.judge(part.scenes[i], plans, values.data());
    }
    if (rewards != nullptr) {
      for (const PlanValue& value : values) rewards->push_back(value.reward);
    }
    return group_figures(values, poses, model.waypoints, data->future(by.window(part.scenes[i])));
  }

  int steps_of(std::int64_t update, int micro) const {
    const auto turn = static_cast<std::size_t>((update - 1) * config.micro_batches + micro);
    return config.rollout_steps[turn % config.rollout_steps.size()];
  }

  /// Draws and judges the plans of a micro-batch and collects the decisions behind them.
  void gather(Worker& worker, std::int64_t update, int micro, Part& part) {
    const Clock::time_point began = Clock::now();
    const int first = micro * scenes_of_part, steps = steps_of(update, micro);
    part.scenes.assign(batch.begin() + first, batch.begin() + first + scenes_of_part);
    observe(worker, *reward, static_cast<std::uint32_t>(update), static_cast<std::uint32_t>(first), part);
    roll_out(worker, policy(), {steps, config.temperature, config.rule}, part);
    const Clock::time_point drawn = Clock::now();

    part.group = {};
    part.advantage.clear();
    part.keep.clear();
    for (std::size_t i = 0; i < part.scenes.size(); ++i) {
      const GroupFigures figures = judge(worker, *reward, part, i, steps, config.group, &part.advantage);
      part.group.add(figures);
      part.keep.push_back(!config.skip_even || figures.uneven > 0);
      double* advantage = &part.advantage[i * static_cast<std::size_t>(config.group)];
      group_advantages(advantage, config.group, config.advantage, advantage);
    }
    const Clock::time_point judged = Clock::now();
    Collector::Draw draw;
    draw.stream = RandomStream(config.seed);
    draw.update = static_cast<std::uint32_t>(update), draw.first_scene = static_cast<std::uint32_t>(first);
    draw.zero_share = config.zero_share;
    worker.collector.collect(worker.rollouts, steps, part.advantage, part.keep, draw, part.decisions);
    part.rollout_s = seconds(began, drawn), part.judge_s = seconds(drawn, judged), part.update_s = 0;
  }

  void learn(Worker& worker, int micro, Part& part) {
    const Clock::time_point began = Clock::now();
    real* g = optimiser.clear_gradient(worker.backend, micro);
    const NumericTables table_grad = optimiser.table_gradient(micro);
    // Every scene counts as much as another, whatever the number of its decisions.
    const std::size_t kept = part.decisions.scenes.size();
    const double of_scene = kept == 0 ? 1 : static_cast<double>(part.decisions.decisions()) / static_cast<double>(kept);
    const double weight = 1.0 / (config.batch * of_scene * model.slots());
    part.figures =
        worker.pass.run(policy(), reference, part.features, part.decisions, objective, weight, g, &table_grad);
    part.update_s += seconds(began, Clock::now());
  }

  AlignStats step() {
    const FlushDenormals flush;
    AlignStats stats;
    stats.step = done + 1;
    batch = order.batch(done, config.batch);
    for (int epoch = 0; epoch < config.inner_epochs; ++epoch) {
      optimiser.make_tables(backend());
      pool->run(config.micro_batches, [&](int micro, int worker) {
        Part& part = parts[static_cast<std::size_t>(micro)];
        Worker& mine = *workers[static_cast<std::size_t>(worker)];
        if (epoch == 0) gather(mine, stats.step, micro, part);
        learn(mine, micro, part);
      });
      const Clock::time_point summing = Clock::now();
      const double norm = optimiser.reduce(*pool, backends);
      const std::int64_t number = done * config.inner_epochs + epoch + 1;
      PolicyFigures figures;
      for (const Part& part : parts) {
        figures.loss += part.figures.loss, figures.kl += part.figures.kl;
        figures.clipped += part.figures.clipped, figures.tokens += part.figures.tokens;
      }
      if (!std::isfinite(figures.loss) || !std::isfinite(norm)) {
        throw Error("ERR_NOT_FINITE", "alignment diverged: loss or gradient norm of update " +
                                          std::to_string(stats.step) + " is not finite; lower the learning rate");
      }
      optimiser.apply(*pool, backends, number, norm);
      stats.loss = figures.loss, stats.grad_norm = norm, stats.lr = learning_rate(optimiser_of(config), number);
      const double tokens_seen = std::max(figures.tokens, 1.0);
      stats.kl = figures.kl / tokens_seen, stats.clipped = figures.clipped / tokens_seen;
      stats.update_s += seconds(summing, Clock::now());
    }
    for (const Part& part : parts) {
      stats.group.add(part.group);
      stats.rollout_s += part.rollout_s, stats.judge_s += part.judge_s, stats.update_s += part.update_s;
    }
    done = stats.step;
    if (probes && (done % config.probe_every == 0 || done == config.steps)) {
      optimiser.make_tables(backend());
      stats.probed = true;
      stats.probe = probe(policy());
      stats.stop = stop_rule(stats.probe);
    }
    return stats;
  }

  Probe probe(const Policy& by) {
    const int scenes = probes->scenes(), count = (scenes + scenes_of_part - 1) / scenes_of_part;
    const int steps = *std::max_element(config.rollout_steps.begin(), config.rollout_steps.end());
    struct Share {
      GroupFigures group, median;
      PolicyFigures figures;
    };
    std::vector<Share> shares(static_cast<std::size_t>(count));
    pool->run(count, [&](int index, int thread) {
      Worker& worker = *workers[static_cast<std::size_t>(thread)];
      Share& share = shares[static_cast<std::size_t>(index)];
      Part part;
      const int first = index * scenes_of_part;
      for (int i = first; i < std::min(first + scenes_of_part, scenes); ++i) part.scenes.push_back(i);
      observe(worker, *probes, kProbeUpdate, static_cast<std::uint32_t>(first), part);
      roll_out(worker, by, {1, 1, config.rule, DecodeRule::median}, part);
      for (std::size_t i = 0; i < part.scenes.size(); ++i) {
        share.median.add(judge(worker, *probes, part, i, 1, 1, nullptr));
      }
      roll_out(worker, by, {steps, config.temperature, config.rule}, part);
      for (std::size_t i = 0; i < part.scenes.size(); ++i) {
        share.group.add(judge(worker, *probes, part, i, steps, config.group, nullptr));
      }
      const std::vector<double> none(part.scenes.size() * static_cast<std::size_t>(config.group));
      worker.last.collect(worker.rollouts, steps, none, std::vector<bool>(part.scenes.size(), true), {}, worker.probed);
      Objective exact = objective;
      exact.exact_kl = true;
      share.figures = worker.pass.run(by, reference, part.features, worker.probed, exact, 0, nullptr, nullptr);
    });
    Probe sum;
    double tokens_seen = 0;
    for (const Share& share : shares) {
      sum.group.add(share.group), sum.median.add(share.median);
      sum.kl += share.figures.kl, tokens_seen += share.figures.tokens;
    }
    sum.kl /= std::max(tokens_seen, 1.0);
    return sum;
  }

  static double ade(const GroupFigures& f) { return f.ade_scenes > 0 ? f.ade / f.ade_scenes : 0; }

  StopRule stop_rule(const Probe& now) const {
    if (now.kl > config.max_kl) return StopRule::kl;
    if (now.group.diversity < config.min_diversity * start.group.diversity) return StopRule::diversity;
    if (ade(now.group) - ade(start.group) > config.max_ade_drift) return StopRule::ade_drift;
    return StopRule::none;
  }

  ModelConfig model;
  AlignConfig config;
  std::shared_ptr<const scene::Dataset> data;
  std::shared_ptr<RewardModel> reward, probes;
  Network network;
  TrajectoryTokens tokens;
  Optimiser optimiser;
  int scenes_of_part;
  SceneOrder order;
  Objective objective;
  std::unique_ptr<ThreadPool> pool;
  Backends backends;
  std::unique_ptr<Arena> arena;
  // In the backends' memory.
  real *reference_block = nullptr, *coordinate = nullptr;
  Policy reference;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Part> parts;
  std::vector<int> batch;  // scenes of the update
  std::array<std::mutex, kLocks> judging;
  Probe start;
  std::int64_t done = 0;
};

Aligner::Aligner(ModelConfig model, AlignConfig config, std::shared_ptr<const scene::Dataset> data,
                 std::shared_ptr<RewardModel> reward, std::shared_ptr<RewardModel> probe,
                 const std::vector<NamedTensor>& reference, const BackendFactory& make_backend, int threads) {
  model.validate();
  config.validate();
  const FlushDenormals flush;
  impl_ = std::make_unique<Impl>(std::move(model), std::move(config), std::move(data), std::move(reward),
                                 std::move(probe), reference, make_backend, threads);
}

Aligner::~Aligner() = default;

AlignStats Aligner::step() { return impl_->step(); }

std::int64_t Aligner::steps_done() const { return impl_->done; }

const Probe& Aligner::start() const { return impl_->start; }

std::vector<NamedTensor> Aligner::ema_tensors() const { return impl_->optimiser.average(impl_->backend()); }

std::vector<NamedTensor> Aligner::state() const {
  std::vector<NamedTensor> out = impl_->optimiser.state(impl_->backend());
  const std::vector<real> block = impl_->optimiser.download(impl_->backend(), impl_->reference_block);
  for (NamedTensor& t : named_tensors(impl_->network.layout, "reference.", block.data())) out.push_back(std::move(t));
  return out;
}

void Aligner::restore(const std::vector<NamedTensor>& state, std::int64_t steps_done) {
  if (steps_done < 0) throw Error("ERR_CHECKPOINT_CORRUPT", "steps done: expected a count, received a negative number");
  impl_->optimiser.restore(impl_->backend(), state);
  impl_->done = steps_done;
}

}  // namespace wam::align
