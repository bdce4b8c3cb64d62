#pragma once
// The model of W1 and W6: prefix rows that come as embeddings, then action tokens; built of the engine's own parts.

#include <memory>
#include <vector>

#include "bench/cpu/buffer.h"
#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"

namespace wam::bench {

inline constexpr int kPrefix = 96, kActions = 24, kSteps = 5, kHidden = 256, kVocab = 4001;

model::ModelConfig planner_config();

/// The weights of W1 in the parameter block of the network; the time embeddings stand in the rows of the slot embedding.
std::vector<real> planner_weights(const model::ModelConfig& config, const model::Network& network);

/// Which rows attend and where they stand: of `held` sequences, whose prefixes are rows [0, held * 96), those in
/// [first, first + count), whose action rows follow.
class PlannerRows {
 public:
  PlannerRows(Backend& backend, int held, int first, int count, model::SegmentChoice choice);

  const model::Segments& all() const { return all_; }
  /// Of the last layer, where only action rows go on.
  const model::Segments& last() const { return last_; }
  const std::int32_t* position() const { return position_.device(); }

 private:
  void reserve(Arena& arena, Backend& backend, int rows, int count);

  StagedBlock staged_;
  model::Segments all_, last_;
  Staged<std::int32_t> position_;
  Arena arena_;
};

}  // namespace wam::bench
