#include "vla/vla_runner.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace wam::vla {
namespace {

// Numbers that logits take at a time. What wants more rows asks several times.
constexpr std::size_t kLogitRoom = std::size_t{1} << 23;

}  // namespace

model::MaskKind kind_of(Mask mask) {
  return mask == Mask::causal ? model::MaskKind::causal
         : mask == Mask::full ? model::MaskKind::full
                              : model::MaskKind::prefix;
}

VlaRunner::VlaRunner(std::shared_ptr<const VlaWeights> weights, Backend& backend, RunnerLimits limits)
    : weights_(std::move(weights)),
      config_(weights_->config()),
      backend_(backend),
      limits_(limits),
      tower_(config_, weights_->network(), weights_->weights(), backend, limits.images),
      decoder_(weights_->network().language_shape, weights_->network().language, backend),
      arena_(make_arena(backend, [this](Arena& arena) { reserve(arena); })) {
  tower_.arrange();
}

void VlaRunner::reserve(Arena& arena) {
  const auto tokens = static_cast<std::size_t>(limits_.tokens);
  const auto hidden = static_cast<std::size_t>(config_.language.hidden);
  const auto vocab = static_cast<std::size_t>(config_.language.vocab);
  tower_.reserve(arena);
  decoder_.reserve(arena, limits_.tokens, false, limits_.cache);
  embedded_ = arena.take<real>(tokens * hidden);
  head_input_ = arena.take<real>(tokens * hidden);
  logit_room_ = std::max(vocab, std::min(kLogitRoom, tokens * vocab));
  logits_ = arena.take<real>(logit_room_);
  staged_.clear(), picked_.clear();
  position_.reserve(staged_, tokens);
  image_row_.reserve(staged_, static_cast<std::size_t>(limits_.images) * config_.vision.tokens());
  for (model::Segments* list : {&all_, &last_, &prefill_, &prefill_last_, &rest_}) list->reserve(staged_, 1, 1);
  row_.reserve(picked_, tokens);
  staged_.take(arena, backend_), picked_.take(arena, backend_);
}

bool VlaRunner::encode_images(int count, const float* pixels, real* features, real* aligned,
                              const model::LayerWatch& watch) {
  if (count < 0 || count > limits_.images) {
    throw Error("ERR_RANGE", "images: expected at most " + std::to_string(limits_.images) + " (maxImages), received " +
                                 std::to_string(count));
  }
  images_ = 0;
  const VisionConfig& v = config_.vision;
  for (int i = 0; i < count; ++i) {
    real* to = features == nullptr ? nullptr : features + std::int64_t{i} * v.tokens() * v.width;
    if (!tower_.encode(i, pixels + i * v.pixels(), to, watch)) return false;
  }
  images_ = count;
  if (aligned != nullptr && count > 0) {
    const std::int64_t numbers = std::int64_t{count} * v.tokens() * config_.language.hidden;
    backend_.download(aligned, tower_.rows(), static_cast<std::size_t>(numbers) * sizeof(real));
  }
  return true;
}

void VlaRunner::set_input(std::span<const std::int32_t> ids, std::span<const std::uint8_t> image, Mask mask,
                          int prefix_rows) {
  const auto count = static_cast<int>(ids.size());
  if (count < 1 || count > limits_.tokens) {
    throw Error("ERR_RANGE", "ids: expected 1 to " + std::to_string(limits_.tokens) + " tokens (maxTokens), received " +
                                 std::to_string(count));
  }
  if (image.size() != ids.size()) {
    throw Error("ERR_SHAPE",
                "imageMask: expected " + std::to_string(count) + " elements, received " + std::to_string(image.size()));
  }
  const auto marked =
      static_cast<int>(std::count_if(image.begin(), image.end(), [](std::uint8_t m) { return m != 0; }));
  if (marked != images_ * config_.vision.tokens()) {
    throw Error("ERR_SHAPE", "imageMask: expected " + std::to_string(images_ * config_.vision.tokens()) +
                                 " positions of " + std::to_string(images_) + " images, received " +
                                 std::to_string(marked));
  }
  if (prefix_rows < 0 || prefix_rows > count || (mask == Mask::prefix && prefix_rows < 1)) {
    throw Error("ERR_RANGE", "prefixRows: expected " + std::string(mask == Mask::prefix ? "1" : "0") + " to " +
                                 std::to_string(count) + ", received " + std::to_string(prefix_rows));
  }
  std::vector<std::int32_t> read(ids.begin(), ids.end());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (image[i] != 0) read[i] = 0;  // whatever stands there, the row is not read
    if (read[i] >= 0 && read[i] < config_.language.vocab) continue;
    throw Error("ERR_RANGE", "ids[" + std::to_string(i) + "]: expected a token from 0 to " +
                                 std::to_string(config_.language.vocab - 1) + ", received " + std::to_string(read[i]));
  }
  const auto hidden = static_cast<std::size_t>(config_.language.hidden);
  read_.resize(ids.size() * hidden);
  weights_->embed(read, read_.data());
  backend_.upload(embedded_, read_.data(), read_.size() * sizeof(real));
  rows_ = count;
  image_.assign(image.begin(), image.end());
  arrange(mask, prefix_rows);

  int done = 0;
  for (int begin = 0; begin < count; ++begin) {
    if (image[static_cast<std::size_t>(begin)] == 0) continue;
    int end = begin;
    while (end < count && image[static_cast<std::size_t>(end)] != 0) ++end;
    backend_.embedding(end - begin, config_.language.hidden, tower_.rows(), image_row_.device() + done,
                       embedded_ + std::int64_t{begin} * config_.language.hidden, config_.language.hidden, false);
    done += end - begin;
    begin = end;
  }
}

