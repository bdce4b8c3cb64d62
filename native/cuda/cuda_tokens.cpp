// Operations of the GPU backend on token tables: nearest token, triplet margin, generalised KL.
#include <algorithm>

#include "cuda/cuda_backend_impl.h"
#include "cuda/kernel_info.h"
#include "kernels/generalized_kl.cuh"
#include "kernels/token_bounds.cuh"
#include "kernels/token_lookup.cuh"
#include "kernels/token_norms.cuh"
#include "kernels/triplet_margin.cuh"

namespace wam::WAM_GPU {
namespace {

constexpr int ceil_div(std::int64_t a, std::int64_t b) { return static_cast<int>((a + b - 1) / b); }
constexpr int round_up(int a, int b) { return ceil_div(a, b) * b; }

// Up to here every token is measured: 32 queries over 20,001 x 64 are 84 million differences, 4 us of an RTX 4090, less
// than the pass over the table that the tensor cores need first (5 MB read, 3 MB written).
constexpr int kScanRows = 32;
// For each multiprocessor, of the table's 16-bit copy and of the bounds of a block of queries. Both stay in the L2
// cache of any device (100 KiB a multiprocessor on a T4, 580 on an RTX 4090) and keep it busy: 8 MiB on the latter are
// 65,536 tokens of 64 dimensions, and 1,664 queries over 20,001 tokens. Tables and batches beyond go in parts.
constexpr std::int64_t kPartBytes = std::int64_t{64} << 10;

enum Slot { kQuery, kInverse, kStats, kQueryCopy, kTableCopy, kBounds };  // of nearest_token
enum TripletSlot { kLoss, kTerms, kRow, kFirst, kNext };

constexpr std::size_t elements(int rows, int cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

/// As many rows of `row_bytes` as a part holds, in multiples of `multiple`; one of those at least, `most` at most.
int rows_of_part(std::int64_t part_bytes, std::int64_t row_bytes, int multiple, int most) {
  const std::int64_t fit = part_bytes / row_bytes / multiple * multiple;
  return static_cast<int>(std::min<std::int64_t>(most, std::max<std::int64_t>(fit, multiple)));
}

TokenTable searched(int vocab, int dim, const float* table, const float2* inverse) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(table) % 16 == 0 && dim % 4 == 0;
  return {table, inverse, vocab, dim, aligned};
}

void launch_norms(cudaStream_t stream, const TokenNormsParams& p) {
  using Config = TokenNormsConfig;
  launch(stream, "token_norms", &token_norms<Config>,
         {dim3(ceil_div(p.padded, Config::kRows)), dim3(Config::kThreads), 0}, p);
}

void launch_bounds(cudaStream_t stream, int multiprocessors, TokenBoundsParams p) {
  using Config = TokenBoundsConfig;
  // Three blocks share a multiprocessor; two to three rounds of them even out the last.
  const int tiles = ceil_div(p.tokens, Config::kTokens), query_tiles = ceil_div(p.rows, Config::kQueries);
  const int splits = std::clamp(ceil_div(8 * multiprocessors, query_tiles), 1, tiles);
  p.tiles_per_block = ceil_div(tiles, splits);
  launch(stream, "token_bounds", &token_bounds<Config>,
         {dim3(query_tiles, ceil_div(tiles, p.tiles_per_block)), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

}  // namespace

std::unique_ptr<PackedTable> GpuBackend::pack_table(int, int, const real*, bool) { return nullptr; }

void GpuBackend::nearest_token(int rows, int vocab, int dim, const real* query, const real* table, bool normalise,
                               std::int32_t* token, real* distance2, const PackedTable*) {
  if (rows <= 0 || vocab <= 0) return;
  using Bounds = TokenBoundsConfig;
  using Scan = TokenScanConfig;
  const bool scan = rows <= kScanRows;
  const int width = round_up(std::max(dim, 1), kQuadDims);            // of a query in float
  const int copy_width = round_up(std::max(dim, 1), Bounds::kSlice);  // of rows in 16 bits
  const int padded = round_up(vocab, Bounds::kTokens), ldb = padded / kBoundGroup;
  const std::int64_t part_bytes = kPartBytes * multiprocessors_;
  const int part_rows =
      scan ? round_up(rows, Scan::kQueries) : rows_of_part(part_bytes, std::int64_t{4} * ldb, Bounds::kQueries, rows);
  const int part_tokens = rows_of_part(part_bytes, std::int64_t{2} * copy_width, Bounds::kTokens, padded);

  TokenNormsParams of_query, of_table;
  of_query.dim = of_table.dim = dim;
  of_query.normalise = of_table.normalise = normalise;
  of_query.row = scratch<float>(kQuery, elements(part_rows, width));
  of_query.row_width = width;
  float2* inverse = normalise ? scratch<float2>(kInverse, elements(vocab, 1)) : nullptr;

  if (scan) {
    of_query.rows = query;
    of_query.count = rows;
    of_query.padded = part_rows;
    launch_norms(stream_, of_query);
    if (normalise) {
      of_table.rows = table;
      of_table.count = of_table.padded = vocab;
      of_table.inverse = inverse;
      launch_norms(stream_, of_table);
    }
    const int splits = std::min(ceil_div(vocab, Scan::kTokens), 4 * multiprocessors_);
    auto* best = scratch<std::uint64_t>(kBounds, elements(rows, splits));
    const TokenScanParams p = {searched(vocab, dim, table, inverse), of_query.row, width, rows, best};
    launch(stream_, "token_scan", &token_scan<Scan>,
           {dim3(splits, ceil_div(rows, Scan::kQueries)), dim3(Scan::kThreads), Scan::kSharedBytes}, p);
    using Merge = TokenMergeConfig;
    const TokenMergeParams m = {best, rows, splits, token, distance2};
    launch(stream_, "token_merge", &token_merge<Merge>, {dim3(ceil_div(rows, Merge::kRows)), dim3(Merge::kThreads), 0},
           m);
    return;
  }

  auto* table_stats = scratch<RowStats>(kStats, elements(padded + part_rows, 1));
  of_query.copy = scratch<f16>(kQueryCopy, elements(part_rows, copy_width));
  of_table.copy = scratch<f16>(kTableCopy, elements(part_tokens, copy_width));
  of_query.copy_width = of_table.copy_width = copy_width;
  of_query.stats = table_stats + padded;
  auto* bounds = scratch<float>(kBounds, elements(part_rows, ldb));

  for (int first_row = 0; first_row < rows; first_row += part_rows) {
    const int count = std::min(part_rows, rows - first_row);
    of_query.rows = query + static_cast<std::int64_t>(first_row) * dim;
    of_query.count = of_query.padded = count;
    launch_norms(stream_, of_query);
    for (int first = 0; first < vocab; first += part_tokens) {
      const int tokens = std::min(part_tokens, vocab - first);
      if (first_row == 0 || part_tokens < padded) {  // else it is still there
        of_table.rows = table + static_cast<std::int64_t>(first) * dim;
        of_table.count = tokens;
        of_table.padded = round_up(tokens, Bounds::kTokens);
        of_table.inverse = normalise ? inverse + first : nullptr;
        of_table.stats = table_stats + first;
        launch_norms(stream_, of_table);
      }
      TokenBoundsParams b;
      b.query = of_query.copy;
      b.query_stats = of_query.stats;
      b.table = of_table.copy;
      b.table_stats = table_stats + first;
      b.rows = count;
      b.tokens = tokens;
      b.width = copy_width;
      b.bound = bounds + first / kBoundGroup;
      b.ldb = ldb;
      launch_bounds(stream_, multiprocessors_, b);
    }
    using Select = TokenSelectConfig;
    const TokenSelectParams s = {searched(vocab, dim, table, inverse),
                                 of_query.row,
                                 width,
                                 bounds,
                                 ldb,
                                 token + first_row,
                                 distance2 == nullptr ? nullptr : distance2 + first_row};
    launch(stream_, "token_select", &token_select<Select>, {dim3(count), dim3(Select::kThreads), Select::kSharedBytes},
           s);
  }
}

double GpuBackend::triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                                  const std::int32_t* positive, const std::int32_t* negative, const real* margin,
                                  bool normalise, real* dtable, double scale, bool add) {
  if (dtable != nullptr && !add) fill(elements(vocab, dim), 0, dtable);
  if (count <= 0) return 0;
  using Distances = TripletDistancesConfig;
  TripletDistancesParams d;
  d.count = count;
  d.dim = dim;
  d.table = table;
  d.anchor = anchor;
  d.positive = positive;
  d.negative = negative;
  d.margin = margin;
  d.normalise = normalise;
  d.eps = normalise ? 0 : 1e-6;
  d.share = scale / count;
  d.loss = scratch<double>(kLoss, Distances::kMaxBlocks);
  if (dtable != nullptr) {
    d.terms = scratch<TripletTerms>(kTerms, elements(count, 1));
    d.row = scratch<std::int32_t>(kRow, elements(count, 3));
  }
  const int blocks = std::min(ceil_div(count, Distances::kTriplets), Distances::kMaxBlocks);
  launch(stream_, "triplet_distances", &triplet_distances<Distances>,
         {dim3(blocks), dim3(Distances::kThreads), Distances::kSharedBytes}, d);

  if (dtable != nullptr) {
    TripletGradientParams g;
    g.places = 3 * count;
    g.dim = dim;
    g.table = table;
    g.anchor = anchor;
    g.positive = positive;
    g.negative = negative;
    g.eps = d.eps;
    g.terms = d.terms;
    g.row = d.row;
    g.dtable = dtable;
    if (options_.deterministic) {
      using Lists = TripletListsConfig;
      TripletListsParams l;
      l.places = g.places;
      l.vocab = vocab;
      l.row = d.row;
      l.first = scratch<std::int32_t>(kFirst, elements(vocab, 1));
      l.next = scratch<std::int32_t>(kNext, elements(count, 3));
      l.rows_per_warp = ceil_div(vocab, Lists::kWarps * multiprocessors_);
      launch(stream_, "triplet_lists", &triplet_lists<Lists>,
             {dim3(ceil_div(vocab, Lists::kWarps * l.rows_per_warp)), dim3(Lists::kThreads), 0}, l);
      g.first = l.first;
      g.next = l.next;
    }
    using Gradient = TripletGradientConfig;
    launch(stream_, "triplet_gradient", &triplet_gradient<Gradient>,
           {dim3(ceil_div(g.places, Gradient::kPlaces)), dim3(Gradient::kThreads), 0}, g);
  }

  double sums[Distances::kMaxBlocks];
  download(sums, d.loss, static_cast<std::size_t>(blocks) * sizeof(double));
  double sum = 0;
  for (int b = 0; b < blocks; ++b) sum += sums[b];
  return scale * sum / count;
}

void GpuBackend::generalized_kl(int rows, int vocab, const real* logits, const std::int32_t* x_1,
                                const std::int32_t* x_t, const double* rate, real* loss, real* dlogits) {
  if (rows <= 0) return;
  using Config = GeneralizedKlConfig;
  const GeneralizedKlParams p = {vocab, logits, x_1, x_t, rate, loss, dlogits};
  launch(stream_, "generalized_kl_rows", &generalized_kl_rows<Config>,
         {dim3(rows), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

void list_tokens_kernels(std::vector<KernelInfo>& out) {
  constexpr double kVocab = 20001, kDim = 64, kQueries = 1024, kTable = kVocab * kDim;
  const auto add = [&](const char* family, std::string symbol, int threads, int shared, bool tensor_cores, bool hot,
                       std::vector<KernelCase> cases) {
    KernelInfo info;
    info.family = family;
    info.symbol = std::move(symbol);
    info.threads = threads;
    info.shared_bytes = shared;
    info.tensor_cores = tensor_cores;
    info.hot = hot;
    info.cases = std::move(cases);
    out.push_back(std::move(info));
  };
  using Bounds = TokenBoundsConfig;
  add("token_norms", kernel_symbol<&token_norms<TokenNormsConfig>>(), TokenNormsConfig::kThreads, 0, false, false,
      {{"table of 20,001 x 64, normalised, with its copy", 9 * kTable, 6 * kTable + 24 * kVocab, 1256},
       {"1,024 queries of 64", 9 * kQueries * kDim, 10 * kQueries * kDim, 64}});
  add("token_bounds", kernel_symbol<&token_bounds<Bounds>>(), Bounds::kThreads, Bounds::kSharedBytes, true, false,
      {{"1,024 queries, 20,001 x 64", 2 * kQueries * kTable,
        2 * kTable + 16 * kVocab + 2 * kQueries * kDim + kQueries * kVocab / 4, 16 * 79},
       {"1,024 queries, 20,001 x 2,048", 2 * kQueries * kVocab * 2048,
        2 * kVocab * 2048 + 16 * kVocab + 2 * kQueries * 2048 + kQueries * kVocab / 4, 16 * 79}});
  add("token_lookup", kernel_symbol<&token_select<TokenSelectConfig>>(), TokenSelectConfig::kThreads,
      TokenSelectConfig::kSharedBytes, false, false,
      {{"1,024 queries, a group of 20,001 x 64 each", 3 * kQueries * 16 * kDim,
        kQueries * (kVocab / 4 + 4 * kDim + 16 * 4 * kDim), 1024},
       {"1,024 queries, 40 groups of a curve of 20,001 x 64 each", 3 * kQueries * 640 * kDim,
        kQueries * (kVocab / 4 + 4 * kDim) + 4 * kTable, 1024}});
  add("token_lookup", kernel_symbol<&token_scan<TokenScanConfig>>(), TokenScanConfig::kThreads,
      TokenScanConfig::kSharedBytes, false, false,
      {{"1 query, 20,001 x 64", 3 * kTable, 4 * kTable, 313},
       {"32 queries, 20,001 x 64", 3 * 32 * kTable, 4 * kTable, 4 * 313}});
  add("token_lookup", kernel_symbol<&token_merge<TokenMergeConfig>>(), TokenMergeConfig::kThreads, 0, false, false,
      {{"32 queries, 313 blocks", 0, 32 * 313 * 8, 8}});
  // 4,096 triplets: about 9,000 rows of the table are read, most of them once; double operations count as one flop.
  add("triplet_margin", kernel_symbol<&triplet_distances<TripletDistancesConfig>>(), TripletDistancesConfig::kThreads,
      TripletDistancesConfig::kSharedBytes, false, true,
      {{"4,096 triplets of 20,001 x 64, normalised", 32.0 * 4096 * kDim, 4096.0 * (3 * 4 * kDim + 16 + 64 + 12), 128}});
  add("triplet_margin", kernel_symbol<&triplet_lists<TripletListsConfig>>(), TripletListsConfig::kThreads, 0, false,
      true, {{"12,288 places, 20,001 rows", 0, 4 * kVocab + 8 * 12288, 132}});
  add("triplet_margin", kernel_symbol<&triplet_gradient<TripletGradientConfig>>(), TripletGradientConfig::kThreads, 0,
      false, true,
      {{"4,096 triplets of 20,001 x 64", 16.0 * 12288 * kDim, 4096.0 * (3 * 4 * kDim + 64 + 36) + 9000 * 8 * kDim,
        1536}});
  add("generalized_kl", kernel_symbol<&generalized_kl_rows<GeneralizedKlConfig>>(), GeneralizedKlConfig::kThreads,
      GeneralizedKlConfig::kSharedBytes, false, true,
      {{"192 rows of 20,001", 50.0 * 192 * kVocab, 8.0 * 192 * kVocab, 192}});
}

}  // namespace wam::WAM_GPU
