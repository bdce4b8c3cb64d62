#pragma once
// The network as decoders see it: a prefix once, then the action rows as often as wanted.

#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/diffusion.h"
#include "model/model.h"
#include "model/numeric_tables.h"
#include "model/scene_encoder.h"

namespace wam::model {

class PosteriorNetwork {
 public:
  PosteriorNetwork(std::shared_ptr<const Model> model, Backend& backend, int max_samples);

  /// Takes over the observation's features for `samples` plans. With `cache` and a mask that allows it (prefix, causal)
  /// the prefix rows will go through the decoder once. All that the operations below read is in place after this; on a
  /// device of its own memory they are the same calls whatever the observation, so they can be replayed.
  void set_prefix(const scene::Features& features, int samples, bool cache);

  /// Embeds the prefix, and keeps its keys and values when cached. Operations alone.
  void encode_prefix();

  /// Logits [active * slots, vocab] for network inputs `tokens` [active * slots] in the backend's memory, where `vocab`
  /// stands for the mask token. `active`: 1, or the samples of set_prefix. Operations alone. Null when `watch` gave up;
  /// the logits of the last call stand then.
  const real* logits(const std::int32_t* tokens, int active, const LayerWatch& watch = {});
  const real* newest_logits() const { return logits_; }
  /// Logits [1, vocab] of token `slot` of an autoregressive decoder, given the one before it in the backend's memory (the
  /// mask token for the first). Those before it were asked for in order since encode_prefix or since slot 0. Cached alone.
  const real* next_logits(const std::int32_t* token, int slot, const LayerWatch& watch = {});
  /// Coordinates [active * slots] of a continuous decoder into `out`. diffusion: for noisy z [active * slots] at the time
  /// of `time_features`, both in the backend's memory; regression: null. False when `watch` gave up.
  bool values(const real* z, const real* time_features, int active, real* out, const LayerWatch& watch = {});
  /// [max_samples * slots] mask tokens.
  const std::int32_t* mask_tokens() const { return mask_.device(); }

  const TokenMetric& metric() const { return metric_; }
  std::size_t bytes() const { return arena_.used(); }

 private:
  /// Attention of one refinement step: every row, and the action rows alone.
  struct StepSegments {
    Segments all, actions;
  };
  void reserve(Arena& arena);
  const real* weights() const { return padded_ ? block_ : model_->data(); }
  void embed(const std::int32_t* tokens, int first, int count, real* rows);
  const real* run(int active, const LayerWatch& watch);
  const real* head(const real* normed, int rows);
  void add_step(StepSegments& step, int active);

  std::shared_ptr<const Model> model_;
  const ModelConfig& config_;
  Backend& backend_;
  Network network_;
  SceneEncoder encoder_;
  Decoder decoder_;
  ValueEmbedding values_;
  const int max_samples_;
  const bool padded_;  // work on the most prefix rows there can be: see set_prefix
  int samples_ = 1, prefix_rows_ = 0;
  bool cached_ = false;
  real* block_ = nullptr;           // the weights on a device of its own memory
  StagedBlock constants_, staged_;  // written once; written for every plan
  Staged<real> coordinate_;
  TokenMetric metric_;
  std::unique_ptr<PackedTable> metric_table_;
  std::vector<std::unique_ptr<PackedWeight>> packed_;
  std::unique_ptr<PackedWeight> packed_head_;
  NumericTables tables_;
  real *logits_ = nullptr, *prefix_ = nullptr;
  Staged<std::int32_t> slot_, mask_, time_, position_;
  Segments prefill_, nothing_;
  StepSegments single_, every_;  // of one sample, of all
  std::vector<Segments> next_;   // of one token, by slot
  Arena arena_;
};

}  // namespace wam::model
