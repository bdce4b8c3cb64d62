#pragma once
// The network as the sampler sees it: a prefix once, then logits of the action tokens as often as wanted.

#include <memory>
#include <vector>

#include "core/arena.h"
#include "model/model.h"
#include "model/numeric_tables.h"
#include "model/scene_encoder.h"

namespace wam::model {

class PosteriorNetwork {
 public:
  PosteriorNetwork(std::shared_ptr<const Model> model, Backend& backend, int max_samples);

  /// Embeds the observation's features for `samples` plans. With `cache` and a mask that allows it (prefix, causal),
  /// runs the prefix rows through the decoder now and keeps their keys and values.
  void set_prefix(const scene::Features& features, int samples, bool cache);

  /// Logits [active * slots, vocab] for network inputs `tokens` [active * slots], where `vocab` stands for the mask
  /// token. `active` <= samples: the first of them are evaluated.
  const real* logits(const std::int32_t* tokens, int active);

  const TokenMetric& metric() const { return metric_; }
  std::size_t bytes() const { return arena_.used(); }

 private:
  void reserve(Arena& arena);

  std::shared_ptr<const Model> model_;
  const ModelConfig& config_;
  Backend& backend_;
  Network network_;
  SceneEncoder encoder_;
  Decoder decoder_;
  int max_samples_;
  std::vector<real> coordinate_;
  TokenMetric metric_;
  std::vector<std::unique_ptr<PackedWeight>> packed_;
  std::unique_ptr<PackedWeight> packed_head_;
  NumericTables tables_;
  real *logits_ = nullptr, *prefix_ = nullptr;
  std::int32_t* slot_ = nullptr;
  std::vector<std::int32_t> position_;
  Segments all_, last_;
  bool cached_ = false;
  Arena arena_;
};

}  // namespace wam::model
