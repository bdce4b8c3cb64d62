#include "model/posterior_network.h"

#include <algorithm>

#include "core/error.h"
#include "model/trajectory_tokens.h"

namespace wam::model {

PosteriorNetwork::PosteriorNetwork(std::shared_ptr<const Model> model, Backend& backend, int max_samples)
    : model_(std::move(model)),
      config_(model_->config()),
      backend_(backend),
      network_(config_),
      encoder_(config_, network_, backend),
      decoder_(config_, network_, backend),
      values_(config_, network_, backend),
      max_samples_(max_samples),
      padded_(!backend.unified()),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  const int slots = config_.slots();
  for (int i = 0; i < max_samples * slots; ++i) slot_[static_cast<std::size_t>(i)] = i % slots;
  std::fill_n(mask_.host(), max_samples * slots, config_.network_vocab());
  std::fill_n(time_.host(), max_samples * slots, 0);
  if (padded_)
    backend_.upload(block_, model_->data(), static_cast<std::size_t>(model_->layout().size()) * sizeof(real));
  const real* block = weights();
  const std::vector<real> coordinates = TrajectoryTokens(config_).coordinates();
  std::copy(coordinates.begin(), coordinates.end(), coordinate_.host());
  constants_.push(backend_);

  packed_.resize(static_cast<std::size_t>(network_.linear_count));
  const auto pack = [&](const Linear& l, bool exact = false) {
    packed_[static_cast<std::size_t>(l.id)] = backend_.pack(block + l.weight, l.in, true, l.in, l.out, exact);
  };
  // Metres and radians side by side do not bear a scale for all of them (docs/precision.md).
  for (int i = 0; i < kTokenTypes; ++i) pack(network_.encoder_in[i], true), pack(network_.encoder_out[i], true);
  for (const Layer& layer : network_.layers) pack(layer.qkv), pack(layer.output), pack(layer.up), pack(layer.down);
  pack(network_.last_key_value);
  make_numeric_tables(config_, network_, backend_, block, tables_);
  if (config_.continuous()) return;
  packed_head_ = backend_.pack(tables_.head, config_.hidden, true, config_.hidden, config_.vocab);

  metric_.vocab = config_.vocab;
  metric_.power = static_cast<real>(config_.metric_power);
  if (config_.metric == MetricKind::coordinate) {
    metric_.coordinate = coordinate_.device();
  } else {
    metric_.table = block + network_.metric_table;
    metric_.dim = config_.table_dim;
    metric_table_ = backend_.pack_table(config_.vocab, config_.table_dim, metric_.table, metric_.normalise);
    metric_.packed = metric_table_.get();
  }
}

void PosteriorNetwork::reserve(Arena& arena) {
  const int prefix_copies = config_.mask == MaskKind::full ? max_samples_ : 1;
  const int blocks = config_.mask == MaskKind::full ? 1 : max_samples_;
  const int prefix = prefix_copies * scene::max_prefix_tokens({config_.max_agents, config_.max_lanes});
  const int actions = max_samples_ * config_.slots();
  if (padded_) block_ = arena.take<real>(static_cast<std::size_t>(model_->layout().size()));
  constants_.clear(), staged_.clear();
  coordinate_.reserve(constants_, static_cast<std::size_t>(config_.vocab));
  slot_.reserve(constants_, static_cast<std::size_t>(actions));
  mask_.reserve(constants_, static_cast<std::size_t>(actions));
  time_.reserve(constants_, static_cast<std::size_t>(actions));
  encoder_.reserve(arena, staged_, prefix_copies, false);
  decoder_.reserve(arena, prefix + actions, false);
  tables_ = NumericTables::take(config_, arena);
  logits_ = arena.take<real>(static_cast<std::size_t>(actions) * config_.network_vocab());
  values_.reserve(arena, 1, false);
  prefix_ = arena.take<real>(static_cast<std::size_t>(prefix) * config_.hidden);
  position_.reserve(staged_, static_cast<std::size_t>(prefix + actions));
  prefill_.reserve(staged_, prefix_copies, 0);
  nothing_.reserve(staged_, 1, 0);
  for (StepSegments* step : {&single_, &every_}) {
    step->all.reserve(staged_, prefix_copies, blocks);
    step->actions.reserve(staged_, prefix_copies, blocks);
  }
  next_.resize(config_.decoder == DecoderKind::autoregressive ? static_cast<std::size_t>(config_.slots()) : 0);
  for (Segments& next : next_) next.reserve(staged_, 1, 1);
  constants_.take(arena, backend_), staged_.take(arena, backend_);
}

