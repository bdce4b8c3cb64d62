#include "model/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/thread_pool.h"
#include "model/batch_loss.h"

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

/// Linear warm-up, then a cosine to 0 at `steps`.
double learning_rate(const TrainConfig& c, std::int64_t step) {
  if (step <= c.warmup)
    return c.lr * static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(c.warmup, 1));
  const double done =
      static_cast<double>(step - c.warmup) / static_cast<double>(std::max<std::int64_t>(c.steps - c.warmup, 1));
  return c.lr * 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
}

}  // namespace

struct Trainer::Impl {
  Impl(ModelConfig model_config, TrainConfig train_config, std::shared_ptr<const scene::Dataset> dataset,
       const BackendFactory& make_backend, int threads, const std::vector<float>& table)
      : model(std::move(model_config)),
        train(train_config),
        data(std::move(dataset)),
        network(model),
        block_size(static_cast<std::size_t>(network.layout.size())),
        table_size(static_cast<std::size_t>(NumericTables::size(model))) {
    if (data->size() == 0) throw Error("ERR_ARGUMENT", "the data set holds no windows");
    backends.push_back(make_backend());
    // A device of its own memory works on one micro-batch after the other: its threads are inside an operation.
    pool = std::make_unique<ThreadPool>(unified() ? threads : 1);
    for (int i = 1; i < pool->threads(); ++i) backends.push_back(make_backend());
    arena = std::make_unique<Arena>(make_arena(backend(), [this](Arena& a) { reserve(a); }));
    const std::vector<real> initial = initial_weights(model, network, train.seed, table);
    upload(block, initial), upload(average, initial);
    const std::vector<real> coordinates = TrajectoryTokens(model).coordinates();
    upload(coordinate, coordinates);

    TokenMetric metric;
    metric.vocab = model.vocab;
    metric.power = static_cast<real>(model.metric_power);
    if (model.metric == MetricKind::coordinate || model.continuous()) {
      metric.coordinate = coordinate;
    } else {
      metric.table = block + network.metric_table;
      metric.dim = model.table_dim;
    }
    for (const auto& mine : backends) {
      batches.push_back(std::make_unique<BatchLoss>(model, train, network, *data, *mine, metric));
    }
  }

  Backend& backend() { return *backends[0]; }
  bool unified() { return backend().unified(); }

  void reserve(Arena& a) {
    for (real** list : {&block, &average, &first_moment, &second_moment}) *list = a.take<real>(block_size);
    tables = a.take<real>(table_size);
    coordinate = a.take<real>(static_cast<std::size_t>(model.vocab));
    gradients.resize(static_cast<std::size_t>(train.micro_batches));
    for (real*& g : gradients) g = a.take<real>(block_size + table_size);
  }

  void upload(real* to, const std::vector<real>& from) {
    backend().upload(to, from.data(), from.size() * sizeof(real));
  }
  std::vector<real> download(const real* from) {
    std::vector<real> to(block_size);
    backend().download(to.data(), from, block_size * sizeof(real));
    return to;
  }

