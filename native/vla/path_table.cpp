#include "vla/path_table.h"

#include <algorithm>
#include <new>

#include "vla/read_real.h"

namespace wam::vla {
namespace {

constexpr std::int64_t kRowsAtATime = 1024;

real* zeroed(std::size_t count) {
  auto* memory = static_cast<real*>(std::calloc(count, sizeof(real)));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

PathTable::PathTable(const VlaWeights& weights, Backend& backend, TokenRange range)
    : weights_(weights), backend_(backend), range_(range) {
  const std::int64_t dim = weights.config().language.hidden, count = range.count();
  const auto size = static_cast<std::size_t>(count * dim);
  if (!backend.unified()) {
    device_ = static_cast<real*>(backend.allocate(size * sizeof(real)));
    std::vector<real> piece(static_cast<std::size_t>(std::min(kRowsAtATime, count) * dim));
    for (std::int64_t first = 0; first < count; first += kRowsAtATime) {
      const std::int64_t rows = std::min(kRowsAtATime, count - first);
      read_rows(first, rows, piece.data());
      backend.upload(device_ + first * dim, piece.data(), static_cast<std::size_t>(rows * dim) * sizeof(real));
    }
    packed_ = backend.pack_table(range.count(), static_cast<int>(dim), device_, true);
    return;
  }
  rows_.reset(zeroed(size));
  for (std::int64_t first = 0; first < count; first += kRowsAtATime) {
    read_rows(first, std::min(kRowsAtATime, count - first), rows_.get() + first * dim);
  }
  packed_ = backend.pack_table(range.count(), static_cast<int>(dim), rows_.get(), true);
  there_.assign(static_cast<std::size_t>(count), packed_ == nullptr);
  if (packed_ == nullptr) return;
  rows_.reset();
  rows_.reset(zeroed(size));
}

PathTable::~PathTable() {
  if (device_ != nullptr) backend_.release(device_);
}

void PathTable::read_rows(std::int64_t first, std::int64_t count, real* to) const {
  const std::int64_t dim = weights_.config().language.hidden, row = range_.begin + first;
  read_real(weights_.embedding(), row * dim, count * dim, to);
  weights_.release_embedding(row, count);
}

TokenMetric PathTable::metric(std::span<const std::int32_t> x_1) {
  const std::int64_t dim = weights_.config().language.hidden;
  if (device_ == nullptr) {
    for (const std::int32_t token : x_1) {
      if (there_[static_cast<std::size_t>(token)]) continue;
      there_[static_cast<std::size_t>(token)] = true;
      read_real(weights_.embedding(), (range_.begin + token) * dim, dim, rows_.get() + token * dim);
    }
  }
  TokenMetric metric;
  metric.vocab = range_.count();
  metric.table = device_ != nullptr ? device_ : rows_.get();
  metric.dim = static_cast<int>(dim);
  metric.packed = packed_.get();
  return metric;
}

}  // namespace wam::vla