void PosteriorNetwork::set_prefix(const scene::Features& features, int samples, bool cache) {
  const int copies = config_.mask == MaskKind::full ? samples : 1, slots = config_.slots();
  samples_ = samples;
  cached_ = cache && config_.mask != MaskKind::full;
  encoder_.clear();
  for (int i = 0; i < copies; ++i) encoder_.add(features);
  encoder_.arrange(padded_);
  prefix_rows_ = encoder_.written_rows();

  const int own = encoder_.prefix_rows(0);
  for (int k = 0; k < prefix_rows_; ++k) position_[static_cast<std::size_t>(k)] = k < copies * own ? k % own : 0;
  for (int k = 0; k < samples * slots; ++k) position_[static_cast<std::size_t>(prefix_rows_ + k)] = own + k % slots;

  prefill_.clear(), nothing_.clear();
  if (cached_) prefill_.add(config_.attention(), {0, own, prefix_rows_, 0}, slots, {true, false});
  add_step(single_, 1);
  add_step(every_, samples);
  for (int slot = 0; slot < static_cast<int>(next_.size()); ++slot) {
    Segments& next = next_[static_cast<std::size_t>(slot)];
    next.clear();
    next.add_next({0, own, prefix_rows_, 1}, slot);
    if (padded_) next.bound(prefix_rows_);
  }
  if (padded_) {
    for (Segments* list : {&prefill_, &single_.all, &single_.actions, &every_.all, &every_.actions}) {
      list->bound(prefix_rows_ / copies);
    }
  }
  staged_.push(backend_);
}

void PosteriorNetwork::add_step(StepSegments& step, int active) {
  const bool full = config_.mask == MaskKind::full;
  const int slots = config_.slots(), sequences = full ? active : 1;
  step.all.clear(), step.actions.clear();
  for (int i = 0; i < sequences; ++i) {
    const Sequence sequence{encoder_.prefix_begin(i), encoder_.prefix_rows(i), prefix_rows_ + i * slots,
                            full ? 1 : active};
    step.all.add(config_.attention(), sequence, slots, {!cached_, true});
    step.actions.add(config_.attention(), sequence, slots, {false, true});
  }
}

void PosteriorNetwork::encode_prefix() {
  const Weights weights{this->weights(), &packed_};
  encoder_.forward(weights, cached_ ? decoder_.input() : prefix_);
  if (!cached_) return;
  decoder_.forward(weights, 0, prefix_rows_, prefix_rows_, prefill_, nothing_, position_.device(), {});
}

void PosteriorNetwork::embed(const std::int32_t* tokens, int first, int count, real* rows) {
  const int hidden = config_.hidden;
  backend_.embedding(count, hidden, tables_.input, tokens, rows, hidden, false);
  backend_.embedding(count, hidden, weights() + network_.slot_embedding, slot_.device() + first, rows, hidden, true);
}

const real* PosteriorNetwork::run(int active, const LayerWatch& watch) {
  const int prefix = prefix_rows_, hidden = config_.hidden;
  if (!cached_) {
    const auto n = static_cast<std::int64_t>(prefix) * hidden;
    backend_.fill(n, 0, decoder_.input());
    backend_.axpy(n, 1, prefix_, decoder_.input());
  }
  const StepSegments& step = active == samples_ ? every_ : single_;
  const real* normed = decoder_.forward({weights(), &packed_}, cached_ ? prefix : 0, prefix + active * config_.slots(),
                                        prefix, step.all, step.actions, position_.device(), {}, watch);
  return normed == nullptr ? nullptr : normed + static_cast<std::int64_t>(prefix) * hidden;
}

const real* PosteriorNetwork::head(const real* normed, int rows) {
  Gemm head;
  head.m = rows, head.n = config_.vocab, head.k = config_.hidden;
  head.a = normed, head.lda = config_.hidden;
  head.packed = packed_head_.get();
  head.c = logits_, head.ldc = config_.vocab;
  backend_.gemm(head);
  return logits_;
}

const real* PosteriorNetwork::logits(const std::int32_t* tokens, int active, const LayerWatch& watch) {
  const int actions = active * config_.slots();
  embed(tokens, 0, actions, decoder_.input() + static_cast<std::int64_t>(prefix_rows_) * config_.hidden);
  const real* normed = run(active, watch);
  return normed == nullptr ? nullptr : head(normed, actions);
}

const real* PosteriorNetwork::next_logits(const std::int32_t* token, int slot, const LayerWatch& watch) {
  const int row = prefix_rows_ + slot, hidden = config_.hidden;
  embed(token, slot, 1, decoder_.input() + static_cast<std::int64_t>(row) * hidden);
  const Segments& next = next_[static_cast<std::size_t>(slot)];
  const real* normed =
      decoder_.forward({weights(), &packed_}, row, row + 1, row, next, next, position_.device(), {}, watch);
  return normed == nullptr ? nullptr : head(normed + static_cast<std::int64_t>(row) * hidden, 1);
}

bool PosteriorNetwork::values(const real* z, const real* time_features, int active, real* out,
                              const LayerWatch& watch) {
  const int actions = active * config_.slots();
  real* rows = decoder_.input() + static_cast<std::int64_t>(prefix_rows_) * config_.hidden;
  const Weights weights{this->weights(), &packed_};
  embed(mask_.device(), 0, actions, rows);
  if (z != nullptr) values_.forward(weights, actions, z, 1, time_features, time_.device(), rows);
  const real* normed = run(active, watch);
  if (normed == nullptr) return false;
  apply(backend_, weights, network_.value_head, actions, normed, config_.hidden, out, 1);
  return true;
}

}  // namespace wam::model
