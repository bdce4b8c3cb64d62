#include "model/batch_loss.h"

#include <algorithm>
#include <cmath>

namespace wam::model {

namespace {

// Augmentation (mini-recipe section 1): what another day on the same roads might have looked like.
constexpr double kScaleDeviation = 0.1, kScaleLeast = 0.75, kScaleMost = 1.33;
constexpr double kDrop = 0.1, kPositionNoise = 0.1, kVelocityNoise = 0.15;
constexpr std::uint32_t kSceneDraw = 0x20000;  // address of the draws of the whole scene; agents and lanes lie below

scene::Augmentation draw_augmentation(const RandomStream& stream, std::uint32_t step, std::uint32_t sample) {
  const Philox4 r = stream.at(step, kSceneDraw, sample, RandomUse::train_augment);
  scene::Augmentation a;
  a.mirror = (r.word[0] & 1) != 0;
  const double normal =
      std::sqrt(-2 * std::log(1 - unit_uniform(r.word[1]))) * std::cos(6.283185307179586 * unit_uniform(r.word[2]));
  a.scale = std::clamp(std::exp(kScaleDeviation * normal), kScaleLeast, kScaleMost);
  a.drop = kDrop, a.position_noise = kPositionNoise, a.velocity_noise = kVelocityNoise;
  a.stream = &stream;
  a.step = step, a.sample = sample;
  return a;
}

void augment(const scene::Augmentation& a, scene::Future& future) {
  for (int i = 0; i < scene::kWaypoints; ++i) {
    future.x[i] *= a.scale;
    future.y[i] *= a.mirror ? -a.scale : a.scale;
    if (a.mirror) future.heading[i] = -future.heading[i];
  }
}

}  // namespace

BatchLoss::BatchLoss(const ModelConfig& model, const TrainConfig& train, const Network& network,
                     const scene::Dataset& data, Backend& backend, const TokenMetric& metric, TargetSource* targets)
    : model_(model),
      train_(train),
      network_(network),
      data_(data),
      backend_(backend),
      targets_(targets),
      encoder_(model, network, backend),
      decoder_(model, network, backend),
      noise_(model, metric, backend),
      values_(model, network, backend),
      tokens_(model),
      features_({model.max_agents, model.max_lanes}),
      stream_(train.seed),
      windows_(train.batch / train.micro_batches),
      prefix_copies_(model.mask == MaskKind::full ? train.copies : 1),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  const std::size_t actions = static_cast<std::size_t>(windows_) * train.copies * model.slots();
  host_loss_.resize(actions);
  for (std::size_t i = 0; i < actions; ++i) slot_[i] = static_cast<std::int32_t>(i % model.slots());
  time_.resize(static_cast<std::size_t>(train.copies));
  if (model.decoder == DecoderKind::diffusion) {
    for (std::size_t i = 0; i < actions; ++i) time_row_[i] = static_cast<std::int32_t>(i) / model.slots();
  }
}

void BatchLoss::reserve(Arena& arena) {
  staged_.clear();
  const int sequences = windows_ * prefix_copies_;
  const int prefix = sequences * scene::max_prefix_tokens({model_.max_agents, model_.max_lanes});
  const int actions = windows_ * train_.copies * model_.slots();
  encoder_.reserve(arena, staged_, sequences, true);
  decoder_.reserve(arena, prefix + actions, true);
  logits_ = arena.take<real>(static_cast<std::size_t>(actions) * (model_.continuous() ? 1 : model_.vocab));
  dnormed_ = arena.take<real>(static_cast<std::size_t>(prefix + actions) * model_.hidden);
  const auto n = static_cast<std::size_t>(actions);
  loss_ = arena.take<real>(n);
  target_.reserve(staged_, n), slot_.reserve(staged_, n), weight_.reserve(staged_, n);
  position_.reserve(staged_, static_cast<std::size_t>(prefix + actions));
  noise_.reserve(arena, staged_, actions);
  if (model_.continuous()) target_value_.reserve(staged_, n);
  if (model_.decoder == DecoderKind::diffusion) {
    const int times = windows_ * train_.copies;
    noisy_.reserve(staged_, n), time_row_.reserve(staged_, n);
    time_features_.reserve(staged_, static_cast<std::size_t>(times) * kTimeFeatures);
    values_.reserve(arena, times, true);
  }
  all_.reserve(staged_, sequences, train_.copies / prefix_copies_);
  last_.reserve(staged_, sequences, train_.copies / prefix_copies_);
  staged_.take(arena, backend_);
}

