#pragma once
// One call of a vision-language model: images and token ids in, hidden rows and logits out, under a mask. All rows at
// once, or a prefix that is kept and the rows after it as often as wanted.

#include <span>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"
#include "model/segments.h"
#include "vla/vision_tower.h"
#include "vla/vla_weights.h"

namespace wam::vla {

/// full: all rows see each other. causal: a row sees what comes before it and itself. prefix: rows of the prefix see the
/// prefix, the others everything.
enum class Mask { causal, full, prefix };

/// The same for attention segments.
model::MaskKind kind_of(Mask mask);

struct RunnerLimits {
  int tokens = 1280;  // rows of a call
  int images = 1;
  bool cache = true;  // memory for the keys and values of a prefix; without it `keep_prefix` is not allowed
};

class VlaRunner {
 public:
  VlaRunner(std::shared_ptr<const VlaWeights> weights, Backend& backend, RunnerLimits limits);

  const VlaConfig& config() const { return config_; }
  const RunnerLimits& limits() const { return limits_; }
  std::size_t bytes() const { return arena_.used(); }

  /// Encodes images [count, 3, size, size] for the calls that follow. `features` [count, tokens, width] and `aligned`
  /// [count, tokens, hidden] on the host or null. False when `watch` gave up.
  bool encode_images(int count, const float* pixels, real* features, real* aligned,
                     const model::LayerWatch& watch = {});

  /// Embeds a sequence. Rows whose `image` is not 0 take aligner outputs in order, whatever their id is. `prefix_rows`:
  /// for Mask::prefix, and where keep_prefix is called. Throws Error: ERR_RANGE for too many rows or an id that is none,
  /// ERR_SHAPE when image rows are not the tokens of the images encoded last.
  void set_input(std::span<const std::int32_t> ids, std::span<const std::uint8_t> image, Mask mask, int prefix_rows);
  /// Changes the token of some rows. Throws Error(ERR_RANGE) for a row of an image.
  void set_tokens(std::span<const std::int32_t> rows, std::span<const std::int32_t> ids);

  /// Computes all rows. Hidden rows (and logits that come of them) are there from row `first` on. False when given up.
  bool run(int first, const model::LayerWatch& watch = {});
  /// Computes the prefix and keeps its keys and values; not for Mask::full. The hidden row of its last row is there.
  bool keep_prefix(const model::LayerWatch& watch = {});
  /// Computes the rows behind the kept prefix.
  bool run_rest(const model::LayerWatch& watch = {});

  /// Hidden rows [rows, hidden] after the final norm, in the backend's memory.
  const real* hidden() const { return hidden_; }
  /// Logits [positions.size(), range.count()] in the backend's memory, for a range of head_range; at most logit_rows(range)
  /// positions. They are shifted: the head applied to the hidden row before the position, and 0 at position 0.
  const real* logits(std::span<const std::int32_t> positions, TokenRange range);
  int logit_rows(TokenRange range) const;
  int rows() const { return rows_; }
  int prefix_rows() const { return prefix_rows_; }
  TokenRange head_range(TokenRange wanted) const { return weights_->head_range(wanted); }

 private:
  void reserve(Arena& arena);
  void load_rows(int begin, int end);
  void arrange(Mask mask, int prefix_rows);

  const std::shared_ptr<const VlaWeights> weights_;
  const VlaConfig& config_;
  Backend& backend_;
  const RunnerLimits limits_;
  VisionTower tower_;
  model::Decoder decoder_;
  StagedBlock staged_, picked_;
  Staged<std::int32_t> position_, image_row_, row_;
  model::Segments all_, last_, prefill_, prefill_last_, rest_;
  real* embedded_ = nullptr;    // [tokens, hidden] input rows; the decoder overwrites its own
  real* head_input_ = nullptr;  // [tokens, hidden]
  real* logits_ = nullptr;
  std::size_t logit_room_ = 0;
  std::vector<real> read_;  // rows on the host
  std::vector<std::uint8_t> image_;
  const real* hidden_ = nullptr;
  Mask mask_ = Mask::full;
  int rows_ = 0, prefix_rows_ = 0, images_ = 0;
  Arena arena_;
};

}  // namespace wam::vla
