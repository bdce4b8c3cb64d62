#pragma once
// Which tensors a model has, and where in memory and in which product each of them is used. Names are the public ones of
// the checkpoints.

#include <string>
#include <vector>

#include "model/parameters.h"
#include "model/stack.h"
#include "vla/vla_config.h"

namespace wam::vla {

/// A matrix of a checkpoint.
struct Part {
  std::string name;
  std::vector<std::int64_t> shape;  // rows, then columns
  std::int64_t rows() const { return shape[0]; }
};

/// One linear map and the tensors whose rows follow each other in it.
struct Matrix {
  model::Linear linear;
  std::vector<Part> parts;
};

/// Where matrices are: packed for the products of a forward pass, or in the block of weights, as training needs them.
enum class Residency { packed, block };

struct VlaNetwork {
  VlaNetwork(const VlaConfig& config, Residency residency);

  /// The block: norms, biases, positions; with Residency::block everything.
  model::ParameterLayout layout;
  /// By Linear::id. Embedding and head are not among them.
  std::vector<Matrix> matrices;

  model::StackShape vision_shape, language_shape;
  model::Stack vision, language;
  model::Linear patch;  // [width, 3 patch patch]
  std::vector<model::Linear> aligner;
  std::int64_t position = 0;                             // [vision tokens, width]
  Part embedding, head;                                  // [vocab, hidden] both; one tensor when tied
  std::int64_t embedding_offset = -1, head_offset = -1;  // into the block

  /// All that a checkpoint must hold.
  std::vector<Part> tensors() const;
};

}  // namespace wam::vla
