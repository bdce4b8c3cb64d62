#include "align/policy_pass.h"

#include <algorithm>

namespace wam::align {

using namespace model;

PolicyPass::PolicyPass(const ModelConfig& config, const Network& network, Backend& backend, int scenes, int blocks,
                       int decisions)
    : config_(config),
      backend_(backend),
      max_blocks_(blocks),
      max_decisions_(decisions),
      trained_(config, network, backend, scenes, blocks, true),
      frozen_(config, network, backend, scenes, blocks, false),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  host_.resize(static_cast<std::size_t>(decisions) * config.slots());
}

void PolicyPass::reserve(Arena& arena) {
  const auto rows = static_cast<std::size_t>(max_decisions_) * config_.slots();
  const auto inputs = static_cast<std::size_t>(max_blocks_) * config_.slots();
  const auto vocab = static_cast<std::size_t>(config_.vocab);
  staged_.clear();
  input_.reserve(staged_, inputs);
  row_.reserve(staged_, rows), token_.reserve(staged_, rows);
  old_.reserve(staged_, rows), advantage_.reserve(staged_, rows), weight_.reserve(staged_, rows);
  staged_.take(arena, backend_);
  for (real** list : {&logits_, &reference_}) *list = arena.take<real>(rows * vocab);
  dblock_ = arena.take<real>(inputs * vocab);
  for (real** list : {&loss_, &ratio_, &kl_, &log_probability_}) *list = arena.take<real>(rows);
}

PolicyFigures PolicyPass::run(const Policy& policy, const Policy& reference, std::span<const scene::Features> features,
                              Decisions& d, const Objective& objective, double weight, real* grad,
                              const NumericTables* table_grad) {
  PolicyFigures figures;
  if (d.decisions() == 0) return figures;
  const int slots = config_.slots(), vocab = config_.vocab, rows = d.decisions() * slots;
  const auto count = static_cast<std::size_t>(rows);
  const bool first = d.old.empty();
  std::copy(d.input.begin(), d.input.end(), input_.host());
  std::copy(d.token.begin(), d.token.end(), token_.host());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t decision = i / static_cast<std::size_t>(slots);
    row_[i] = d.block[decision] * slots + static_cast<std::int32_t>(i) % slots;
    advantage_[i] = d.advantage[decision];
    weight_[i] = static_cast<real>(weight);
    old_[i] = first ? real(0) : d.old[i];
  }
  staged_.push(backend_);

  std::vector<const scene::Features*> scenes;
  std::vector<const std::int32_t*> inputs;
  const std::int32_t* next = input_.device();
  for (std::size_t i = 0; i < d.scenes.size(); ++i) {
    scenes.push_back(&features[static_cast<std::size_t>(d.scenes[i])]);
    inputs.push_back(next);
    next += d.blocks[i] * slots;
  }
  // Several decisions may share an input: their logits are copies of its rows.
  frozen_.arrange(scenes, d.blocks);
  frozen_.encode(reference);
  backend_.embedding(rows, vocab, frozen_.logits(reference, inputs), row_.device(), reference_, vocab, false);
  trained_.arrange(scenes, d.blocks);
  backend_.embedding(rows, vocab, trained_.logits(policy, inputs), row_.device(), logits_, vocab, false);

  PolicyLoss p;
  p.rows = rows, p.vocab = vocab;
  p.logits = logits_, p.ldl = vocab;
  p.temperature = static_cast<real>(objective.temperature);
  p.token = token_.device();
  p.old_log_probability = old_.device();
  p.advantage = advantage_.device(), p.weight = weight_.device();
  p.clip = static_cast<real>(objective.clip), p.kl_beta = static_cast<real>(objective.kl_beta);
  p.exact_kl = objective.exact_kl;
  p.loss = loss_;
  p.log_probability = log_probability_;
  if (first) {
    // The weights are still those that drew the tokens.
    backend_.policy_loss(p);
    d.old.resize(count);
    backend_.download(d.old.data(), log_probability_, count * sizeof(real));
    std::copy(d.old.begin(), d.old.end(), old_.host());
    staged_.push(backend_);
  }
  p.reference = reference_, p.ldr = vocab;
  p.ratio = ratio_, p.kl = kl_;
  if (grad != nullptr) p.dlogits = logits_, p.lddl = vocab;
  backend_.policy_loss(p);
  if (grad != nullptr) {
    const auto block_rows = static_cast<std::int64_t>(d.input.size());
    backend_.fill(block_rows * vocab, 0, dblock_);
    backend_.embedding_backward(rows, vocab, row_.device(), logits_, vocab, dblock_);
    trained_.backward(policy, inputs, dblock_, grad, *table_grad);
  }

  figures.tokens = rows;
  backend_.download(host_.data(), loss_, count * sizeof(real));
  for (std::size_t i = 0; i < count; ++i) figures.loss += host_[i];
  backend_.download(host_.data(), kl_, count * sizeof(real));
  for (std::size_t i = 0; i < count; ++i) figures.kl += host_[i];
  backend_.download(host_.data(), ratio_, count * sizeof(real));
  for (std::size_t i = 0; i < count; ++i) {
    const real a = d.advantage[i / static_cast<std::size_t>(slots)];
    figures.clipped += (a > 0 && host_[i] > 1 + objective.clip) || (a < 0 && host_[i] < 1 - objective.clip);
  }
  return figures;
}

}  // namespace wam::align