void VlaRunner::arrange(Mask mask, int prefix_rows) {
  mask_ = mask, prefix_rows_ = prefix_rows;
  for (int i = 0; i < rows_; ++i) position_[static_cast<std::size_t>(i)] = i;
  for (int i = 0; i < images_ * config_.vision.tokens(); ++i) image_row_[static_cast<std::size_t>(i)] = i;
  const int rest = rows_ - prefix_rows;
  const bool cut = mask == Mask::prefix;  // the others are one sequence without a seam
  const model::Sequence whole{0, cut ? prefix_rows : rows_, cut ? prefix_rows : rows_, cut ? 1 : 0};
  const model::Sequence seam{0, prefix_rows, prefix_rows, 1};
  for (model::Segments* list : {&all_, &last_, &prefill_, &prefill_last_, &rest_}) list->clear();
  all_.add(kind_of(mask), whole, rest, {true, true});
  prefill_.add(kind_of(mask), {0, prefix_rows, prefix_rows, 0}, 0, {true, false});
  prefill_last_.add(kind_of(mask), {0, prefix_rows, prefix_rows, 0}, 0, {true, false, std::max(prefix_rows - 1, 0)});
  if (mask != Mask::full) rest_.add(kind_of(mask), seam, rest, {false, true});
  staged_.push(backend_);
}

void VlaRunner::set_tokens(std::span<const std::int32_t> rows, std::span<const std::int32_t> ids) {
  const std::int64_t hidden = config_.language.hidden;
  for (const std::int32_t row : rows) {
    if (image_[static_cast<std::size_t>(row)] == 0) continue;
    throw Error("ERR_RANGE", "positions: expected tokens, received row " + std::to_string(row) + " of an image");
  }
  read_.resize(ids.size() * static_cast<std::size_t>(hidden));
  weights_->embed(ids, read_.data());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    backend_.upload(embedded_ + rows[i] * hidden, read_.data() + static_cast<std::int64_t>(i) * hidden,
                    static_cast<std::size_t>(hidden) * sizeof(real));
  }
}

void VlaRunner::load_rows(int begin, int end) {
  const std::int64_t hidden = config_.language.hidden, count = (end - begin) * hidden;
  backend_.fill(count, 0, decoder_.input() + begin * hidden);
  backend_.axpy(count, 1, embedded_ + begin * hidden, decoder_.input() + begin * hidden);
}

bool VlaRunner::run(int first, const model::LayerWatch& watch) {
  first = std::clamp(first, 0, rows_);
  const bool cut = mask_ == Mask::prefix;
  last_.clear();
  last_.add(kind_of(mask_), {0, cut ? prefix_rows_ : rows_, cut ? prefix_rows_ : rows_, cut ? 1 : 0},
            rows_ - prefix_rows_, {true, true, first});
  staged_.push(backend_);
  // Rows behind the prefix are few: in the last layer all of them go on.
  const int last_begin = cut ? std::min(first, prefix_rows_) : first;
  load_rows(0, rows_);
  const real* rows =
      decoder_.forward(weights_->weights(), 0, rows_, last_begin, all_, last_, position_.device(), {}, watch);
  if (rows != nullptr) hidden_ = rows;
  return rows != nullptr;
}

bool VlaRunner::keep_prefix(const model::LayerWatch& watch) {
  if (!limits_.cache || mask_ == Mask::full)
    throw Error("ERR_ARGUMENT", "a prefix is kept with the masks prefix and causal alone, by a model with prefixCache");
  if (prefix_rows_ == 0) return true;
  load_rows(0, prefix_rows_);
  const real* rows = decoder_.forward(weights_->weights(), 0, prefix_rows_, prefix_rows_ - 1, prefill_, prefill_last_,
                                      position_.device(), {}, watch);
  if (rows != nullptr) hidden_ = rows;
  return rows != nullptr;
}

bool VlaRunner::run_rest(const model::LayerWatch& watch) {
  if (prefix_rows_ == rows_) return true;
  load_rows(prefix_rows_, rows_);
  const real* rows = decoder_.forward(weights_->weights(), prefix_rows_, rows_, prefix_rows_, rest_, rest_,
                                      position_.device(), {}, watch);
  if (rows != nullptr) hidden_ = rows;
  return rows != nullptr;
}

int VlaRunner::logit_rows(TokenRange range) const {
  return static_cast<int>(logit_room_ / static_cast<std::size_t>(range.count()));
}

const real* VlaRunner::logits(std::span<const std::int32_t> positions, TokenRange range) {
  const auto count = static_cast<int>(positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) row_[i] = std::max(positions[i] - 1, 0);
  picked_.push(backend_);
  backend_.embedding(count, config_.language.hidden, hidden_, row_.device(), head_input_, config_.language.hidden,
                     false);
  weights_->head(count, head_input_, range, logits_);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] == 0) backend_.fill(range.count(), 0, logits_ + static_cast<std::int64_t>(i) * range.count());
  }
  return logits_;
}

}  // namespace wam::vla
