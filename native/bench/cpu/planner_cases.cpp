// W1: the planner's network. a: one step over all rows; b: five of them; c: the prefix once, then five steps over the
// action rows with its keys and values; d: one such step.

#include <algorithm>
#include <memory>
#include <optional>

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"
#include "bench/cpu/planner_model.h"

namespace wam::bench {

namespace {

constexpr int kBatches[] = {1, 8, 64};
constexpr double kGflopA = 1.2795, kGflopB = 6.3976, kGflopC = 2.3334, kGflopD = 0.2981;  // a sample
// Samples whose rows go through the layers together.
constexpr int kAtOnce = 2;

/// Weights, packed where a product reads them.
struct Packed {
  explicit Packed(Backend& backend)
      : config(planner_config()), network(config), block(backend, planner_weights(config, network)) {
    layers.resize(static_cast<std::size_t>(network.linear_count));
    const auto pack = [&](const model::Linear& l) {
      return backend.pack(block.data() + l.weight, l.in, true, l.in, l.out);
    };
    const auto keep = [&](const model::Linear& l) { layers[static_cast<std::size_t>(l.id)] = pack(l); };
    for (const model::Layer& layer : network.layers)
      keep(layer.qkv), keep(layer.output), keep(layer.up), keep(layer.down);
    keep(network.last_key_value);
    const model::Linear& rows = network.numeric_head;
    head = backend.pack(block.data() + rows.weight, config.hidden, true, config.hidden, config.vocab);
  }

  model::ModelConfig config;
  model::Network network;
  Buffer<real> block;
  std::vector<std::unique_ptr<PackedWeight>> layers;
  std::unique_ptr<PackedWeight> head;
};

/// Decodes samples: the keys and values of `held` prefixes stay, and the actions of `at_once` of them go through the
/// layers together.
class Session {
 public:
  Session(Backend& backend, const Packed& packed, int held, int at_once)
      : backend_(backend),
        packed_(packed),
        decoder_(packed.config, packed.network, backend),
        prefix_rows_(held * kPrefix),
        actions_(at_once * kActions),
        arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })),
        prefill_(backend, held, 0, held, {true, false}) {
    if (held == at_once) full_.emplace(backend, held, 0, held, model::SegmentChoice{true, true});
    for (int first = 0; first < held; first += at_once) {
      cached_.push_back(
          std::make_unique<PlannerRows>(backend, held, first, at_once, model::SegmentChoice{false, true}));
    }
    std::vector<std::int32_t> step(static_cast<std::size_t>(kSteps * actions_));
    for (std::size_t i = 0; i < step.size(); ++i) step[i] = static_cast<std::int32_t>(i) / actions_;
    backend.upload(step_, step.data(), step.size() * sizeof(std::int32_t));
  }

  void load(const real* prefix) {
    backend_.upload(decoder_.input(), prefix, static_cast<std::size_t>(prefix_rows_) * kHidden * sizeof(real));
  }
  /// Keys and values of the loaded prefixes.
  void prefill() {
    decoder_.forward(weights(), 0, prefix_rows_, prefix_rows_, prefill_.all(), prefill_.last(), prefill_.position(),
                     {});
  }
  /// Logits and their argmax of action tokens `ids`, all rows through every layer; what was loaded is used up.
  void decode_full(const std::int32_t* ids, int step, real* logits, std::int32_t* next) {
    decode(*full_, 0, ids, step, logits, next);
  }
  /// The same of samples [pass * at_once, (pass + 1) * at_once) after `prefill`.
  void decode_cached(int pass, const std::int32_t* ids, int step, real* logits, std::int32_t* next) {
    decode(*cached_[static_cast<std::size_t>(pass)], prefix_rows_, ids, step, logits, next);
  }

 private:
  void reserve(Arena& arena) {
    decoder_.reserve(arena, prefix_rows_ + actions_, false);
    step_ = arena.take<std::int32_t>(static_cast<std::size_t>(kSteps * actions_));
  }
  model::Weights weights() const { return {packed_.block.data(), &packed_.layers}; }

  void decode(const PlannerRows& rows, int begin, const std::int32_t* ids, int step, real* logits, std::int32_t* next) {
    const model::Network& network = packed_.network;
    const real* block = packed_.block.data();
    const std::int64_t first = static_cast<std::int64_t>(prefix_rows_) * kHidden;
    real* x = decoder_.input() + first;
    backend_.embedding(actions_, kHidden, block + network.numeric_input.weight, ids, x, kHidden, false);
    backend_.embedding(actions_, kHidden, block + network.slot_embedding, step_ + step * actions_, x, kHidden, true);
    const real* normed = decoder_.forward(weights(), begin, prefix_rows_ + actions_, prefix_rows_, rows.all(),
                                          rows.last(), rows.position(), {});
    Gemm head;
    head.m = actions_, head.n = kVocab, head.k = kHidden;
    head.a = normed + first, head.lda = kHidden;
    head.packed = packed_.head.get();
    head.c = logits, head.ldc = kVocab;
    backend_.gemm(head);
    DecodePosterior argmax;
    argmax.rows = actions_, argmax.vocab = kVocab;
    argmax.logits = logits, argmax.ldl = kVocab;
    argmax.token = next;
    backend_.decode_posterior(argmax);
  }

  Backend& backend_;
  const Packed& packed_;
  model::Decoder decoder_;
  const int prefix_rows_, actions_;
  std::int32_t* step_ = nullptr;  // [steps, actions]: the step's number for every action row
  Arena arena_;
  PlannerRows prefill_;
  std::optional<PlannerRows> full_;
  std::vector<std::unique_ptr<PlannerRows>> cached_;  // by pass
};

