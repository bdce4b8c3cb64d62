#include "model/trainer.h"

#include <cmath>

#include "core/error.h"
#include "core/thread_pool.h"
#include "model/batch_loss.h"
#include "model/optimiser.h"

namespace wam::model {

namespace {

void check(const TrainConfig& c) {
  const auto fail = [](const char* what) { throw Error("ERR_CONFIG", what); };
  if (c.batch < 1 || c.batch > 4096) fail("batch: expected 1 to 4096 windows");
  if (c.micro_batches < 1 || c.batch % c.micro_batches != 0) fail("micro_batches: must divide batch");
  if (c.copies < 1 || c.copies > 64) fail("copies: expected 1 to 64");
  if (!(c.lr > 0) || !(c.weight_decay >= 0) || !(c.clip > 0)) fail("lr and clip must be positive, weight_decay >= 0");
  if (!(c.beta1 >= 0 && c.beta1 < 1 && c.beta2 >= 0 && c.beta2 < 1)) fail("beta1 and beta2: expected [0, 1)");
  if (!(c.dropout >= 0 && c.dropout < 1)) fail("dropout: expected [0, 1)");
  if (!(c.ema >= 0 && c.ema < 1)) fail("ema: expected [0, 1)");
  if (!(c.zero_fraction >= 0 && c.zero_fraction <= 1)) fail("zero_fraction: expected [0, 1]");
  if (!(c.smear >= 0) || c.steps < 1 || c.warmup < 0) fail("smear, steps and warmup must not be negative");
}

OptimiserConfig optimiser_of(const TrainConfig& c) {
  return {c.steps, c.warmup, c.lr, c.beta1, c.beta2, c.eps, c.weight_decay, c.clip, c.ema};
}

}  // namespace

struct Trainer::Impl {
  Impl(ModelConfig model_config, TrainConfig train_config, std::shared_ptr<const scene::Dataset> dataset,
       const BackendFactory& make_backend, int threads, const std::vector<float>& table,
       const TargetFactory& make_targets)
      : model(std::move(model_config)),
        train(train_config),
        data(std::move(dataset)),
        network(model),
        optimiser(model, network, optimiser_of(train), train.micro_batches) {
    if (data->size() == 0) throw Error("ERR_ARGUMENT", "the data set holds no windows");
    backends.push_back(make_backend());
    // A device of its own memory works on one micro-batch after the other: its threads are inside an operation.
    pool = std::make_unique<ThreadPool>(unified() ? threads : 1);
    for (int i = 1; i < pool->threads(); ++i) backends.push_back(make_backend());
    arena = std::make_unique<Arena>(make_arena(backend(), [this](Arena& a) { reserve(a); }));
    optimiser.start(backend(), initial_weights(model, network, train.seed, table));
    const std::vector<real> coordinates = TrajectoryTokens(model).coordinates();
    backend().upload(coordinate, coordinates.data(), coordinates.size() * sizeof(real));

    const TokenMetric metric = token_metric(model, network, optimiser.weights(), coordinate);
    for (const auto& mine : backends) {
      TargetSource* source = nullptr;
      if (make_targets) source = targets.emplace_back(make_targets(*mine)).get();
      batches.push_back(std::make_unique<BatchLoss>(model, train, network, *data, *mine, metric, source));
    }
  }

  Backend& backend() { return *backends[0]; }
  bool unified() { return backend().unified(); }

  void reserve(Arena& a) {
    optimiser.reserve(a);
    coordinate = a.take<real>(static_cast<std::size_t>(model.vocab));
  }

  StepStats step() {
    const FlushDenormals flush;
    const std::int64_t update = done + 1;
    optimiser.make_tables(backend());
    std::vector<BatchResult> results(static_cast<std::size_t>(train.micro_batches));
    pool->run(train.micro_batches, [&](int micro, int worker) {
      real* g = optimiser.clear_gradient(*backends[static_cast<std::size_t>(worker)], micro);
      const NumericTables table_grad = optimiser.table_gradient(micro);
      results[static_cast<std::size_t>(micro)] = batches[static_cast<std::size_t>(worker)]->run(
          optimiser.weights(), optimiser.tables(), update, micro, g, &table_grad);
    });

    StepStats stats;
    stats.step = update;
    stats.windows = train.batch;
    stats.lr = learning_rate(optimiser_of(train), update);
    double weight = 0;
    for (const BatchResult& r : results) stats.loss += r.loss, weight += r.weight;
    if (weight > 0) stats.loss /= weight;
    stats.grad_norm = optimiser.reduce(*pool, backends);
    if (!std::isfinite(stats.loss) || !std::isfinite(stats.grad_norm)) {
      throw Error("ERR_NOT_FINITE", "training diverged: loss or gradient norm of update " + std::to_string(update) +
                                        " is not finite; lower the learning rate");
    }
    optimiser.apply(*pool, backends, update, stats.grad_norm);
    done = update;
    return stats;
  }

  ModelConfig model;
  TrainConfig train;
  std::shared_ptr<const scene::Dataset> data;
  Network network;
  Optimiser optimiser;
  std::unique_ptr<ThreadPool> pool;
  Backends backends;
  std::unique_ptr<Arena> arena;
  std::vector<std::unique_ptr<TargetSource>> targets;
  std::vector<std::unique_ptr<BatchLoss>> batches;
  real* coordinate = nullptr;  // in the backends' memory
  std::int64_t done = 0;
};

Trainer::Trainer(ModelConfig model, TrainConfig train, std::shared_ptr<const scene::Dataset> data,
                 const BackendFactory& make_backend, int threads, const std::vector<float>& table,
                 const TargetFactory& make_targets) {
  model.validate();
  check(train);
  impl_ = std::make_unique<Impl>(std::move(model), train, std::move(data), make_backend, threads, table, make_targets);
}

Trainer::~Trainer() = default;

StepStats Trainer::step() { return impl_->step(); }

std::int64_t Trainer::steps_done() const { return impl_->done; }

std::vector<NamedTensor> Trainer::ema_tensors() const { return impl_->optimiser.average(impl_->backend()); }

std::vector<NamedTensor> Trainer::state() const { return impl_->optimiser.state(impl_->backend()); }

void Trainer::restore(const std::vector<NamedTensor>& state, std::int64_t steps_done) {
  if (steps_done < 0) throw Error("ERR_CHECKPOINT_CORRUPT", "steps done: expected a count, received a negative number");
  impl_->optimiser.restore(impl_->backend(), state);
  impl_->done = steps_done;
}

}  // namespace wam::model
