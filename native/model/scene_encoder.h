#pragma once
// Features of observations -> prefix rows: one two-layer MLP a token type.

#include <vector>

#include "core/arena.h"
#include "core/staged.h"
#include "model/decoder.h"
#include "scene/features.h"

namespace wam::model {

class SceneEncoder {
 public:
  SceneEncoder(const ModelConfig& config, const Network& network, Backend& backend);

  /// What the host writes goes into `block`, which its owner pushes.
  void reserve(Arena& arena, StagedBlock& block, int max_observations, bool training);

  /// Collects the feature rows of a batch. Prefix rows of observation i begin at prefix_begin(i), in the order ego,
  /// paths, agents, lane pieces.
  void clear();
  void add(const scene::Features& features);
  int observations() const { return static_cast<int>(begin_.size()); }
  int prefix_begin(int i) const { return begin_[i]; }
  int prefix_rows(int i) const { return rows_[i]; }
  int total_rows() const { return total_; }

  /// Ends collecting. With `padded`, `forward` works on the most rows that as many observations can have, whatever they
  /// have now (rows beyond the real ones hold numbers that mean nothing), so that its calls are always the same ones.
  void arrange(bool padded);
  /// Rows that `forward` writes: total_rows, or padded.
  int written_rows() const { return written_; }
  /// Writes the embedded prefix rows, [written_rows, hidden]. Operations alone.
  void forward(const Weights& weights, real* prefix);
  /// After a training forward: adds weight gradients. dprefix [total_rows, hidden].
  void backward(const Weights& weights, const real* dprefix, real* grad);

 private:
  struct Type {
    int width = 0, most = 0;  // tokens of one observation at most
    int count = 0, capacity = 0;
    int written = 0;  // tokens that forward works on
    Staged<real> features;
    real *hidden = nullptr, *active = nullptr, *out = nullptr;
    Staged<std::int32_t> row;  // prefix row of each token
  };
  void append(Type& type, const std::vector<real>& rows, int count, int& next_row);

  const ModelConfig& config_;
  const Network& network_;
  Backend& backend_;
  bool training_ = false;
  Type types_[kTokenTypes];
  real *stacked_ = nullptr, *dactive_ = nullptr, *dhidden_ = nullptr;
  Staged<std::int32_t> source_;  // by prefix row: row of the stacked outputs
  std::vector<int> begin_, rows_;
  int total_ = 0, written_ = 0;
};

}  // namespace wam::model