void BatchLoss::collect(std::int64_t step64, int micro) {
  const auto step = static_cast<std::uint32_t>(step64);
  const int slots = model_.slots(), copies = train_.copies;
  const real token_weight = static_cast<real>(1.0 / (static_cast<double>(train_.batch) * copies * slots));
  encoder_.clear();
  for (int w = 0; w < windows_; ++w) {
    const auto sample = static_cast<std::uint32_t>(micro * windows_ + w);
    const Philox4 r = stream_.at(step, 0, sample, RandomUse::train_sample);
    const double unit = (r.word[0] + r.word[1] * 0x1p-32) * 0x1p-32;  // 24 bits would skip windows of a large set
    const int window = data_.draw(unit);
    data_.observe(window, observation_);
    scene::Future future = data_.future(window);
    scene::Augmentation augmentation;
    if (train_.augment) augmentation = draw_augmentation(stream_, step, sample);
    augment(augmentation, future);
    features_.build(observation_, augmentation, row_);
    for (int i = 0; i < prefix_copies_; ++i) encoder_.add(row_);

    const std::size_t first = static_cast<std::size_t>(w) * copies * slots;
    if (targets_ == nullptr) {
      tokens_.encode(future, row_.speed, &target_[first]);
    } else {
      targets_->draw(step, sample, row_, &target_[first]);
    }
    draw_times(stream_, step, sample, copies, train_.zero_fraction, time_.data());
    noise_.add(stream_, step, sample, copies, time_.data(), &target_[first]);
    if (model_.continuous()) tokens_.encode(future, row_.speed, &target_value_[first]);
    for (int i = 0; i < copies * slots; ++i) {
      target_[first + i] = target_[first + i % slots];
      weight_[first + i] = target_[first + i] >= 0 ? token_weight : real(0);
      if (model_.continuous()) target_value_[first + i] = target_value_[first + i % slots];
    }
    if (model_.decoder == DecoderKind::diffusion) add_noisy_values(step, sample, first);
  }
}

/// Noisy coordinates of the copies of one window, whose rows begin at `first`. Where the flow trains at t = 0, diffusion
/// trains at the time that plans begin at.
void BatchLoss::add_noisy_values(std::uint32_t step, std::uint32_t sample, std::size_t first) {
  const int slots = model_.slots();
  for (int c = 0; c < train_.copies; ++c) {
    const double t = model_.diffusion_start * (1 - time_[static_cast<std::size_t>(c)]);
    const NoiseLevel level = NoiseLevel::at(t);
    const std::size_t row = first + static_cast<std::size_t>(c) * slots;
    write_time_features(t, &time_features_[row / slots * kTimeFeatures]);
    for (int s = 0; s < slots; ++s) {
      const Philox4 r = stream_.at(step, static_cast<std::uint32_t>(c * slots + s), sample, RandomUse::train_noise);
      const std::size_t i = row + static_cast<std::size_t>(s);
      noisy_[i] = static_cast<real>(level.alpha * static_cast<double>(target_value_[i]) / model_.diffusion_scale +
                                    level.sigma * normal_draw(r, 0));
    }
  }
}

void BatchLoss::head_loss(const real* block, const NumericTables& tables, int prefix, int actions, const real* normed) {
  const real* rows = normed + static_cast<std::int64_t>(prefix) * model_.hidden;
  if (model_.continuous()) {
    apply(backend_, {block, nullptr}, network_.value_head, actions, rows, model_.hidden, logits_, 1);
    // A mean for the denoiser, as DDIM needs it; the median for what is only one plan.
    const ValueLoss kind = model_.decoder == DecoderKind::diffusion ? ValueLoss::squared : ValueLoss::absolute;
    backend_.value_loss(kind, actions, logits_, target_value_.device(), weight_.device(), loss_, logits_);
    return;
  }
  Gemm head;
  head.m = actions, head.n = model_.vocab, head.k = model_.hidden;
  head.a = rows, head.lda = model_.hidden;
  head.b = tables.head, head.ldb = model_.hidden, head.b_transposed = true;
  head.c = logits_, head.ldc = model_.vocab;
  backend_.gemm(head);
  backend_.cross_entropy(actions, model_.vocab, logits_, model_.vocab, target_.device(),
                         static_cast<real>(train_.smear), weight_.device(), loss_, logits_, model_.vocab);
}

