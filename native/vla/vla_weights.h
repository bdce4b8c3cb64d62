#pragma once
// The weights of a model that is run: matrices packed for the products of a backend, straight from where they are stored,
// one at a time, and the small vectors beside them. Nothing holds a matrix as floats for longer than it takes to pack it.

#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"
#include "model/decoder.h"
#include "vla/tensor_source.h"
#include "vla/vla_network.h"

namespace wam::vla {

/// Half-open range of token ids.
struct TokenRange {
  int begin = 0, end = 0;
  int count() const { return end - begin; }
  bool operator==(const TokenRange&) const = default;
};

/// Throws Error(ERR_CHECKPOINT_CORRUPT) with one list of the tensors that are missing or have another shape or no floats.
void check_tensors(const VlaNetwork& network, const TensorSource& source);

class VlaWeights {
 public:
  /// `numeric`: the head is cut at its ends, so that a step over these tokens alone reads no other rows; may be empty.
  /// `backend` and what comes of it must outlive this. Throws Error: ERR_CHECKPOINT_CORRUPT, also for a number that is
  /// not finite; ERR_CONFIG; ERR_OUT_OF_MEMORY.
  VlaWeights(const VlaConfig& config, std::shared_ptr<const TensorSource> source, Backend& backend,
             TokenRange numeric = {});
  ~VlaWeights();
  VlaWeights(const VlaWeights&) = delete;
  VlaWeights& operator=(const VlaWeights&) = delete;

  const VlaConfig& config() const { return config_; }
  const VlaNetwork& network() const { return network_; }
  /// For products and norms of the network.
  model::Weights weights() const { return {block_, &packed_}; }

  /// Rows [ids.size(), hidden] of the embedding table, which stays where it is stored. Ids are in range.
  void embed(std::span<const std::int32_t> ids, real* rows) const;

  /// Rows of the embedding table as they are stored.
  const TensorView& embedding() const { return *embedding_; }
  void release_embedding(std::int64_t first_row, std::int64_t rows) const;

  /// The least range of logits that is computed for a step which wants `wanted`: whole parts of the head.
  TokenRange head_range(TokenRange wanted) const;
  /// logits [rows, range.count()] of x [rows, hidden], for a range of head_range.
  void head(int rows, const real* x, TokenRange range, real* logits) const;

 private:
  struct HeadPart {
    TokenRange range;
    std::unique_ptr<PackedWeight> packed;
  };
  class Loader;

  const VlaConfig config_;
  const VlaNetwork network_;
  const std::shared_ptr<const TensorSource> source_;
  const TensorView* embedding_ = nullptr;
  Backend& backend_;
  real* block_ = nullptr;
  std::vector<std::unique_ptr<PackedWeight>> packed_;
  std::vector<HeadPart> head_;
};

}  // namespace wam::vla
