#pragma once
// What the metric path of a range of tokens measures with: rows of the embedding table, packed once.

#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"
#include "vla/vla_weights.h"

namespace wam::vla {

class PathTable {
 public:
  /// Takes as much memory as the rows of the range have as floats. `weights` must outlive this.
  PathTable(const VlaWeights& weights, Backend& backend, TokenRange range);
  ~PathTable();
  PathTable(const PathTable&) = delete;
  PathTable& operator=(const PathTable&) = delete;

  TokenRange range() const { return range_; }
  /// Distances of normalised rows, squared again, as in the released code. For steps whose x_1 are these tokens, which are
  /// counted from the begin of the range.
  TokenMetric metric(std::span<const std::int32_t> x_1);

 private:
  void read_rows(std::int64_t first, std::int64_t count, real* to) const;

  const VlaWeights& weights_;
  Backend& backend_;
  const TokenRange range_;
  // A packed table is measured against single rows of the plain one. On the host those are read when they are asked for,
  // into memory that costs nothing where it was never written.
  std::unique_ptr<real, decltype(&std::free)> rows_{nullptr, &std::free};
  std::vector<bool> there_;
  real* device_ = nullptr;
  std::unique_ptr<PackedTable> packed_;
};

}  // namespace wam::vla