/// The workloads of one batch.
class Batch {
 public:
  Batch(const Harness& harness, Backend& backend, ThreadPool& pool, const Packed& packed, int batch)
      : harness_(harness),
        backend_(backend),
        pool_(pool),
        packed_(packed),
        batch_(batch),
        at_once_(std::min(batch, kAtOnce)),
        prefix_(signed_values("W1.prefix", static_cast<std::int64_t>(batch) * kPrefix * kHidden, 1)),
        ids_(backend, integer_values("W1.ids", static_cast<std::int64_t>(batch) * kActions, kVocab)),
        next_(backend, ids_.size()),
        logits_(backend, ids_.size() * kVocab) {}

  void run() {
    {
      Session session(backend_, packed_, at_once_, at_once_);
      report("a", kGflopA, [&] { each_pass([&](int first) { full_steps(session, first, 1); }); });
      report("b", kGflopB, [&] { each_pass([&](int first) { full_steps(session, first, kSteps); }); });
      report("c", kGflopC, [&] { each_pass([&](int first) { cached_steps(session, first); }); });
    }
    if (!harness_.wanted(workload("d"))) return;
    Session session(backend_, packed_, batch_, at_once_);
    session.load(prefix_.data());
    session.prefill();
    report("d", kGflopD, [&] {
      each_pass([&](int first) { session.decode_cached(first / at_once_, ids(first), 0, logits(first), next(first)); });
    });
  }

 private:
  std::string workload(const char* variant) const {
    return std::string("W1") + variant + ".B" + std::to_string(batch_);
  }
  void report(const char* variant, double gflop, const std::function<void()>& work) const {
    const auto burst = [&] {
      const ThreadPool::Burst awake(&pool_);  // as the engine computes a plan
      work();
    };
    harness_.run(workload(variant), gflop * batch_, burst,
                 [this] { return json_object({{"logits", checksum(logits_)}, {"ids", checksum(next_)}}); });
  }
  template <class F>
  void each_pass(F&& pass) const {
    for (int first = 0; first < batch_; first += at_once_) pass(first);
  }

  const real* prefix(int first) const { return prefix_.data() + static_cast<std::int64_t>(first) * kPrefix * kHidden; }
  const std::int32_t* ids(int first) const { return ids_.data() + first * kActions; }
  std::int32_t* next(int first) const { return next_.data() + first * kActions; }
  real* logits(int first) const { return logits_.data() + static_cast<std::int64_t>(first) * kActions * kVocab; }

  void full_steps(Session& session, int first, int steps) const {
    for (int step = 0; step < steps; ++step) {
      session.load(prefix(first));
      session.decode_full(step == 0 ? ids(first) : next(first), step, logits(first), next(first));
    }
  }
  void cached_steps(Session& session, int first) const {
    session.load(prefix(first));
    session.prefill();
    for (int step = 0; step < kSteps; ++step) {
      session.decode_cached(0, step == 0 ? ids(first) : next(first), step, logits(first), next(first));
    }
  }

  const Harness& harness_;
  Backend& backend_;
  ThreadPool& pool_;
  const Packed& packed_;
  const int batch_, at_once_;
  const std::vector<real> prefix_;
  const Buffer<std::int32_t> ids_, next_;
  const Buffer<real> logits_;
};

}  // namespace

void planner_cases(const Harness& harness, Backend& backend, ThreadPool& pool) {
  std::optional<Packed> packed;
  for (const int batch : kBatches) {
    const std::string of_batch = ".B" + std::to_string(batch);
    const char* variants[] = {"W1a", "W1b", "W1c", "W1d"};
    if (std::none_of(std::begin(variants), std::end(variants),
                     [&](const char* variant) { return harness.wanted(variant + of_batch); })) {
      continue;
    }
    if (!packed) packed.emplace(backend);
    Batch(harness, backend, pool, *packed, batch).run();
  }
}

}  // namespace wam::bench
