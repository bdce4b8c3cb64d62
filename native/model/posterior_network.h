#pragma once
// The network as the sampler sees it: a prefix once, then logits of the action tokens as often as wanted.

#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
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
  /// [slots] mask tokens.
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
  void add_step(StepSegments& step, int active);

  std::shared_ptr<const Model> model_;
  const ModelConfig& config_;
  Backend& backend_;
  Network network_;
  SceneEncoder encoder_;
  Decoder decoder_;
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
  Staged<std::int32_t> slot_, mask_, position_;
  Segments prefill_, nothing_;
  StepSegments single_, every_;  // of one sample, of all
  Arena arena_;
};

}  // namespace wam::model
