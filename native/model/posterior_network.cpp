#include "model/posterior_network.h"

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
      max_samples_(max_samples),
      coordinate_(TrajectoryTokens(config_).coordinates()),
      arena_(Arena::measuring()) {
  reserve(arena_);
  arena_ = Arena(arena_.used());
  reserve(arena_);
  const int slots = config_.slots();
  for (int i = 0; i < max_samples * slots; ++i) slot_[i] = i % slots;

  const real* block = model_->data();
  packed_.resize(static_cast<std::size_t>(network_.linear_count));
  const auto pack = [&](const Linear& l) {
    packed_[static_cast<std::size_t>(l.id)] = backend_.pack(block + l.weight, l.in, true, l.in, l.out);
  };
  for (int i = 0; i < kTokenTypes; ++i) pack(network_.encoder_in[i]), pack(network_.encoder_out[i]);
  for (const Layer& layer : network_.layers) pack(layer.qkv), pack(layer.output), pack(layer.up), pack(layer.down);
  pack(network_.last_key_value);
  make_numeric_tables(config_, network_, backend_, block, tables_);
  packed_head_ = backend_.pack(tables_.head, config_.hidden, true, config_.hidden, config_.vocab);

  metric_.vocab = config_.vocab;
  metric_.power = static_cast<real>(config_.metric_power);
  if (config_.metric == MetricKind::coordinate) {
    metric_.coordinate = coordinate_.data();
  } else {
    metric_.table = block + network_.metric_table;
    metric_.dim = config_.table_dim;
  }
}

void PosteriorNetwork::reserve(Arena& arena) {
  const int prefix_copies = config_.mask == MaskKind::full ? max_samples_ : 1;
  const int prefix = prefix_copies * scene::max_prefix_tokens({config_.max_agents, config_.max_lanes});
  const int actions = max_samples_ * config_.slots();
  encoder_.reserve(arena, prefix_copies, false);
  decoder_.reserve(arena, prefix + actions, false);
  tables_ = NumericTables::take(config_, arena);
  logits_ = arena.take<real>(static_cast<std::size_t>(actions) * config_.vocab);
  prefix_ = arena.take<real>(static_cast<std::size_t>(prefix) * config_.hidden);
  slot_ = arena.take<std::int32_t>(static_cast<std::size_t>(actions));
  position_.resize(static_cast<std::size_t>(prefix + actions));
}

void PosteriorNetwork::set_prefix(const scene::Features& features, int samples, bool cache) {
  const int copies = config_.mask == MaskKind::full ? samples : 1;
  encoder_.clear();
  for (int i = 0; i < copies; ++i) encoder_.add(features);
  const Weights weights{model_->data(), &packed_};
  cached_ = cache && config_.mask != MaskKind::full;
  encoder_.forward(weights, cached_ ? decoder_.input() : prefix_);

  const int rows = encoder_.total_rows(), slots = config_.slots();
  for (int i = 0; i < copies; ++i) {
    for (int k = 0; k < encoder_.prefix_rows(i); ++k) position_[encoder_.prefix_begin(i) + k] = k;
  }
  for (int k = 0; k < samples * slots; ++k) position_[rows + k] = encoder_.prefix_rows(0) + k % slots;
  if (!cached_) return;
  all_.clear();
  add_segments(config_.mask, {0, rows, rows, 0}, slots, {true, false}, all_);
  last_.clear();
  decoder_.forward(weights, 0, rows, rows, all_, last_, position_.data(), {});
}

const real* PosteriorNetwork::logits(const std::int32_t* tokens, int active) {
  const int prefix = encoder_.total_rows(), slots = config_.slots(), hidden = config_.hidden;
  const int actions = active * slots;
  const Weights weights{model_->data(), &packed_};
  real* x = decoder_.input();
  real* action_rows = x + static_cast<std::int64_t>(prefix) * hidden;
  backend_.embedding(actions, hidden, tables_.input, tokens, action_rows, hidden, false);
  backend_.embedding(actions, hidden, model_->data() + network_.slot_embedding, slot_, action_rows, hidden, true);

  all_.clear(), last_.clear();
  const bool full = config_.mask == MaskKind::full;
  const int sequences = full ? active : 1;
  for (int i = 0; i < sequences; ++i) {
    const Sequence sequence{encoder_.prefix_begin(i), encoder_.prefix_rows(i), prefix + i * slots, full ? 1 : active};
    if (!cached_) add_segments(config_.mask, sequence, slots, {true, true}, all_);
    add_segments(config_.mask, sequence, slots, {false, true}, last_);
  }
  if (!cached_) {
    const auto n = static_cast<std::int64_t>(prefix) * hidden;
    backend_.fill(n, 0, x);
    backend_.axpy(n, 1, prefix_, x);
  }
  const real* normed = decoder_.forward(weights, cached_ ? prefix : 0, prefix + actions, prefix, cached_ ? last_ : all_,
                                        last_, position_.data(), {});
  Gemm head;
  head.m = actions, head.n = config_.vocab, head.k = hidden;
  head.a = normed + static_cast<std::int64_t>(prefix) * hidden, head.lda = hidden;
  head.packed = packed_head_.get();
  head.c = logits_, head.ldc = config_.vocab;
  backend_.gemm(head);
  return logits_;
}

}  // namespace wam::model
