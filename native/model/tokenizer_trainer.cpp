#include <algorithm>
#include <cmath>

#include "core/arena.h"
#include "core/error.h"
#include "core/staged.h"
#include "model/trainer.h"
#include "model/triplet_draw.h"

namespace wam::model {

struct TokenizerTrainer::Impl {
  Impl(std::vector<double> values, int table_dim, TokenizerTrainConfig train_config, const BackendFactory& make_backend)
      : coordinate(std::move(values)), dim(table_dim), train(train_config), backend(make_backend()) {
    const int vocab = static_cast<int>(coordinate.size());
    if (vocab < 3) throw Error("ERR_ARGUMENT", "coordinate: expected at least 3 token values");
    if (!std::is_sorted(coordinate.begin(), coordinate.end())) {
      throw Error("ERR_ARGUMENT", "coordinate: expected ascending token values");
    }
    if (dim < 2 || dim > 4096) throw Error("ERR_ARGUMENT", "dim: expected 2 to 4096");
    if (train.batch < 1 || train.batch > (1 << 20) || !(train.lr > 0)) {
      throw Error("ERR_CONFIG", "tokenizer training: batch and lr must be positive");
    }
    size = static_cast<std::size_t>(vocab) * dim;
    arena = std::make_unique<Arena>(make_arena(*backend, [this](Arena& a) { reserve(a); }));
    const RandomStream stream(train.seed);
    std::vector<real> initial(size);
    for (std::size_t i = 0; i < size; ++i) {
      const Philox4 r = stream.at(static_cast<std::uint32_t>(i / 4), 0, 0, RandomUse::initial_weight);
      initial[i] = static_cast<real>(2.0 * unit_uniform(r.word[i % 4]) - 1.0);
    }
    upload(table, initial);
  }

  void reserve(Arena& a) {
    for (real** list : {&table, &gradient, &first_moment, &second_moment}) *list = a.take<real>(size);
    const auto n = static_cast<std::size_t>(train.batch);
    staged.clear();
    for (auto* list : {&anchor, &positive, &negative}) list->reserve(staged, n);
    margin.reserve(staged, n);
    staged.take(a, *backend);
  }

  void upload(real* to, const std::vector<real>& from) { backend->upload(to, from.data(), size * sizeof(real)); }
  std::vector<real> download(const real* from) {
    std::vector<real> to(size);
    backend->download(to.data(), from, size * sizeof(real));
    return to;
  }

  void draw(std::uint32_t step, std::size_t i) {
    const Triplet t = draw_triplet(RandomStream(train.seed), step, static_cast<std::uint32_t>(i), coordinate);
    anchor[i] = t.anchor, positive[i] = t.positive, negative[i] = t.negative;
    // A fixed margin cannot be met by tokens a hundredth of the range apart; it would be a permanent loss floor.
    margin[i] = static_cast<real>(std::min(train.margin, train.margin_per_gap * t.gap));
  }

  double share_of_violations() {
    std::vector<real> fetched;
    if (!backend->unified()) fetched = download(table);
    const real* rows = backend->unified() ? table : fetched.data();
    const auto row = [&](std::int32_t token) { return rows + static_cast<std::size_t>(token) * dim; };
    const auto cosine = [&](std::int32_t a, std::int32_t b) {
      double dot = 0, aa = 0, bb = 0;
      for (int i = 0; i < dim; ++i) {
        const double x = row(a)[i], y = row(b)[i];
        dot += x * y, aa += x * x, bb += y * y;
      }
      return dot / std::sqrt(std::max(aa * bb, 1e-30));
    };
    int wrong = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(train.batch); ++i) {
      wrong += cosine(anchor[i], positive[i]) <= cosine(anchor[i], negative[i]);
    }
    return static_cast<double>(wrong) / train.batch;
  }

  TokenizerStats step() {
    const std::int64_t update = done + 1;
    const auto count = static_cast<std::size_t>(train.batch);
    for (std::size_t i = 0; i < count; ++i) draw(static_cast<std::uint32_t>(update), i);
    staged.push(*backend);
    TokenizerStats stats;
    stats.step = update;
    stats.order_violations = share_of_violations();
    backend->fill(static_cast<std::int64_t>(size), 0, gradient);
    stats.loss = backend->triplet_margin(train.batch, static_cast<int>(coordinate.size()), dim, table, anchor.device(),
                                         positive.device(), negative.device(), margin.device(), true, gradient);
    // Cosine to 0 over the run: the last steps settle the order of close neighbours.
    const double left = std::max(0.0, 1 - static_cast<double>(update - 1) / static_cast<double>(train.steps));
    const double lr = train.lr * 0.5 * (1 - std::cos(3.141592653589793 * left));
    backend->adamw(static_cast<std::int64_t>(size), table, gradient, first_moment, second_moment, static_cast<real>(lr),
                   real(0.9), real(0.98), real(1e-8), 0, update, 1);
    done = update;
    return stats;
  }

  std::vector<double> coordinate;
  int dim;
  TokenizerTrainConfig train;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Arena> arena;
  std::size_t size = 0;
  real *table = nullptr, *gradient = nullptr, *first_moment = nullptr, *second_moment = nullptr;
  StagedBlock staged;
  Staged<real> margin;
  Staged<std::int32_t> anchor, positive, negative;
  std::int64_t done = 0;
};

TokenizerTrainer::TokenizerTrainer(std::vector<double> coordinate, int dim, TokenizerTrainConfig config,
                                   const BackendFactory& make_backend)
    : impl_(std::make_unique<Impl>(std::move(coordinate), dim, config, make_backend)) {}

TokenizerTrainer::~TokenizerTrainer() = default;

TokenizerStats TokenizerTrainer::step() { return impl_->step(); }

std::int64_t TokenizerTrainer::steps_done() const { return impl_->done; }

namespace {

ParameterLayout table_layout(int vocab, int dim) {
  ParameterLayout layout;
  layout.add("table", {vocab, dim}, false);
  return layout;
}

}  // namespace

std::vector<NamedTensor> TokenizerTrainer::state() const {
  const ParameterLayout layout = table_layout(static_cast<int>(impl_->coordinate.size()), impl_->dim);
  std::vector<NamedTensor> out = named_tensors(layout, "", impl_->download(impl_->table).data());
  out.push_back(named_tensors(layout, "first_moment.", impl_->download(impl_->first_moment).data())[0]);
  out.push_back(named_tensors(layout, "second_moment.", impl_->download(impl_->second_moment).data())[0]);
  return out;
}

void TokenizerTrainer::restore(const std::vector<NamedTensor>& state, std::int64_t steps_done) {
  const ParameterLayout layout = table_layout(static_cast<int>(impl_->coordinate.size()), impl_->dim);
  // "table" is a prefix of nothing else, but the moments carry prefixes of their own: pick by exact name.
  const auto pick = [&](const std::string& prefix, std::vector<real>& block) {
    std::vector<NamedTensor> one;
    for (const NamedTensor& t : state) {
      if (t.name == prefix + "table") one.push_back(t);
    }
    copy_tensors(layout, one, prefix, block.data());
  };
  std::vector<real> table = impl_->download(impl_->table), first = table, second = table;
  pick("", table), pick("first_moment.", first), pick("second_moment.", second);
  if (steps_done < 0) throw Error("ERR_CHECKPOINT_CORRUPT", "steps done: expected a count, received a negative number");
  impl_->upload(impl_->table, table);
  impl_->upload(impl_->first_moment, first), impl_->upload(impl_->second_moment, second);
  impl_->done = steps_done;
}

}  // namespace wam::model
