#pragma once
// Features of observations -> prefix rows: one two-layer MLP a token type.

#include <vector>

#include "core/arena.h"
#include "model/decoder.h"
#include "scene/features.h"

namespace wam::model {

class SceneEncoder {
 public:
  SceneEncoder(const ModelConfig& config, const Network& network, Backend& backend);

  void reserve(Arena& arena, int max_observations, bool training);

  /// Collects the feature rows of a batch. Prefix rows of observation i begin at prefix_begin(i), in the order ego,
  /// paths, agents, lane pieces.
  void clear();
  void add(const scene::Features& features);
  int observations() const { return static_cast<int>(begin_.size()); }
  int prefix_begin(int i) const { return begin_[i]; }
  int prefix_rows(int i) const { return rows_[i]; }
  int total_rows() const { return total_; }

  /// Writes the embedded prefix rows, [total_rows, hidden].
  void forward(const Weights& weights, real* prefix);
  /// After a training forward: adds weight gradients. dprefix [total_rows, hidden].
  void backward(const Weights& weights, const real* dprefix, real* grad);

 private:
  struct Type {
    int width = 0, count = 0, capacity = 0;
    real *features = nullptr, *hidden = nullptr, *active = nullptr, *out = nullptr;
    std::int32_t* row = nullptr;  // prefix row of each token
  };
  void push(Type& type, const std::vector<real>& rows, int count, int& next_row);

  const ModelConfig& config_;
  const Network& network_;
  Backend& backend_;
  bool training_ = false;
  Type types_[kTokenTypes];
  real *stacked_ = nullptr, *dactive_ = nullptr, *dhidden_ = nullptr;
  std::int32_t* source_ = nullptr;  // by prefix row: row of the stacked outputs
  std::vector<int> begin_, rows_;
  int total_ = 0;
};

}  // namespace wam::model
