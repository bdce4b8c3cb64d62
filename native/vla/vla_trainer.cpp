#include "vla/vla_trainer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "vla/read_real.h"
#include "vla/vla_weights.h"

namespace wam::vla {
namespace {

constexpr std::int64_t kReadAtATime = 1 << 20;
// Rows of logits that exist at a time.
constexpr std::size_t kLogitRoom = std::size_t{1} << 24;

model::MaskKind kind_of(Mask mask) {
  return mask == Mask::causal ? model::MaskKind::causal
         : mask == Mask::full ? model::MaskKind::full
                              : model::MaskKind::prefix;
}

int logit_rows(const VlaConfig& config, int tokens) {
  const std::size_t most = std::max<std::size_t>(1, kLogitRoom / static_cast<std::size_t>(config.language.vocab));
  return static_cast<int>(std::min<std::size_t>(most, static_cast<std::size_t>(tokens)));
}

}  // namespace

VlaTrainer::VlaTrainer(const VlaConfig& config, const TensorSource& source, Backend& backend, VlaTrainConfig train)
    : config_(config),
      train_(std::move(train)),
      network_(config, Residency::block),
      backend_(backend),
      weights_(make_arena(backend,
                          [this](Arena& arena) {
                            const auto size = static_cast<std::size_t>(network_.layout.size());
                            block_ = arena.take<real>(size), gradient_ = arena.take<real>(size);
                          })),
      tower_(config_, network_, {block_, nullptr}, backend, train_.images),
      decoder_(network_.language_shape, network_.language, backend),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  check_tensors(network_, source);
  for (const std::string& name : train_.trainable) {
    const model::TensorSpec* spec = network_.layout.find(name);
    if (spec == nullptr || !name.starts_with("language_model."))
      throw Error("ERR_CONFIG", "trainable: expected tensors of the language model, received " + name);
  }
  load(source);
  tower_.arrange();
}

VlaTrainer::~VlaTrainer() = default;

void VlaTrainer::reserve(Arena& arena) {
  const auto tokens = static_cast<std::size_t>(train_.tokens);
  const auto hidden = static_cast<std::size_t>(config_.language.hidden);
  trained_.clear(), moments_ = 0;
  for (const model::TensorSpec& spec : network_.layout.tensors()) {
    if (std::find(train_.trainable.begin(), train_.trainable.end(), spec.name) == train_.trainable.end()) continue;
    trained_.push_back({spec.offset, spec.count, moments_});
    moments_ += spec.count;
  }
  first_moment_ = arena.take<real>(static_cast<std::size_t>(moments_));
  second_moment_ = arena.take<real>(static_cast<std::size_t>(moments_));
  tower_.reserve(arena);
  decoder_.reserve(arena, train_.tokens, true);
  dnormed_ = arena.take<real>(tokens * hidden);
  head_input_ = arena.take<real>(tokens * hidden), dhead_input_ = arena.take<real>(tokens * hidden);
  const auto rows = static_cast<std::size_t>(logit_rows(config_, train_.tokens));
  logits_ = arena.take<real>(rows * static_cast<std::size_t>(config_.language.vocab));
  loss_ = arena.take<real>(rows);
  staged_.clear();
  for (Staged<std::int32_t>* list : {&ids_, &position_, &row_, &target_}) list->reserve(staged_, tokens);
  image_row_.reserve(staged_, static_cast<std::size_t>(train_.images) * config_.vision.tokens());
  weight_.reserve(staged_, tokens);
  all_.reserve(staged_, 1, 1), last_.reserve(staged_, 1, 1);
  staged_.take(arena, backend_);
}

void VlaTrainer::load(const TensorSource& source) {
  std::vector<real> piece(static_cast<std::size_t>(kReadAtATime));
  for (const model::TensorSpec& spec : network_.layout.tensors()) {
    const TensorView& view = *source.find(spec.name);
    for (std::int64_t first = 0; first < spec.count; first += kReadAtATime) {
      const std::int64_t count = std::min(kReadAtATime, spec.count - first);
      read_real(view, first, count, piece.data());
      require_finite(spec.name, first, piece.data(), count);
      source.release(spec.name, first, count);
      backend_.upload(block_ + spec.offset + first, piece.data(), static_cast<std::size_t>(count) * sizeof(real));
    }
  }
}