/// From the gradient that head_loss left in logits_ to that of the head and of the normed action rows.
void BatchLoss::head_backward(const real* block, const NumericTables& tables, int prefix, int actions,
                              const real* normed, real* grad, const NumericTables& table_grad) {
  const int hidden = model_.hidden, vocab = model_.vocab;
  const real* rows = normed + static_cast<std::int64_t>(prefix) * hidden;
  real* drows = dnormed_ + static_cast<std::int64_t>(prefix) * hidden;
  if (model_.continuous()) {
    apply_backward(backend_, block, network_.value_head, actions, rows, hidden, logits_, 1, drows, hidden, grad);
    return;
  }
  Gemm dhead;  // of the head's rows: dlogits^T normed
  dhead.m = vocab, dhead.n = hidden, dhead.k = actions;
  dhead.a = logits_, dhead.lda = vocab, dhead.a_transposed = true;
  dhead.b = rows, dhead.ldb = hidden;
  dhead.c = table_grad.head, dhead.ldc = hidden;
  dhead.accumulate = true;
  backend_.gemm(dhead);
  Gemm dnormed;
  dnormed.m = actions, dnormed.n = hidden, dnormed.k = vocab;
  dnormed.a = logits_, dnormed.lda = vocab;
  dnormed.b = tables.head, dnormed.ldb = hidden;
  dnormed.c = drows, dnormed.ldc = hidden;
  backend_.gemm(dnormed);
}

BatchResult BatchLoss::run(const real* block, const NumericTables& tables, std::int64_t step, int micro, real* grad,
                           const NumericTables* table_grad) {
  collect(step, micro);
  const int hidden = model_.hidden, slots = model_.slots(), copies = train_.copies;
  const int prefix = encoder_.total_rows();
  const int actions = windows_ * copies * slots, rows = prefix + actions;
  const int blocks = copies / prefix_copies_;  // a sequence
  all_.clear(), last_.clear();
  for (int i = 0; i < encoder_.observations(); ++i) {
    const Sequence sequence{encoder_.prefix_begin(i), encoder_.prefix_rows(i), prefix + i * blocks * slots, blocks};
    all_.add(model_.attention(), sequence, slots, {true, true});
    last_.add(model_.attention(), sequence, slots, {false, true});
    for (int k = 0; k < sequence.prefix_rows; ++k) position_[sequence.prefix_begin + k] = k;
    for (int k = 0; k < blocks * slots; ++k) position_[sequence.action_begin + k] = sequence.prefix_rows + k % slots;
  }
  encoder_.arrange(false);
  staged_.push(backend_);
  const auto action_count = static_cast<std::size_t>(actions);
  const std::int32_t* input = noise_.draw();

  const Weights weights{block, nullptr};
  real* x = decoder_.input();
  real* action_rows = x + static_cast<std::int64_t>(prefix) * hidden;
  encoder_.forward(weights, x);
  backend_.embedding(actions, hidden, tables.input, input, action_rows, hidden, false);
  backend_.embedding(actions, hidden, block + network_.slot_embedding, slot_.device(), action_rows, hidden, true);
  const bool noisy = model_.decoder == DecoderKind::diffusion;
  const int times = windows_ * copies;
  if (noisy) {
    values_.forward(weights, actions, noisy_.device(), times, time_features_.device(), time_row_.device(), action_rows);
  }

  Dropout dropout;
  dropout.p = static_cast<real>(train_.dropout);
  dropout.stream = stream_;
  dropout.site = static_cast<std::uint32_t>((step * train_.micro_batches + micro) * (2 * model_.layers));
  const real* normed = decoder_.forward(weights, 0, rows, prefix, all_, last_, position_.device(), dropout);

  head_loss(block, tables, prefix, actions, normed);
  // The host waits only once everything is queued.
  const auto collect_result = [&] {
    BatchResult result;
    backend_.download(host_loss_.data(), loss_, action_count * sizeof(real));
    for (std::size_t i = 0; i < action_count; ++i) result.loss += host_loss_[i], result.weight += weight_[i];
    return result;
  };
  if (grad == nullptr) return collect_result();

  head_backward(block, tables, prefix, actions, normed, grad, *table_grad);
  const real* dx = decoder_.backward(weights, rows, prefix, all_, last_, position_.device(), dropout, dnormed_, grad);
  const real* daction = dx + static_cast<std::int64_t>(prefix) * hidden;
  backend_.embedding_backward(actions, hidden, input, daction, hidden, table_grad->input);
  backend_.embedding_backward(actions, hidden, slot_.device(), daction, hidden, grad + network_.slot_embedding);
  if (noisy) {
    values_.backward(block, actions, noisy_.device(), times, time_features_.device(), time_row_.device(), daction,
                     grad);
  }
  encoder_.backward(weights, dx, grad);
  return collect_result();
}

}  // namespace wam::model
