#pragma once
// The kernels behind the flow operations of the CPU backend (cpu_backend_flow.cpp), one table an instruction set. Each
// works on one row or on one block of rows; threads, scratch and the choice of a token are the caller's.

#include <cstdint>

#include "core/real.h"

namespace wam::cpu {

/// Tokens whose weights are summed together in `real`; sums of blocks are carried in double, so that an inverse CDF over
/// 20,001 tokens decides as exactly as one over 20.
constexpr int kSumBlock = 64;
/// Rows of a strip of the matrix product, on any instruction set.
constexpr int kMostStrip = 16;
constexpr int sum_blocks(int count) { return (count + kSumBlock - 1) / kSumBlock; }

/// Whole vectors of a row.
constexpr int table_width(int dim) { return (dim + 15) / 16 * 16; }
/// Scratch of the table kernels for one block of 16 tokens, in reals: the rows and their transpose.
constexpr int table_tile_size(int dim) { return 32 * table_width(dim); }

/// A packed token table. Tokens lie in blocks of kSumBlock, each a panel of a matrix product, within `radius` of a center.
struct TableView {
  int vocab = 0, dim = 0, blocks = 0;
  const real* panels = nullptr;          // [blocks][dim][kSumBlock], zeros beyond vocab
  const real* squares = nullptr;         // [blocks][kSumBlock] |e|^2, infinite beyond vocab
  const real* centers = nullptr;         // [center blocks][dim][kSumBlock], packed as tokens are
  const real* center_squares = nullptr;  // [center blocks][kSumBlock]
  const real* radius = nullptr;          // [center blocks][kSumBlock]
  real largest = 0;                      // of |e|^2; infinite when products of rows might overflow
};
/// Leading dimension of bounds of all blocks.
constexpr int table_bounds_size(int blocks) { return (blocks + kSumBlock - 1) / kSumBlock * kSumBlock; }

struct NearestScratch {
  real* bound;           // [strip][table_bounds_size]
  real* seen;            // [rows][table_bounds_size]
  real* least;           // [2][rows]
  std::uint8_t* needed;  // [strips][table_bounds_size]
};

/// Rows of the metric path that one task sums the weights of, in strips of Kernels::strip.
struct TablePath {
  const TableView* table = nullptr;
  bool squared = false;  // d = (|z_i - z_j|^2)^2
  bool product = false;  // distances by matrix products
  int rows = 0;
  const real* strips = nullptr;                 // [strips][dim][strip] the rows of x_1
  const real* square = nullptr;                 // [rows] |row|^2
  const real* beta = nullptr;                   // [rows], finite
  const real* reach = nullptr;                  // [rows] d(x_t, x_1), or null: weights, no rates
  real* bound = nullptr;                        // scratch [strip][table_bounds_size]
  std::uint8_t* needed = nullptr;               // scratch [rows][blocks]
  real* block_sum = nullptr;                    // [rows][blocks] of rates, else of weights
  double *total = nullptr, *weights = nullptr;  // [rows] sum of block_sum, and of exp(-beta d)
};

struct RowCounters {
  std::uint32_t key0, key1;
  std::uint32_t step, use, slots;
};

struct TripletDistances {
  double positive, negative;  // |a-p+eps|, |a-n+eps|
};
/// A row in double, and what its gradient needs: z = x * inverse.
struct TripletRow {
  double inverse;
  bool projects;  // z lies on the unit sphere; below the floor of the norm it is x times a constant
};

struct FlowKernels {
  // --- distances -------------------------------------------------------------------------------------------------
  /// z = x / max(|x|, 1e-12).
  void (*normalise_row)(int dim, const real* x, real* z);
  /// out[r*ldo + v] = |z_v - q_r|^2 for all rows v of table [vocab, dim] and rows r of query [rows, dim]; its square when
  /// `squared`. The difference is taken first, then squared: 2 - 2cos would lose all digits between near tokens.
  void (*table_distances)(int vocab, int dim, const real* table, bool normalise, int rows, const real* query,
                          bool squared, real* tile, real* out, int ldo);
  /// out[i] = |coordinate[i] - anchor|^power.
  void (*line_distances)(int count, const real* coordinate, real anchor, real power, real* out);

