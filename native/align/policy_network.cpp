#include "align/policy_network.h"

#include <algorithm>

namespace wam::align {

using namespace model;

PolicyNetwork::PolicyNetwork(const ModelConfig& config, const Network& network, Backend& backend, int scenes,
                             int blocks, bool training)
    : config_(config),
      network_(network),
      backend_(backend),
      encoder_(config, network, backend),
      decoder_(config, network, backend),
      max_scenes_(scenes),
      max_blocks_(blocks),
      training_(training),
      full_(config.mask == MaskKind::full),
      cached_(!training && !full_),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  for (int i = 0; i < blocks * config.slots(); ++i) slot_[static_cast<std::size_t>(i)] = i % config.slots();
}

void PolicyNetwork::reserve(Arena& arena) {
  staged_.clear();
  const int sequences = full_ ? max_blocks_ : max_scenes_;  // a full mask ties a prefix to one block
  const int blocks = full_ ? 1 : (max_blocks_ + max_scenes_ - 1) / max_scenes_;
  const int prefix = sequences * scene::max_prefix_tokens({config_.max_agents, config_.max_lanes});
  const int actions = max_blocks_ * config_.slots();
  encoder_.reserve(arena, staged_, sequences, training_);
  decoder_.reserve(arena, prefix + actions, training_);
  slot_.reserve(staged_, static_cast<std::size_t>(actions));
  position_.reserve(staged_, static_cast<std::size_t>(prefix + actions));
  prefill_.reserve(staged_, sequences, 0);
  nothing_.reserve(staged_, 1, 0);
  all_.reserve(staged_, sequences, blocks);
  actions_only_.reserve(staged_, sequences, blocks);
  logits_ = arena.take<real>(static_cast<std::size_t>(actions) * config_.vocab);
  if (training_) dnormed_ = arena.take<real>(static_cast<std::size_t>(prefix + actions) * config_.hidden);
  staged_.take(arena, backend_);
}

void PolicyNetwork::arrange(std::span<const scene::Features* const> scenes, std::span<const int> blocks) {
  const int slots = config_.slots();
  blocks_.assign(blocks.begin(), blocks.end());
  encoder_.clear();
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    for (int copy = 0; copy < (full_ ? blocks[i] : 1); ++copy) encoder_.add(*scenes[i]);
  }
  encoder_.arrange(false);
  prefix_ = encoder_.total_rows();

  prefill_.clear(), nothing_.clear(), all_.clear(), actions_only_.clear();
  int action = prefix_;
  for (int s = 0; s < encoder_.observations(); ++s) {
    const Sequence sequence{encoder_.prefix_begin(s), encoder_.prefix_rows(s), action,
                            full_ ? 1 : blocks[static_cast<std::size_t>(s)]};
    const int rows = sequence.blocks * slots;
    if (cached_)
      prefill_.add(config_.mask, {sequence.prefix_begin, sequence.prefix_rows, prefix_, 0}, slots, {true, false});
    all_.add(config_.mask, sequence, slots, {!cached_, true});
    actions_only_.add(config_.mask, sequence, slots, {false, true});
    for (int k = 0; k < sequence.prefix_rows; ++k) position_[static_cast<std::size_t>(sequence.prefix_begin + k)] = k;
    for (int k = 0; k < rows; ++k) position_[static_cast<std::size_t>(action + k)] = sequence.prefix_rows + k % slots;
    action += rows;
  }
  actions_ = action - prefix_;
  staged_.push(backend_);
}

void PolicyNetwork::encode(const Policy& policy) {
  if (!cached_) return;
  const Weights weights{policy.block, nullptr};
  encoder_.forward(weights, decoder_.input());
  decoder_.forward(weights, 0, prefix_, prefix_, prefill_, nothing_, position_.device(), {});
}

const real* PolicyNetwork::logits(const Policy& policy, std::span<const std::int32_t* const> inputs) {
  const int hidden = config_.hidden, slots = config_.slots();
  const Weights weights{policy.block, nullptr};
  real* row = action_rows(decoder_.input());
  if (!cached_) encoder_.forward(weights, decoder_.input());
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const int rows = blocks_[i] * slots;
    if (rows == 0) continue;
    backend_.embedding(rows, hidden, policy.tables.input, inputs[i], row, hidden, false);
    row += static_cast<std::int64_t>(rows) * hidden;
  }
  backend_.embedding(actions_, hidden, policy.block + network_.slot_embedding, slot_.device(),
                     action_rows(decoder_.input()), hidden, true);
  normed_ = decoder_.forward(weights, cached_ ? prefix_ : 0, prefix_ + actions_, prefix_, all_, actions_only_,
                             position_.device(), {});
  Gemm head;
  head.m = actions_, head.n = config_.vocab, head.k = hidden;
  head.a = normed_ + static_cast<std::int64_t>(prefix_) * hidden, head.lda = hidden;
  head.b = policy.tables.head, head.ldb = hidden, head.b_transposed = true;
  head.c = logits_, head.ldc = config_.vocab;
  backend_.gemm(head);
  return logits_;
}

void PolicyNetwork::backward(const Policy& policy, std::span<const std::int32_t* const> inputs, const real* dlogits,
                             real* grad, const NumericTables& table_grad) {
  const int hidden = config_.hidden, vocab = config_.vocab, slots = config_.slots();
  const Weights weights{policy.block, nullptr};
  Gemm dhead;  // of the head's rows: dlogits^T normed
  dhead.m = vocab, dhead.n = hidden, dhead.k = actions_;
  dhead.a = dlogits, dhead.lda = vocab, dhead.a_transposed = true;
  dhead.b = normed_ + static_cast<std::int64_t>(prefix_) * hidden, dhead.ldb = hidden;
  dhead.c = table_grad.head, dhead.ldc = hidden;
  dhead.accumulate = true;
  backend_.gemm(dhead);
  Gemm dnormed;
  dnormed.m = actions_, dnormed.n = hidden, dnormed.k = vocab;
  dnormed.a = dlogits, dnormed.lda = vocab;
  dnormed.b = policy.tables.head, dnormed.ldb = hidden;
  dnormed.c = action_rows(dnormed_), dnormed.ldc = hidden;
  backend_.gemm(dnormed);

  const real* dx = decoder_.backward(weights, prefix_ + actions_, prefix_, all_, actions_only_, position_.device(), {},
                                     dnormed_, grad);
  const real* daction = dx + static_cast<std::int64_t>(prefix_) * hidden;
  const real* row = daction;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const int rows = blocks_[i] * slots;
    if (rows == 0) continue;
    backend_.embedding_backward(rows, hidden, inputs[i], row, hidden, table_grad.input);
    row += static_cast<std::int64_t>(rows) * hidden;
  }
  backend_.embedding_backward(actions_, hidden, slot_.device(), daction, hidden, grad + network_.slot_embedding);
  encoder_.backward(weights, dx, grad);
}

}  // namespace wam::align