void VlaTrainer::check(const VlaExample& e) const {
  const auto refuse = [](const char* code, const std::string& text) { throw Error(code, "example: expected " + text); };
  const std::size_t n = e.x_t.size();
  if (n < 1 || n > static_cast<std::size_t>(train_.tokens))
    refuse("ERR_RANGE", "1 to " + std::to_string(train_.tokens) + " tokens, received " + std::to_string(n));
  if (e.x_1.size() != n || e.image.size() != n || e.counted.size() != n)
    refuse("ERR_SHAPE", std::to_string(n) + " targets and marks, as there are tokens");
  if (e.images < 0 || e.images > train_.images)
    refuse("ERR_RANGE", "at most " + std::to_string(train_.images) + " images, received " + std::to_string(e.images));
  if (e.pixels.size() != static_cast<std::size_t>(e.images) * static_cast<std::size_t>(config_.vision.pixels()))
    refuse("ERR_SHAPE", "pixels of " + std::to_string(e.images) + " images");
  const auto marked = std::count_if(e.image.begin(), e.image.end(), [](std::uint8_t m) { return m != 0; });
  if (marked != static_cast<std::ptrdiff_t>(e.images) * config_.vision.tokens())
    refuse("ERR_SHAPE",
           std::to_string(e.images * config_.vision.tokens()) + " image rows, received " + std::to_string(marked));
  if (e.prefix_rows < (e.mask == Mask::prefix ? 1 : 0) || e.prefix_rows > static_cast<int>(n))
    refuse("ERR_RANGE", "prefix rows within the sequence, received " + std::to_string(e.prefix_rows));
  for (std::size_t i = 0; i < n; ++i) {
    const auto known = [&](std::int32_t id) { return id >= 0 && id < config_.language.vocab; };
    if (e.image[i] == 0 && !known(e.x_t[i])) refuse("ERR_RANGE", "a token, received " + std::to_string(e.x_t[i]));
    if (e.counted[i] != 0 && !known(e.x_1[i])) refuse("ERR_RANGE", "a target, received " + std::to_string(e.x_1[i]));
  }
}

