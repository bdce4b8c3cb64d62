#include "model/optimiser.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace wam::model {

double learning_rate(const OptimiserConfig& c, std::int64_t step) {
  if (step <= c.warmup)
    return c.lr * static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(c.warmup, 1));
  const double done =
      static_cast<double>(step - c.warmup) / static_cast<double>(std::max<std::int64_t>(c.steps - c.warmup, 1));
  return c.lr * 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
}

Optimiser::Optimiser(const ModelConfig& model, const Network& network, OptimiserConfig config, int micro_batches)
    : model_(model),
      network_(network),
      config_(config),
      block_size_(static_cast<std::size_t>(network.layout.size())),
      table_size_(static_cast<std::size_t>(NumericTables::size(model))),
      gradients_(static_cast<std::size_t>(micro_batches)) {}

void Optimiser::reserve(Arena& a) {
  for (real** list : {&block_, &average_, &first_moment_, &second_moment_}) *list = a.take<real>(block_size_);
  tables_ = NumericTables::take(model_, a);
  for (real*& g : gradients_) g = a.take<real>(block_size_ + table_size_);
}

void Optimiser::start(Backend& backend, const std::vector<real>& weights) {
  const std::vector<real> zeros(block_size_);
  for (real* to : {block_, average_}) backend.upload(to, weights.data(), block_size_ * sizeof(real));
  for (real* to : {first_moment_, second_moment_}) backend.upload(to, zeros.data(), block_size_ * sizeof(real));
}

void Optimiser::make_tables(Backend& backend) { make_numeric_tables(model_, network_, backend, block_, tables_); }

real* Optimiser::clear_gradient(Backend& backend, int micro) {
  real* g = gradients_[static_cast<std::size_t>(micro)];
  backend.fill(static_cast<std::int64_t>(block_size_ + table_size_), 0, g);
  return g;
}

NumericTables Optimiser::table_gradient(int micro) const {
  return NumericTables::at(model_, gradients_[static_cast<std::size_t>(micro)] + block_size_);
}

double Optimiser::reduce(ThreadPool& pool, const Backends& backends) {
  Backend& backend = *backends[0];
  const auto total = static_cast<std::int64_t>(block_size_ + table_size_);
  const std::int64_t chunk_size = backend.unified() ? 1 << 14 : total;
  pool.run(static_cast<int>((total + chunk_size - 1) / chunk_size), [&](int chunk, int worker) {
    const std::int64_t begin = chunk * chunk_size, count = std::min(chunk_size, total - begin);
    for (std::size_t m = 1; m < gradients_.size(); ++m) {
      backends[static_cast<std::size_t>(worker)]->axpy(count, 1, gradients_[m] + begin, gradients_[0] + begin);
    }
  });
  real* grad = gradients_[0];
  numeric_tables_backward(model_, network_, backend, block_, table_gradient(0), grad);
  return std::sqrt(backend.sum_squares(static_cast<std::int64_t>(block_size_), grad));
}

void Optimiser::apply(ThreadPool& pool, const Backends& backends, std::int64_t step, double norm) {
  const OptimiserConfig& c = config_;
  const double lr = learning_rate(c, step);
  const real scale = static_cast<real>(std::min(1.0, c.clip / (norm + 1e-6)));
  // The average starts as the weights themselves and slows down to `ema`, so early noise does not linger.
  const double decay = std::min(c.ema, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
  const real* grad = gradients_[0];
  const auto& tensors = network_.layout.tensors();
  pool.run(static_cast<int>(tensors.size()), [&](int i, int worker) {
    const TensorSpec& t = tensors[static_cast<std::size_t>(i)];
    if (!t.trained) return;
    Backend& mine = *backends[static_cast<std::size_t>(worker)];
    mine.adamw(t.count, block_ + t.offset, grad + t.offset, first_moment_ + t.offset, second_moment_ + t.offset,
               static_cast<real>(lr), static_cast<real>(c.beta1), static_cast<real>(c.beta2), static_cast<real>(c.eps),
               static_cast<real>(t.decay ? c.weight_decay : 0), step, scale);
    mine.ema(t.count, static_cast<real>(decay), block_ + t.offset, average_ + t.offset);
  });
}

std::vector<Optimiser::Part> Optimiser::parts() const {
  return {{"weights.", block_},
          {"average.", average_},
          {"first_moment.", first_moment_},
          {"second_moment.", second_moment_}};
}

std::vector<real> Optimiser::download(Backend& backend, const real* from) const {
  std::vector<real> to(block_size_);
  backend.download(to.data(), from, block_size_ * sizeof(real));
  return to;
}

std::vector<NamedTensor> Optimiser::average(Backend& backend) const {
  return named_tensors(network_.layout, "", download(backend, average_).data());
}

std::vector<NamedTensor> Optimiser::state(Backend& backend) const {
  std::vector<NamedTensor> out;
  for (const auto& [prefix, block] : parts()) {
    for (NamedTensor& t : named_tensors(network_.layout, prefix, download(backend, block).data())) {
      out.push_back(std::move(t));
    }
  }
  return out;
}

void Optimiser::restore(Backend& backend, const std::vector<NamedTensor>& state) {
  // Into copies first: a bad file must leave everything as it was.
  std::vector<std::vector<real>> copies;
  for (const auto& [prefix, block] : parts()) {
    copies.push_back(download(backend, block));
    copy_tensors(network_.layout, state, prefix, copies.back().data());
  }
  std::size_t i = 0;
  for (const auto& [prefix, block] : parts()) {
    backend.upload(block, copies[i++].data(), block_size_ * sizeof(real));
  }
}

}  // namespace wam::model