  StepStats step() {
    const FlushDenormals flush;
    const std::int64_t update = done + 1;
    NumericTables numeric = NumericTables::at(model, tables);
    make_numeric_tables(model, network, backend(), block, numeric);

    const auto total = static_cast<std::int64_t>(block_size + table_size);
    std::vector<BatchResult> results(static_cast<std::size_t>(train.micro_batches));
    pool->run(train.micro_batches, [&](int micro, int worker) {
      real* g = gradients[static_cast<std::size_t>(micro)];
      backends[static_cast<std::size_t>(worker)]->fill(total, 0, g);
      const NumericTables table_grad = NumericTables::at(model, g + block_size);
      results[static_cast<std::size_t>(micro)] =
          batches[static_cast<std::size_t>(worker)]->run(block, numeric, update, micro, g, &table_grad);
    });
    // One order of summation whatever the number of threads: micro-batch 0 + 1 + 2 ...
    const std::int64_t chunk_size = unified() ? 1 << 14 : total;
    pool->run(static_cast<int>((total + chunk_size - 1) / chunk_size), [&](int chunk, int worker) {
      const std::int64_t begin = chunk * chunk_size, count = std::min(chunk_size, total - begin);
      for (std::size_t m = 1; m < gradients.size(); ++m) {
        backends[static_cast<std::size_t>(worker)]->axpy(count, 1, gradients[m] + begin, gradients[0] + begin);
      }
    });
    real* grad = gradients[0];
    numeric_tables_backward(model, network, backend(), block, NumericTables::at(model, grad + block_size), grad);

    StepStats stats;
    stats.step = update;
    stats.windows = train.batch;
    stats.lr = learning_rate(train, update);
    double weight = 0;
    for (const BatchResult& r : results) stats.loss += r.loss, weight += r.weight;
    if (weight > 0) stats.loss /= weight;
    stats.grad_norm = std::sqrt(backend().sum_squares(static_cast<std::int64_t>(block_size), grad));
    if (!std::isfinite(stats.loss) || !std::isfinite(stats.grad_norm)) {
      throw Error("ERR_NOT_FINITE", "training diverged: loss or gradient norm of update " + std::to_string(update) +
                                        " is not finite; lower the learning rate");
    }
    const real scale = static_cast<real>(std::min(1.0, train.clip / (stats.grad_norm + 1e-6)));
    // The average starts as the weights themselves and slows down to `ema`, so early noise does not linger.
    const double decay =
        std::min(train.ema, (1.0 + static_cast<double>(update)) / (10.0 + static_cast<double>(update)));
    const auto& tensors = network.layout.tensors();
    pool->run(static_cast<int>(tensors.size()), [&](int i, int worker) {
      const TensorSpec& t = tensors[static_cast<std::size_t>(i)];
      if (!t.trained) return;
      Backend& mine = *backends[static_cast<std::size_t>(worker)];
      mine.adamw(t.count, block + t.offset, grad + t.offset, first_moment + t.offset, second_moment + t.offset,
                 static_cast<real>(stats.lr), static_cast<real>(train.beta1), static_cast<real>(train.beta2),
                 static_cast<real>(train.eps), static_cast<real>(t.decay ? train.weight_decay : 0), update, scale);
      mine.ema(t.count, static_cast<real>(decay), block + t.offset, average + t.offset);
    });
    done = update;
    return stats;
  }

  ModelConfig model;
  TrainConfig train;
  std::shared_ptr<const scene::Dataset> data;
  Network network;
  std::size_t block_size, table_size;
  std::unique_ptr<ThreadPool> pool;
  std::vector<std::unique_ptr<Backend>> backends;  // one a worker
  std::unique_ptr<Arena> arena;
  std::vector<std::unique_ptr<BatchLoss>> batches;
  // In the backends' memory.
  real *block = nullptr, *average = nullptr, *first_moment = nullptr, *second_moment = nullptr;
  real *tables = nullptr, *coordinate = nullptr;
  std::vector<real*> gradients;  // by micro-batch: [weights | numeric tables]
  std::int64_t done = 0;
};

Trainer::Trainer(ModelConfig model, TrainConfig train, std::shared_ptr<const scene::Dataset> data,
                 const BackendFactory& make_backend, int threads, const std::vector<float>& table) {
  model.validate();
  check(train);
  impl_ = std::make_unique<Impl>(std::move(model), train, std::move(data), make_backend, threads, table);
}

Trainer::~Trainer() = default;

StepStats Trainer::step() { return impl_->step(); }

std::int64_t Trainer::steps_done() const { return impl_->done; }

std::vector<NamedTensor> Trainer::ema_tensors() const {
  return named_tensors(impl_->network.layout, "", impl_->download(impl_->average).data());
}

std::vector<NamedTensor> Trainer::state() const {
  std::vector<NamedTensor> out;
  const auto append = [&](const char* prefix, const real* block) {
    for (NamedTensor& t : named_tensors(impl_->network.layout, prefix, impl_->download(block).data())) {
      out.push_back(std::move(t));
    }
  };
  append("weights.", impl_->block);
  append("average.", impl_->average);
  append("first_moment.", impl_->first_moment);
  append("second_moment.", impl_->second_moment);
  return out;
}

void Trainer::restore(const std::vector<NamedTensor>& state, std::int64_t steps_done) {
  if (steps_done < 0) throw Error("ERR_CHECKPOINT_CORRUPT", "steps done: expected a count, received a negative number");
  // Into copies first: a bad file must leave the trainer as it was.
  real* const blocks[4] = {impl_->block, impl_->average, impl_->first_moment, impl_->second_moment};
  const char* prefixes[4] = {"weights.", "average.", "first_moment.", "second_moment."};
  std::vector<real> copies[4];
  for (int i = 0; i < 4; ++i) {
    copies[i] = impl_->download(blocks[i]);
    copy_tensors(impl_->network.layout, state, prefixes[i], copies[i].data());
  }
  for (int i = 0; i < 4; ++i) impl_->upload(blocks[i], copies[i]);
  impl_->done = steps_done;
}

}  // namespace wam::model
