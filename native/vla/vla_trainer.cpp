#include "vla/vla_trainer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "core/thread_pool.h"
#include "model/triplet_draw.h"

namespace wam::vla {
namespace {

// Logits that exist at a time.
constexpr std::size_t kLogitRoom = std::size_t{1} << 24;
// Ranges of noise whose tables are kept.
constexpr std::size_t kPackedTables = 2;

}  // namespace

/// Rows of logits that exist at a time.
int VlaTrainer::logit_rows() const {
  const std::size_t most = std::max<std::size_t>(1, kLogitRoom / static_cast<std::size_t>(config_.language.vocab));
  return static_cast<int>(std::min<std::size_t>(most, static_cast<std::size_t>(train_.tokens)));
}

/// Distances of the path among the tokens of a range.
TokenMetric VlaTrainer::metric(TokenRange range) {
  const std::int64_t hidden = config_.language.hidden;
  TokenMetric metric;
  metric.vocab = range.count();
  metric.table = block_ + network_.embedding_offset + range.begin * hidden;
  metric.dim = static_cast<int>(hidden);
  auto found = std::find_if(packed_.begin(), packed_.end(), [&](const auto& entry) { return entry.first == range; });
  if (found == packed_.end()) {
    if (packed_.size() == kPackedTables) packed_.erase(packed_.begin());
    packed_.emplace_back(range, backend_.pack_table(range.count(), metric.dim, metric.table, true));
    found = packed_.end() - 1;
  }
  metric.packed = found->second.get();
  return metric;
}

/// What the rows of the network read, and where they stand.
void VlaTrainer::set_rows(const VlaExample& e) {
  const int copies = e.copies(), n = e.tokens();
  for (int copy = 0; copy < copies; ++copy) {
    for (int i = copy == 0 ? 0 : e.prefix(); i < n; ++i) {
      const auto r = static_cast<std::size_t>(e.row(i, copy));
      ids_[r] = e.image[static_cast<std::size_t>(i)] != 0 ? 0 : e.x_t[static_cast<std::size_t>(i)];
      position_[r] = i;
    }
  }
  for (int i = 0, k = 0; i < n; ++i) {
    if (e.image[static_cast<std::size_t>(i)] == 0) continue;
    const auto at = static_cast<std::size_t>(k);
    image_row_[at] = k++, image_at_[at] = i;
  }
  const int each = e.counted_rows();
  for (int copy = 0; copy < copies && !e.policy.states.empty(); ++copy) {
    for (int i = 0, k = copy * each; i < n; ++i) {
      if (e.counted[static_cast<std::size_t>(i)] == 0) continue;
      ids_[static_cast<std::size_t>(e.row(i, copy))] = e.policy.states[static_cast<std::size_t>(k++)];
    }
  }
  if (e.times.empty()) return;
  const TokenRange range = e.range.count() > 0 ? e.range : TokenRange{0, config_.language.vocab};
  const RandomStream stream(e.seed);
  std::vector<std::int32_t> rows;
  for (int copy = 0; copy < copies; ++copy) {
    const double t = e.times[static_cast<std::size_t>(copy)];
    const auto beta = static_cast<real>(train_.schedule.beta(t));
    for (int i = 0; i < n; ++i) {
      if (e.counted[static_cast<std::size_t>(i)] == 0) continue;
      if (t == 0 && train_.mask_token >= 0) {
        ids_[static_cast<std::size_t>(e.row(i, copy))] = train_.mask_token;
        continue;
      }
      const std::size_t k = rows.size();
      x_1_[k] = e.x_1[static_cast<std::size_t>(i)] - range.begin;
      beta_[k] = beta;
      const Philox4 random =
          stream.at(0, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(copy), RandomUse::train_noise);
      draw_[k] = unit_uniform(random.word[0]);
      rows.push_back(e.row(i, copy));
    }
  }
  if (rows.empty()) return;
  noise_.push(backend_);
  PathNoise noise;
  noise.rows = static_cast<int>(rows.size());
  noise.metric = metric(range);
  noise.beta = beta_.device(), noise.x_1 = x_1_.device(), noise.draw = draw_.device();
  noise.x_t = x_t_;
  backend_.path_noise(noise);
  std::vector<std::int32_t> x_t(rows.size());
  backend_.download(x_t.data(), x_t_, x_t.size() * sizeof(std::int32_t));
  for (std::size_t k = 0; k < rows.size(); ++k) ids_[static_cast<std::size_t>(rows[k])] = x_t[k] + range.begin;
}

/// Rows of tokens and images into the decoder's input, or gradients of the rows of tokens into those of the table.
void VlaTrainer::embed(const VlaExample& e, bool backward, const real* dx) {
  const int hidden = config_.language.hidden, n = e.rows(), tokens = e.tokens();
  real* dtable = gradients_.at(network_.embedding_offset);
  if (backward && dtable == nullptr) return;
  const auto is_image = [&](int row) { return row < tokens && e.image[static_cast<std::size_t>(row)] != 0; };
  int images = 0;
  for (int begin = 0, end; begin < n; begin = end) {
    const bool image = is_image(begin);
    for (end = begin; end < n && is_image(end) == image;) ++end;
    const std::int64_t at = std::int64_t{begin} * hidden;
    if (backward) {
      if (!image) backend_.embedding_backward(end - begin, hidden, ids_.device() + begin, dx + at, hidden, dtable);
    } else if (image) {
      backend_.embedding(end - begin, hidden, tower_.rows(), image_row_.device() + images, decoder_.input() + at,
                         hidden, false);
      images += end - begin;
    } else {
      backend_.embedding(end - begin, hidden, block_ + network_.embedding_offset, ids_.device() + begin,
                         decoder_.input() + at, hidden, false);
    }
  }
}

/// Loss of the first `rows` listed rows and the log-probabilities of their targets, appended; with `backward` also the
/// gradients of their hidden rows.
double VlaTrainer::head(const VlaExample& e, int rows, const real* normed, bool backward,
                        std::vector<float>* log_probability) {
  const int hidden = config_.language.hidden;
  const TokenRange range = e.range.count() > 0 ? e.range : TokenRange{0, config_.language.vocab};
  const int width = range.count();
  backend_.embedding(rows, hidden, normed, row_.device(), head_input_, hidden, false);
  model::Linear head;
  head.weight = network_.head_offset + std::int64_t{range.begin} * hidden, head.in = hidden, head.out = width;
  std::vector<real> losses(static_cast<std::size_t>(rows));
  const int most = logit_rows();
  for (int begin = 0; begin < rows; begin += most) {
    const int count = std::min(most, rows - begin);
    const std::int64_t at = std::int64_t{begin} * hidden;
    model::apply(backend_, {block_, nullptr}, head, count, head_input_ + at, hidden, logits_, width);
    const bool policy = !e.policy.chosen.empty();
    if (log_probability != nullptr || policy) {
      PolicyLoss p;
      p.rows = count, p.vocab = width;
      p.logits = logits_, p.ldl = width;
      p.temperature = policy ? e.policy.temperature : 1, p.clip = e.policy.clip;
      p.token = target_.device() + begin;
      p.old_log_probability = policy_[0].device() + begin, p.advantage = policy_[1].device() + begin;
      p.weight = weight_.device() + begin;
      p.loss = loss_, p.log_probability = log_probability != nullptr ? log_probability_ : nullptr;
      if (policy && backward) p.dlogits = logits_, p.lddl = width;
      backend_.policy_loss(p);
      if (log_probability != nullptr) {
        std::vector<real> part(static_cast<std::size_t>(count));
        backend_.download(part.data(), log_probability_, part.size() * sizeof(real));
        log_probability->insert(log_probability->end(), part.begin(), part.end());
      }
    }
    if (!policy) {
      backend_.cross_entropy(count, width, logits_, width, target_.device() + begin,
                             e.range.count() > 0 ? static_cast<real>(train_.smear) : 0, weight_.device() + begin, loss_,
                             logits_, width);
    }
    backend_.download(&losses[static_cast<std::size_t>(begin)], loss_, static_cast<std::size_t>(count) * sizeof(real));
    if (!backward) continue;
    model::apply_backward(backend_, block_, head, count, head_input_ + at, hidden, logits_, width, dhead_input_ + at,
                          hidden, gradients_);
  }
  double loss = 0;
  for (const real part : losses) loss += static_cast<double>(part);
  return loss;
}

/// Adds the gradients of one example to those of the batch, or with `log_probability` computes that of its targets alone;
/// returns its part of the loss.
double VlaTrainer::run(const VlaExample& e, std::int64_t counted, std::vector<float>* log_probability) {
  const int hidden = config_.language.hidden, n = e.rows(), prefix = e.prefix(), patches = config_.vision.tokens();
  const TokenRange range = e.range.count() > 0 ? e.range : TokenRange{0, config_.language.vocab};
  for (int i = 0; i < e.images; ++i) tower_.encode(i, e.pixels.data() + i * config_.vision.pixels(), nullptr, {});
  set_rows(e);
  double loss = 0;
  int rows = 0, first = n;
  for (int copy = 0; copy < e.copies(); ++copy) {
    for (int i = 0; i < e.tokens(); ++i) {
      const auto k = static_cast<std::size_t>(i), at = static_cast<std::size_t>(rows);
      if (e.counted[k] == 0) continue;
      const double weight =
          (e.weights.empty() ? 1.0 : static_cast<double>(e.weights[k])) / static_cast<double>(counted);
      if (i == 0) {  // its logits are 0, whatever the weights are
        loss += std::log(static_cast<double>(range.count())) * weight;
        if (log_probability != nullptr) log_probability->push_back(-std::log(static_cast<float>(range.count())));
        continue;
      }
      row_[at] = e.predictor(i, copy), target_[at] = e.x_1[k] - range.begin;
      weight_[at] = static_cast<real>(weight);
      policy_[0][at] = policy_[1][at] = 0;
      if (!e.policy.chosen.empty()) {
        target_[at] = e.policy.chosen[at] - range.begin;
        policy_[0][at] = e.policy.log_probability[at], policy_[1][at] = e.policy.advantage[at];
      }
      first = std::min(first, row_[at]);
      ++rows;
    }
  }
  if (rows == 0) return loss;
  const bool cut = e.mask == Mask::prefix;
  const int last_begin = std::min(first, prefix);
  const model::Sequence sequence{0, prefix, prefix, cut ? e.copies() : 0};
  all_.clear(), last_.clear();
  all_.add(kind_of(e.mask), sequence, e.tokens() - prefix, {true, true});
  last_.add(kind_of(e.mask), sequence, e.tokens() - prefix, {true, true, last_begin});
  staged_.push(backend_);

  embed(e, false, nullptr);
  const model::Weights weights{block_, nullptr};
  const real* normed = decoder_.forward(weights, 0, n, last_begin, all_, last_, position_.device(), {});
  loss += head(e, rows, normed, log_probability == nullptr, log_probability);
  if (log_probability != nullptr) return loss;
  backend_.fill(std::int64_t{n} * hidden, 0, dnormed_);
  backend_.embedding_backward(rows, hidden, row_.device(), dhead_input_, hidden, dnormed_);
  const real* dx = decoder_.backward(weights, n, last_begin, all_, last_, position_.device(), {}, dnormed_, gradients_);
  embed(e, true, dx);
  if (!trains_tower_ && !trains_aligner_) return loss;
  for (int i = 0; i < e.images; ++i) {
    // The tower keeps what it computed for one image.
    if (e.images > 1) tower_.encode(i, e.pixels.data() + i * config_.vision.pixels(), nullptr, {});
    backend_.embedding(patches, hidden, dx, image_at_.device() + i * patches, dimage_, hidden, false);
    tower_.backward(dimage_, trains_tower_, gradients_);
  }
  return loss;
}

/// Loss and gradients of the triplets of this update.
double VlaTrainer::triplets() {
  const TripletConfig& t = train_.triplet;
  const RandomStream stream(t.seed);
  for (int i = 0; i < t.batch; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const model::Triplet drawn =
        model::draw_triplet(stream, static_cast<std::uint32_t>(steps_ + 1), static_cast<std::uint32_t>(i), coordinate_);
    anchor_[k] = drawn.anchor, positive_[k] = drawn.positive, negative_[k] = drawn.negative;
    margin_[k] = static_cast<real>(std::min(t.margin, t.margin_per_gap * drawn.gap));
  }
  triplet_.push(backend_);
  const std::int64_t at = network_.embedding_offset + std::int64_t{t.first_id} * config_.language.hidden;
  return backend_.triplet_margin(t.batch, t.count, config_.language.hidden, block_ + at, anchor_.device(),
                                 positive_.device(), negative_.device(), margin_.device(), true, gradients_.at(at),
                                 t.weight);
}

std::int64_t VlaTrainer::check(const std::vector<VlaExample>& batch) const {
  std::int64_t counted = 0;
  for (const VlaExample& e : batch) {
    check_example(e, config_, {train_.tokens, train_.images, train_.copies});
    counted += std::int64_t{e.copies()} * e.counted_rows();
  }
  if (counted == 0) throw Error("ERR_ARGUMENT", "batch: expected at least one row that counts in the loss");
  return counted;
}

std::vector<float> VlaTrainer::log_probabilities(const std::vector<VlaExample>& batch) {
  const std::int64_t counted = check(batch);
  const FlushDenormals flush;
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(counted));
  for (const VlaExample& e : batch) run(e, counted, &out);
  return out;
}

