#pragma once
// The network over several scenes at once: any number of action inputs ("blocks" of one row a slot) on the prefix of each.

#include <span>
#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/network.h"
#include "model/numeric_tables.h"
#include "model/scene_encoder.h"

namespace wam::align {

/// Weights in the backend's memory and the numeric tables made of them.
struct Policy {
  const real* block = nullptr;
  model::NumericTables tables;
};

class PolicyNetwork {
 public:
  /// Room for `scenes` scenes with `blocks` blocks all together. `training` keeps what `backward` needs; without it a
  /// mask that allows it (prefix, causal) computes the prefix once for any number of `logits` calls.
  PolicyNetwork(const model::ModelConfig& config, const model::Network& network, Backend& backend, int scenes,
                int blocks, bool training);

  /// Which rows there are: blocks[i] of scene i, one scene after the other. The same scenes with other blocks may follow
  /// without `encode`.
  void arrange(std::span<const scene::Features* const> scenes, std::span<const int> blocks);
  /// Computes the prefix, unless it goes through the decoder with every call of `logits`.
  void encode(const Policy& policy);
  /// Logits [blocks * slots, vocab]. inputs[i]: tokens [blocks[i] * slots] of scene i in the backend's memory, `vocab` for
  /// the mask token. Stand until the next call.
  const real* logits(const Policy& policy, std::span<const std::int32_t* const> inputs);
  /// After `logits` of a training network: adds the gradients of what has dlogits [blocks * slots, vocab].
  void backward(const Policy& policy, std::span<const std::int32_t* const> inputs, const real* dlogits, real* grad,
                const model::NumericTables& table_grad);

  std::size_t bytes() const { return arena_.used(); }

 private:
  void reserve(Arena& arena);
  real* action_rows(real* rows) const { return rows + static_cast<std::int64_t>(prefix_) * config_.hidden; }

  const model::ModelConfig& config_;
  const model::Network& network_;
  Backend& backend_;
  model::SceneEncoder encoder_;
  model::Decoder decoder_;
  const int max_scenes_, max_blocks_;
  const bool training_, full_, cached_;
  int prefix_ = 0, actions_ = 0;  // rows
  std::vector<int> blocks_;
  StagedBlock staged_;
  model::Segments prefill_, nothing_, all_, actions_only_;
  Staged<std::int32_t> slot_, position_;
  const real* normed_ = nullptr;
  real *logits_ = nullptr, *dnormed_ = nullptr;
  Arena arena_;
};

}  // namespace wam::align