  // --- weights of tokens; block_sum [sum_blocks(count)], the total is returned ---------------------------------------
  /// weight = exp(-beta distance)
  double (*metric_weights)(int count, const real* distance, real beta, real* weight, real* block_sum);
  /// rate = exp(-beta distance) max(0, reach - distance), with its sums; returns the sum of exp(-beta distance).
  double (*metric_rates)(int count, const real* distance, real beta, real reach, real* rate, real* block_sum,
                         double* rate_sum);
  /// The same of distances |coordinate - anchor|^power, which are not written anywhere.
  double (*line_rates)(int count, const real* coordinate, real anchor, real power, real beta, real reach, real* rate,
                       real* block_sum, double* rate_sum);
  /// Sums of exp((logit - highest) inverse_temperature) where logit >= threshold, else 0 (NaN logits too).
  double (*logit_sums)(int count, const real* logits, real highest, real inverse_temperature, real threshold,
                       real* block_sum);
  /// Those weights.
  void (*logit_weights)(int count, const real* logits, real highest, real inverse_temperature, real threshold,
                        real* weight);

  // --- packed tables (flow_table.inl) ---------------------------------------------------------------------------------
  void (*pack_table_block)(int tokens, int dim, const real* table, bool normalise, real* scratch, real* panel,
                           real* squares, real* center, real* radius);
  void (*pack_strip)(int rows, int dim, const real* const* row, real* strip, real* square);
  void (*nearest_centers)(const TableView& t, int rows, const real* strip, const real* square, real* scratch,
                          std::int32_t* block);
  void (*nearest_in_table)(const TableView& t, int rows, const real* strips, const real* square,
                           const std::int32_t* near, const NearestScratch& scratch, std::int32_t* token,
                           real* distance);
  void (*table_reach)(const TablePath& p, const std::int32_t* token, real* reach);
  void (*table_path_sums)(const TablePath& p);
  void (*table_block_weights)(const TablePath& p, int row, int block, real* weight);
  /// A bound on the error of distances by products, squares |e|^2 + |q|^2.
  real (*dot_error)(int dim, real squares);

  // --- rows --------------------------------------------------------------------------------------------------------
  /// The greatest element, NaN left out; -inf when there is none.
  real (*row_max)(int count, const real* x);
  /// The greatest element less the greatest of the others; NaN left out, 0 when there are not two.
  real (*top_two_gap)(int count, const real* x);
  /// RandomStream::at(step, row % slots, row / slots, use) of rows [0, rows): unit_uniform of word 0, and of word 1 to
  /// `second` unless it is null.
  void (*row_uniforms)(const RowCounters& counters, int rows, float* first, float* second);
  /// Index of the first element equal to `value`, 0 when there is none.
  int (*first_equal)(int count, const real* x, real value);
  void (*scale)(int count, real factor, const real* x, real* y);

  // --- triplets (flow_triplet.inl), in double ------------------------------------------------------------------------
  /// z = x in double, scaled to length 1 when `normalise`.
  TripletRow (*spread_row)(int dim, const real* x, bool normalise, double* z);
  TripletDistances (*triplet_distances)(int dim, const double* a, const double* p, const double* n, double eps);
  /// sum [dim] += the gradient of to_positive |a-p+eps| + to_negative |a-n+eps| with respect to a, where a factor is not
  /// 0 (p and n may be null where it is). With the signs turned it is that of p or n.
  void (*add_triplet_gradient)(int dim, const double* a, const double* p, const double* n, double eps,
                               double to_positive, double to_negative, double* sum);
  /// dx = (or += when `add`) the gradient by x, from `sum`, that by z.
  void (*finish_triplet_row)(int dim, const double* z, TripletRow row, const double* sum, bool add, real* dx);
  /// Distances of one triplet of rows as they are, and, where the hinge is open, the gradient of share times the hinge
  /// written (or added) to da, dp, dn, which are zeros (or left alone) where it is not. No gradient when da is null.
  TripletDistances (*whole_triplet)(int dim, const real* a, const real* p, const real* n, double eps, real margin,
                                    double share, bool add, real* da, real* dp, real* dn);
};

}  // namespace wam::cpu