VlaStep VlaTrainer::gradients(const std::vector<VlaExample>& batch) {
  const std::int64_t counted = check(batch);
  const FlushDenormals flush;
  gradients_.clear();
  VlaStep step;
  for (const VlaExample& e : batch) step.loss += run(e, counted, nullptr);
  if (train_.triplet.count > 0) step.triplet_loss = triplets() / train_.triplet.weight;
  double squares = 0;
  for (const Trained& t : trained_) squares += backend_.sum_squares(t.spec->count, gradient_of(t));
  step.grad_norm = std::sqrt(squares);
  return step;
}

void VlaTrainer::update(double learning_rate, double grad_norm) {
  const FlushDenormals flush;
  ++steps_;
  const auto scale = static_cast<real>(std::min(1.0, train_.clip / (grad_norm + 1e-6)));
  for (const Trained& t : trained_) {
    // B of an adapter is held as what is added; a faster rate stands for a factor (Adam's steps do not know a scale).
    const double speed = t.adapter ? adapters_.speed(*t.spec) : 1;
    backend_.adamw(t.spec->count, weights_of(t), gradient_of(t), first_moment_ + t.moment, second_moment_ + t.moment,
                   static_cast<real>(learning_rate * speed), static_cast<real>(train_.beta1),
                   static_cast<real>(train_.beta2), static_cast<real>(train_.eps),
                   static_cast<real>(train_.weight_decay / speed), steps_, scale);
  }
  if (source_ != nullptr) adapters_.merge(*source_, backend_, block_);
  if (trains_table_) packed_.clear();
}

real* VlaTrainer::weights_of(const Trained& t) const {
  return (t.adapter ? adapters_.values() : block_) + t.spec->offset;
}

real* VlaTrainer::gradient_of(const Trained& t) const {
  return t.adapter ? adapters_.gradient() + t.spec->offset : gradients_.at(t.spec->offset);
}

}  // namespace wam::vla
