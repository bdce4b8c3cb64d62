// W6: an update of W1's model on 64 samples: forward, cross-entropy of the action tokens, gradients of every parameter,
// AdamW.

#include <algorithm>
#include <memory>

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"
#include "bench/cpu/planner_model.h"

namespace wam::bench {

namespace {

constexpr int kBatch = 64, kTargets = kBatch * kActions;
constexpr double kGflop = 3 * kBatch * 1.2795;
constexpr double kRate = 1e-4, kBeta1 = 0.9, kBeta2 = 0.95, kEps = 1e-8, kDecay = 0.01;
// Parts of the batch that have a gradient of their own, whatever the number of threads, and samples of a part that go
// through the layers together.
constexpr int kParts = 4, kAtOnce = 8;

/// Loss and gradients of some samples at a time, on one thread.
class Worker {
 public:
  Worker(const model::ModelConfig& config, const model::Network& network, cpu::Isa isa)
      : network_(network),
        backend_(cpu::make_cpu_backend(nullptr, isa)),
        decoder_(config, network, *backend_),
        rows_(*backend_, kAtOnce, 0, kAtOnce, {true, true}),
        arena_(make_arena(*backend_, [this](Arena& arena) { reserve(arena); })) {
    backend_->fill(kActionRows, static_cast<real>(1.0 / kTargets), weight_);
  }

  Backend& backend() { return *backend_; }

  /// Adds the gradients of samples that begin at `prefix`; returns their share of the mean loss.
  double add_gradients(const real* block, const real* prefix, const std::int32_t* ids, const std::int32_t* target,
                       real* grad) {
    Backend& b = *backend_;
    constexpr std::int64_t kFirst = std::int64_t{kPrefixRows} * kHidden;
    real* input = decoder_.input();
    b.upload(input, prefix, static_cast<std::size_t>(kFirst) * sizeof(real));
    b.embedding(kActionRows, kHidden, block + network_.numeric_input.weight, ids, input + kFirst, kHidden, false);
    b.embedding(kActionRows, kHidden, block + network_.slot_embedding, step_, input + kFirst, kHidden, true);
    const model::Weights weights{block, nullptr};
    const real* normed =
        decoder_.forward(weights, 0, kRows, kPrefixRows, rows_.all(), rows_.last(), rows_.position(), {});
    model::apply(b, weights, network_.numeric_head, kActionRows, normed + kFirst, kHidden, logits_, kVocab);
    b.cross_entropy(kActionRows, kVocab, logits_, kVocab, target, 0, weight_, loss_, logits_, kVocab);
    double loss = 0;
    for (int i = 0; i < kActionRows; ++i) loss += loss_[i];

    model::apply_backward(b, block, network_.numeric_head, kActionRows, normed + kFirst, kHidden, logits_, kVocab,
                          dnormed_ + kFirst, kHidden, grad);
    const real* dx =
        decoder_.backward(weights, kRows, kPrefixRows, rows_.all(), rows_.last(), rows_.position(), {}, dnormed_, grad);
    b.embedding_backward(kActionRows, kHidden, ids, dx + kFirst, kHidden, grad + network_.numeric_input.weight);
    b.embedding_backward(kActionRows, kHidden, step_, dx + kFirst, kHidden, grad + network_.slot_embedding);
    return loss;
  }

 private:
  static constexpr int kPrefixRows = kAtOnce * kPrefix, kActionRows = kAtOnce * kActions;
  static constexpr int kRows = kPrefixRows + kActionRows;

  void reserve(Arena& arena) {
    decoder_.reserve(arena, kRows, true);
    logits_ = arena.take<real>(std::size_t{kActionRows} * kVocab);
    dnormed_ = arena.take<real>(std::size_t{kRows} * kHidden);
    weight_ = arena.take<real>(kActionRows), loss_ = arena.take<real>(kActionRows);
    step_ = arena.take<std::int32_t>(kActionRows);
  }