/// Rows of tokens and images into the decoder's input, or gradients of the rows of tokens into those of the table.
void VlaTrainer::embed(const VlaExample& e, bool backward, const real* dx) {
  const int hidden = config_.language.hidden, n = static_cast<int>(e.x_t.size());
  int images = 0;
  for (int begin = 0, end; begin < n; begin = end) {
    const bool image = e.image[static_cast<std::size_t>(begin)] != 0;
    for (end = begin; end < n && (e.image[static_cast<std::size_t>(end)] != 0) == image;) ++end;
    const std::int64_t at = std::int64_t{begin} * hidden;
    if (backward) {
      if (!image)
        backend_.embedding_backward(end - begin, hidden, ids_.device() + begin, dx + at, hidden,
                                    gradient_ + network_.embedding_offset);
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

/// Adds the gradients of one example to those of the batch; returns its part of the loss.
double VlaTrainer::run(const VlaExample& e, std::int64_t counted) {
  const int hidden = config_.language.hidden, vocab = config_.language.vocab, n = static_cast<int>(e.x_t.size());
  for (int i = 0; i < e.images; ++i) tower_.encode(i, e.pixels.data() + i * config_.vision.pixels(), nullptr, {});
  double loss = 0;
  int rows = 0, first = n;
  for (int i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    ids_[k] = e.image[k] != 0 ? 0 : e.x_t[k];
    position_[k] = i;
    if (e.counted[k] == 0) continue;
    if (i == 0) {  // its logits are 0, whatever the weights are
      loss += std::log(static_cast<double>(vocab)) / static_cast<double>(counted);
      continue;
    }
    first = std::min(first, i - 1);
    row_[static_cast<std::size_t>(rows)] = i - 1, target_[static_cast<std::size_t>(rows)] = e.x_1[k];
    weight_[static_cast<std::size_t>(rows)] = static_cast<real>(1.0 / static_cast<double>(counted));
    ++rows;
  }
  if (rows == 0) return loss;
  for (int i = 0; i < e.images * config_.vision.tokens(); ++i) image_row_[static_cast<std::size_t>(i)] = i;
  const bool cut = e.mask == Mask::prefix;
  const int prefix = cut ? e.prefix_rows : n, last_begin = std::min(first, prefix);
  const model::Sequence sequence{0, prefix, prefix, cut ? 1 : 0};
  all_.clear(), last_.clear();
  all_.add(kind_of(e.mask), sequence, n - prefix, {true, true});
  last_.add(kind_of(e.mask), sequence, n - prefix, {true, true, last_begin});
  staged_.push(backend_);

  embed(e, false, nullptr);
  const model::Weights weights{block_, nullptr};
  const real* normed = decoder_.forward(weights, 0, n, last_begin, all_, last_, position_.device(), {});
  backend_.embedding(rows, hidden, normed, row_.device(), head_input_, hidden, false);
  model::Linear head;
  head.weight = network_.head_offset, head.in = hidden, head.out = vocab;
  std::vector<real> losses(static_cast<std::size_t>(rows));
  const int most = logit_rows(config_, train_.tokens);
  for (int begin = 0; begin < rows; begin += most) {
    const int count = std::min(most, rows - begin);
    const std::int64_t at = std::int64_t{begin} * hidden;
    model::apply(backend_, weights, head, count, head_input_ + at, hidden, logits_, vocab);
    backend_.cross_entropy(count, vocab, logits_, vocab, target_.device() + begin, 0, weight_.device() + begin, loss_,
                           logits_, vocab);
    backend_.download(&losses[static_cast<std::size_t>(begin)], loss_, static_cast<std::size_t>(count) * sizeof(real));
    model::apply_backward(backend_, block_, head, count, head_input_ + at, hidden, logits_, vocab, dhead_input_ + at,
                          hidden, gradient_);
  }
  for (const real part : losses) loss += static_cast<double>(part);
  backend_.fill(std::int64_t{n} * hidden, 0, dnormed_);
  backend_.embedding_backward(rows, hidden, row_.device(), dhead_input_, hidden, dnormed_);
  const real* dx = decoder_.backward(weights, n, last_begin, all_, last_, position_.device(), {}, dnormed_, gradient_);
  embed(e, true, dx);
  return loss;
}

VlaStep VlaTrainer::gradients(const std::vector<VlaExample>& batch) {
  std::int64_t counted = 0;
  for (const VlaExample& e : batch) {
    check(e);
    counted += std::count_if(e.counted.begin(), e.counted.end(), [](std::uint8_t c) { return c != 0; });
  }
  if (counted == 0) throw Error("ERR_ARGUMENT", "batch: expected at least one row that counts in the loss");
  backend_.fill(network_.layout.size(), 0, gradient_);
  VlaStep step;
  for (const VlaExample& e : batch) step.loss += run(e, counted);
  double squares = 0;
  for (const Trained& t : trained_) squares += backend_.sum_squares(t.count, gradient_ + t.offset);
  step.grad_norm = std::sqrt(squares);
  return step;
}

void VlaTrainer::update(double learning_rate, double grad_norm) {
  ++steps_;
  const auto scale = static_cast<real>(std::min(1.0, train_.clip / (grad_norm + 1e-6)));
  for (const Trained& t : trained_) {
    backend_.adamw(t.count, block_ + t.offset, gradient_ + t.offset, first_moment_ + t.moment,
                   second_moment_ + t.moment, static_cast<real>(learning_rate), static_cast<real>(train_.beta1),
                   static_cast<real>(train_.beta2), static_cast<real>(train_.eps),
                   static_cast<real>(train_.weight_decay), steps_, scale);
  }
}

std::vector<model::NamedTensor> VlaTrainer::tensors(const std::vector<std::string>& names, bool gradient) const {
  std::vector<model::NamedTensor> out;
  for (const std::string& name : names) {
    const model::TensorSpec* spec = network_.layout.find(name);
    if (spec == nullptr) throw Error("ERR_ARGUMENT", "names: the model has no tensor " + name);
    std::vector<real> values(static_cast<std::size_t>(spec->count));
    backend_.download(values.data(), (gradient ? gradient_ : block_) + spec->offset, values.size() * sizeof(real));
    out.push_back({spec->name, spec->shape, {values.begin(), values.end()}});
  }
  return out;
}

}  // namespace wam::vla
