// Packed token tables, and the nearest token in them.

#include <algorithm>
#include <cstdint>

#include "cpu/cpu_backend_impl.h"
#include "cpu/cpu_table.h"
#include "cpu/kernels.h"

namespace wam::cpu {
namespace {

/// order: 0 .. count-1 by ascending block, stable. place: scratch [blocks + 1].
void order_by_block(int count, const std::int32_t* block, int blocks, std::int32_t* place, std::int32_t* order) {
  std::fill_n(place, blocks + 1, 0);
  for (int i = 0; i < count; ++i) ++place[block[i] + 1];
  for (int b = 0; b < blocks; ++b) place[b + 1] += place[b];
  for (int i = 0; i < count; ++i) order[place[block[i]]++] = i;
}

}  // namespace

std::unique_ptr<PackedTable> CpuBackend::pack_table(int vocab, int dim, const real* table, bool normalise) {
  auto packed = std::make_unique<CpuPackedTable>();
  pack_table_into(vocab, dim, table, normalise, *packed);
  return packed;
}

void CpuBackend::pack_table_into(int vocab, int dim, const real* table, bool normalise, CpuPackedTable& to) {
  const int blocks = sum_blocks(vocab), bounds = table_bounds_size(blocks), center_blocks = bounds / kSumBlock;
  const auto panel = static_cast<std::size_t>(kSumBlock) * static_cast<std::size_t>(dim);
  const auto tokens = static_cast<std::size_t>(blocks) * kSumBlock, centers = static_cast<std::size_t>(bounds);
  const auto width = static_cast<std::size_t>(table_width(dim));
  real* panels = to.memory.get<real>(panel * static_cast<std::size_t>(blocks + center_blocks) + tokens + 2 * centers +
                                     centers * static_cast<std::size_t>(dim));
  real* center_panels = panels + panel * static_cast<std::size_t>(blocks);
  real* squares = center_panels + panel * static_cast<std::size_t>(center_blocks);
  real* center_squares = squares + tokens;
  real* radius = center_squares + centers;
  real* center_rows = radius + centers;
  std::fill_n(radius, centers, real{0});
  const auto pack = [&](int rows, const real* from, bool scaled, real* panels_of, real* squares_of, real* center,
                        real* radius_of) {
    parallel_ranges(
        sum_blocks(rows), 1, 4.0 * static_cast<double>(panel), [&](std::int64_t begin, std::int64_t end, int worker) {
          real* scratch = worker_scratch<real>(worker, 16 * width);
          for (std::int64_t b = begin; b < end; ++b) {
            const std::int64_t first = b * kSumBlock;
            flow_.pack_table_block(
                static_cast<int>(std::min<std::int64_t>(kSumBlock, rows - first)), dim, from + first * dim, scaled,
                scratch, panels_of + b * static_cast<std::int64_t>(panel), squares_of + first,
                center == nullptr ? nullptr : center + b * dim, radius_of == nullptr ? nullptr : radius_of + b);
          }
        });
  };
  pack(vocab, table, normalise, panels, squares, center_rows, radius);
  pack(blocks, center_rows, false, center_panels, center_squares, nullptr, nullptr);
  to.view = {vocab, dim, blocks, panels, squares, center_panels, center_squares, radius, 0};
  for (int v = 0; v < vocab; ++v) to.view.largest = std::max(to.view.largest, squares[v]);
}

const TableView& CpuBackend::view_of(const PackedTable* packed, int vocab, int dim, const real* table, bool normalise) {
  if (packed != nullptr) return static_cast<const CpuPackedTable*>(packed)->view;
  pack_table_into(vocab, dim, table, normalise, *transient_table_);
  return transient_table_->view;
}

CpuBackend::RowOrder CpuBackend::order_by_token(int rows, const std::int32_t* token, int blocks,
                                                const std::int32_t* fixed) {
  const auto n = static_cast<std::size_t>(rows);
  std::int32_t* order = call_scratch<std::int32_t>(2 * n + static_cast<std::size_t>(blocks) + 2);
  std::int32_t* block = order + n;
  // The rows left out gather behind all blocks.
  int count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const bool moves = fixed == nullptr || fixed[i] < 0;
    block[i] = moves ? token[i] / kSumBlock : blocks;
    count += moves ? 1 : 0;
  }
  order_by_block(rows, block, blocks + 1, block + n, order);
  return {count, order};
}