  const model::Network& network_;
  std::unique_ptr<Backend> backend_;
  model::Decoder decoder_;
  PlannerRows rows_;
  real *logits_ = nullptr, *dnormed_ = nullptr, *weight_ = nullptr, *loss_ = nullptr;
  std::int32_t* step_ = nullptr;  // zeros: step 0 of every action row
  Arena arena_;
};

class Training {
 public:
  Training(ThreadPool& pool, cpu::Isa isa)
      : pool_(pool), config_(planner_config()), network_(config_), backend_(cpu::make_cpu_backend(&pool, isa)) {
    for (int i = 0; i < pool.threads(); ++i) workers_.push_back(std::make_unique<Worker>(config_, network_, isa));
    const std::vector<real> initial = planner_weights(config_, network_);
    for (real** list : {&weights_, &first_moment_, &second_moment_}) *list = take(initial.size());
    for (real*& gradient : gradients_) gradient = take(initial.size());
    backend_->upload(weights_, initial.data(), initial.size() * sizeof(real));
    // The encoders come first in the block and are not part of W6.
    first_ = network_.layers.front().attention_norm.weight;
    count_ = network_.layout.size() - first_;
  }

  double update() {
    double losses[kParts];
    pool_.run(kParts, [&](int part, int worker) {
      real* grad = gradients_[static_cast<std::size_t>(part)];
      Worker& own = *workers_[static_cast<std::size_t>(worker)];
      own.backend().fill(count_, 0, grad + first_);
      losses[part] = 0;
      constexpr int kShare = kBatch / kParts;
      for (int sample = part * kShare; sample < (part + 1) * kShare; sample += kAtOnce) {
        losses[part] += own.add_gradients(weights_, &prefix_[static_cast<std::size_t>(sample) * kPrefix * kHidden],
                                          &ids_[static_cast<std::size_t>(sample) * kActions],
                                          &target_[static_cast<std::size_t>(sample) * kActions], grad);
      }
    });
    real* grad = gradients_[0] + first_;
    for (int part = 1; part < kParts; ++part)
      backend_->axpy(count_, 1, gradients_[static_cast<std::size_t>(part)] + first_, grad);
    backend_->adamw(count_, weights_ + first_, grad, first_moment_ + first_, second_moment_ + first_,
                    static_cast<real>(kRate), static_cast<real>(kBeta1), static_cast<real>(kBeta2),
                    static_cast<real>(kEps), static_cast<real>(kDecay), ++updates_, 1);
    double loss = 0;
    for (const double part : losses) loss += part;
    return loss;
  }

 private:
  real* take(std::size_t count) {
    buffers_.push_back(std::make_unique<Buffer<real>>(*backend_, count));
    return buffers_.back()->data();
  }

  ThreadPool& pool_;
  model::ModelConfig config_;
  model::Network network_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Buffer<real>>> buffers_;
  real *weights_ = nullptr, *first_moment_ = nullptr, *second_moment_ = nullptr;
  real* gradients_[kParts] = {};
  std::int64_t first_ = 0, count_ = 0, updates_ = 0;
  const std::vector<real> prefix_ = signed_values("W1.prefix", std::int64_t{kBatch} * kPrefix * kHidden, 1);
  const std::vector<std::int32_t> ids_ = integer_values("W1.ids", kTargets, kVocab),
                                  target_ = integer_values("W6.target", kTargets, kVocab);
};

}  // namespace

void training_cases(const Harness& harness, ThreadPool& pool) {
  const std::string workload = "W6.B" + std::to_string(kBatch);
  if (!harness.wanted(workload)) return;
  Training training(pool, harness.options().isa);
  std::vector<double> losses;
  harness.run(
      workload, kGflop, [&] { losses.push_back(training.update()); },
      [&] {
        return json_object({{"loss_step0", std::to_string(losses[0])}, {"loss_step1", std::to_string(losses[1])}});
      });
}

}  // namespace wam::bench