void CpuBackend::nearest_token(int rows, int vocab, int dim, const real* query, const real* table, bool normalise,
                               std::int32_t* token, real* distance2, const PackedTable* packed) {
  if (rows <= 0) return;
  const TableView& view = view_of(packed, vocab, dim, table, normalise);
  // Rows are taken in the order of the blocks that they are nearest to, this many at a time: what one row of a strip
  // needs the others need too. A group of strips shares one reading of the table.
  constexpr std::int64_t kChunk = 2048;
  constexpr int kGroupStrips = 8;
  const int strip = kernels_.strip, group = kGroupStrips * strip;
  const double cost = static_cast<double>(vocab) * (1 + dim / 4.0);
  const auto height = static_cast<std::size_t>(strip), depth = static_cast<std::size_t>(dim);
  const auto chunk = static_cast<std::size_t>(std::min<std::int64_t>(kChunk, rows)), most = kGroupStrips * height;
  const auto bounds = static_cast<std::size_t>(table_bounds_size(view.blocks));
  const std::size_t reals =
      (height + most) * bounds + 2 * most + most * depth + 2 * most + (normalise ? chunk * depth : 0);
  const std::size_t ints = 2 * chunk + static_cast<std::size_t>(view.blocks) + 1 + 2 * most;
  const std::size_t bytes = reals * sizeof(real) + ints * sizeof(std::int32_t) + kGroupStrips * bounds;
  parallel_ranges(rows, strip, cost, [&](std::int64_t begin, std::int64_t end, int worker) {
    NearestScratch scratch;
    scratch.bound = worker_scratch<real>(worker, bytes / sizeof(real) + 1);
    scratch.seen = scratch.bound + height * bounds;
    scratch.least = scratch.seen + most * bounds;
    real* strips = scratch.least + 2 * most;
    real* square = strips + most * depth;
    real* distance = square + most;
    real* normalised = distance + most;
    auto* near = reinterpret_cast<std::int32_t*>(normalised + (normalise ? chunk * depth : 0));
    std::int32_t* order = near + chunk;
    std::int32_t* place = order + chunk;
    std::int32_t* nearest = place + view.blocks + 1;
    std::int32_t* found = nearest + most;
    scratch.needed = reinterpret_cast<std::uint8_t*>(found + most);

    for (std::int64_t first = begin; first < end; first += kChunk) {
      const int count = static_cast<int>(std::min(kChunk, end - first));
      const real* rows_of = query + first * dim;
      if (normalise) {
        for (std::int64_t r = 0; r < count; ++r) flow_.normalise_row(dim, rows_of + r * dim, normalised + r * dim);
        rows_of = normalised;
      }
      const auto pack = [&](int from, int n) {
        for (int s = 0; s < n; s += strip) {
          const real* row[kMostStrip];
          real own[kMostStrip];
          const int here = std::min(strip, n - s);
          for (int r = 0; r < here; ++r) row[r] = rows_of + static_cast<std::int64_t>(order[from + s + r]) * dim;
          flow_.pack_strip(here, dim, row, strips + static_cast<std::int64_t>(s) * dim, own);
          std::copy_n(own, here, square + s);
        }
      };
      for (int r = 0; r < count; ++r) order[r] = r;
      for (int s = 0; s < count; s += strip) {
        const int n = std::min(strip, count - s);
        pack(s, n);
        flow_.nearest_centers(view, n, strips, square, scratch.bound, near + s);
      }
      order_by_block(count, near, view.blocks, place, order);
      for (int g = 0; g < count; g += group) {
        const int n = std::min(group, count - g);
        pack(g, n);
        for (int r = 0; r < n; ++r) nearest[r] = near[order[g + r]];
        flow_.nearest_in_table(view, n, strips, square, nearest, scratch, found, distance);
        for (int r = 0; r < n; ++r) {
          token[first + order[g + r]] = found[r];
          if (distance2 != nullptr) distance2[first + order[g + r]] = distance[r];
        }
      }
    }
  });
}

}  // namespace wam::cpu
