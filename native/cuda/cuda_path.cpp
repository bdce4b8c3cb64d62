// Refinement steps and the metric path: sizes of launches, and what is worked out once on the host.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/error.h"
#include "cuda/cuda_backend_impl.h"
#include "cuda/kernel_info.h"
#include "kernels/path_rows.cuh"
#include "kernels/path_update.cuh"
#include "kernels/table_distance.cuh"
#include "kernels/topk_posterior.cuh"

namespace wam::WAM_GPU {
namespace {

enum PathScratch { kTops, kCuts, kDecisionSums, kPlainSums, kInverseNorms, kDistances };

// Up to here one block reads a row's logits (128 KB, 2,048 cycles at 64 bytes a cycle) in about the time of a launch.
constexpr int kOneBlockVocab = 32768;
// Distances of the general form that exist at once: 64 MB, which an L2 of a large device keeps between two launches.
constexpr std::int64_t kDistanceFloats = std::int64_t{16} << 20;

int ceil_div(int a, int b) { return (a + b - 1) / b; }
bool is_line(const TokenMetric& metric) { return metric.coordinate != nullptr; }

// --- posterior -----------------------------------------------------------------------------------------------------

/// The part of the parameters that decides x_1.
RefineRowParams posterior_params(int vocab, const float* logits, int ldl, int logit_rows, DecodeRule rule,
                                 float temperature, int top_k, float* log_probability) {
  RefineRowParams p;
  p.vocab = vocab;
  p.logits = logits;
  p.ldl = ldl;
  p.logit_rows = logit_rows;
  p.log_probability = log_probability;
  if (rule == DecodeRule::median) p.rule = PosteriorRule::median;
  if (rule == DecodeRule::sample && temperature > 0) {  // the limit of sampling is argmax
    p.rule = PosteriorRule::sample;
    p.inverse_temperature = std::min(1 / temperature, FLT_MAX);
    p.top_k = top_k > 0 && top_k < vocab ? top_k : 0;
  }
  return p;
}

/// Blocks that share a row of logits; 0: the block that decides reads it alone.
int splits_of(const RefineRowParams& p, int multiprocessors) {
  if (p.vocab <= kOneBlockVocab || p.logit_rows >= 2 * multiprocessors) return 0;
  const int filling = ceil_div(2 * multiprocessors, p.logit_rows);
  return std::min({filling, PosteriorPartConfig::kMaxSplits, chunk_shape(p.vocab).chunks});
}

/// `scratch(slot, bytes)` gives working memory, here and below.
template <class Scratch>
void run_refine_row(cudaStream_t stream, int multiprocessors, int rows, RefineRowParams& p, Scratch scratch) {
  const int chunks = chunk_shape(p.vocab).chunks, splits = splits_of(p, multiprocessors);
  if (splits > 0) {
    const int shared_rows = std::min(rows, p.logit_rows);
    const auto of = [&](PathScratch slot, std::size_t bytes) { return scratch(slot, bytes * shared_rows); };
    const bool tempered = p.inverse_temperature != 1 || p.top_k != 0;
    PosteriorPartParams part;
    part.vocab = p.vocab, part.ldl = p.ldl, part.logits = p.logits;
    part.top_k = p.top_k, part.inverse_temperature = p.inverse_temperature;
    part.parts.splits = splits;
    part.parts.top = static_cast<RowTop*>(of(kTops, sizeof(RowTop) * splits));
    part.parts.decision_sum = static_cast<float*>(of(kDecisionSums, sizeof(float) * chunks));
    if (p.top_k > 1) part.parts.cut = static_cast<float*>(of(kCuts, sizeof(float)));
    if (tempered && p.log_probability != nullptr)
      part.parts.plain_sum = static_cast<float*>(of(kPlainSums, sizeof(float) * chunks));
    const auto grid_x = static_cast<unsigned>(shared_rows), grid_y = static_cast<unsigned>(splits);
    using Config = PosteriorPartConfig;
    const dim3 block(Config::kThreads);
    launch(stream, "posterior_top", posterior_top<Config>, {dim3(grid_x, grid_y), block, Config::kTopBytes}, part);
    if (p.top_k > 1)
      launch(stream, "posterior_cut", posterior_cut<Config>, {dim3(grid_x), block, Config::kCutBytes}, part);
    if (p.rule != PosteriorRule::argmax || p.log_probability != nullptr)
      launch(stream, "posterior_sums", posterior_sums<Config>, {dim3(grid_x, grid_y), block, 0}, part);
    p.parts = part.parts;
  }
  using Config = RefineRowConfig;
  const auto shared = static_cast<std::size_t>(Config::shared_bytes(p.vocab, splits == 0 && p.top_k > 1));
  const LaunchShape shape = {dim3(static_cast<unsigned>(rows)), dim3(static_cast<unsigned>(Config::threads(p.vocab))),
                             shared};
  launch(stream, "refine_row", refine_row<Config>, shape, p);
}

// --- the metric path -------------------------------------------------------------------------------------------------

int rows_of_pass(const TokenMetric& metric, int rows) {
  if (is_line(metric)) return rows;
  constexpr std::int64_t kTile = TableDistanceConfig::kRows;
  constexpr std::int64_t kGridRows = 65535 * kTile;
  const std::int64_t fitting = std::min(kGridRows, kDistanceFloats / metric.vocab / kTile * kTile);
  return static_cast<int>(std::min<std::int64_t>(rows, std::max(kTile, fitting)));
}

struct TableMemory {
  float2* inverse = nullptr;  // [vocab]
  float* distance = nullptr;  // [rows_of_pass, vocab]
};

/// The kernels know the released form of the general metric alone.
void require_released(const TokenMetric& metric) {
  if (!is_line(metric) && !(metric.normalise && metric.squared))
    throw Error("ERR_ARGUMENT", "the GPU measures distances of normalised rows, squared again, and no others");
}

template <class Scratch>
TableMemory table_memory(const TokenMetric& metric, int rows, Scratch scratch) {
  require_released(metric);
  if (is_line(metric) || rows <= 0) return {};
  const auto vocab = static_cast<std::size_t>(metric.vocab),
             most = static_cast<std::size_t>(rows_of_pass(metric, rows));
  return {static_cast<float2*>(scratch(kInverseNorms, sizeof(float2) * vocab)),
          static_cast<float*>(scratch(kDistances, sizeof(float) * most * vocab))};
}

void measure_norms(cudaStream_t stream, const TokenMetric& metric, float2* inverse) {
  TableNormParams p;
  p.vocab = metric.vocab, p.dim = metric.dim, p.table = metric.table, p.inverse = inverse;
  const auto blocks = static_cast<unsigned>(ceil_div(metric.vocab, TableNormConfig::kRows));
  launch(stream, "table_norms", table_norms<TableNormConfig>, {dim3(blocks), dim3(TableNormConfig::kThreads), 0}, p);
}

void measure_distances(cudaStream_t stream, const TokenMetric& metric, int rows, const std::int32_t* x_1,
                       const float2* inverse, float* distance) {
  using Config = TableDistanceConfig;
  TableDistanceParams p;
  p.rows = rows, p.vocab = metric.vocab, p.dim = metric.dim;
  p.table = metric.table, p.inverse = inverse, p.x_1 = x_1, p.distance = distance;
  const dim3 grid(static_cast<unsigned>(ceil_div(metric.vocab, Config::kTokens)),
                  static_cast<unsigned>(ceil_div(rows, Config::kRows)));
  launch(stream, "table_distances", table_distances<Config>, {grid, dim3(Config::kThreads), Config::kSharedBytes}, p);
}

/// Calls run(first row, rows, what kernels are told of them) until all rows are done.
template <class Run>
void each_pass(cudaStream_t stream, const TokenMetric& metric, int rows, const std::int32_t* x_1,
               const TableMemory& memory, Run run) {
  if (rows <= 0) return;
  if (!is_line(metric)) measure_norms(stream, metric, memory.inverse);
  const int most = rows_of_pass(metric, rows);
  for (int first = 0; first < rows; first += most) {
    const int count = std::min(most, rows - first);
    PathRows path;
    path.vocab = metric.vocab, path.coordinate = metric.coordinate, path.power = metric.power;
    path.x_1 = x_1 + first;
    if (!is_line(metric)) {
      measure_distances(stream, metric, count, path.x_1, memory.inverse, memory.distance);
      path.distance = memory.distance;
    }
    run(first, count, path);
  }
}

LaunchShape shape_of_rows(int rows, int vocab) {
  using Config = PathRowsConfig;
  return {dim3(static_cast<unsigned>(rows)), dim3(static_cast<unsigned>(Config::threads(vocab))),
          static_cast<std::size_t>(Config::shared_bytes(vocab))};
}

template <class T>
T* advanced(T* pointer, int by) {
  return pointer == nullptr ? nullptr : pointer + by;
}

/// `all` describes row 0 on; each pass gets its own rows of it.
void run_path_draw(cudaStream_t stream, const TokenMetric& metric, int rows, const std::int32_t* x_1, const float* beta,
                   float all_beta, const TableMemory& memory, const PathDrawParams& all) {
  each_pass(stream, metric, rows, x_1, memory, [&](int first, int count, const PathRows& path) {
    PathDrawParams p = all;
    p.path = path;
    p.path.beta = advanced(beta, first), p.path.all_beta = all_beta;
    p.x_t = advanced(all.x_t, first), p.fixed = advanced(all.fixed, first);
    p.jump = advanced(all.jump, first), p.draw = advanced(all.draw, first);
    p.next = all.next + first;
    p.first_row = first;
    launch(stream, "path_draw", path_draw<PathRowsConfig>, shape_of_rows(count, metric.vocab), p);
  });
}

/// Distance from x_1 at which exp(-beta d) is 0.
double band_radius_of(const TokenMetric& metric, float beta) {
  return beta > 0 ? std::pow(kBandDepth / static_cast<double>(beta), 1.0 / static_cast<double>(metric.power)) : DBL_MAX;
}

RandomUse move_use(StepRule rule) { return rule == StepRule::renoise ? RandomUse::renoise : RandomUse::jump; }

}  // namespace

void GpuBackend::refine_step(const RefineStep& s) {
  if (s.rows <= 0) return;
  const auto take = [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); };
  const bool redraws = s.rule == StepRule::renoise, moves = s.x_t != nullptr;
  const bool line_path = moves && !s.mixture && is_line(s.metric), table_path = moves && !s.mixture && !line_path;
  const float beta = at_most_finite(s.beta);

  RefineRowParams p =
      posterior_params(s.vocab, s.logits, s.ldl, s.logit_rows, s.decode, s.temperature, s.top_k, s.log_probability);
  p.slots = s.slots, p.coupled = s.coupled, p.seed = s.seed, p.step = s.step;
  p.move_use = move_use(s.rule);
  p.x_1 = s.x_1, p.margin = s.margin;
  if (line_path) {
    p.x_t = s.x_t;
    p.move = redraws ? PathMove::redraw : PathMove::jump;
    p.beta = beta, p.step_weight = s.step_weight;
    p.coordinate = s.metric.coordinate, p.power = s.metric.power;
    p.radius = band_radius_of(s.metric, beta);
  } else if (moves && s.mixture) {
    p.x_t = s.x_t;
    p.move = redraws ? PathMove::mixture_redraw : PathMove::mixture;
    p.mixture_jump = s.mixture_jump;
    p.source = s.source;
  }
  run_refine_row(stream_, multiprocessors_, s.rows, p, take);
  if (!table_path) return;

  PathDrawParams draw;
  draw.rates = !redraws;
  draw.step_weight = s.step_weight;
  draw.x_t = s.x_t, draw.next = s.x_t;
  draw.seed = s.seed, draw.step = s.step, draw.use = move_use(s.rule), draw.slots = s.slots;
  run_path_draw(stream_, s.metric, s.rows, s.x_1, nullptr, beta, table_memory(s.metric, s.rows, take), draw);
}

void GpuBackend::initial_tokens(int rows, int slots, int vocab, const std::uint64_t* seed, std::int32_t* x_0) {
  if (rows <= 0) return;
  using Config = UniformTokenConfig;
  UniformTokenParams p;
  p.rows = rows, p.slots = slots, p.vocab = vocab, p.seed = seed, p.x_0 = x_0;
  const auto blocks = static_cast<unsigned>(ceil_div(rows, Config::kThreads));
  launch(stream_, "uniform_tokens", uniform_tokens<Config>, {dim3(blocks), dim3(Config::kThreads), 0}, p);
}

void GpuBackend::decode_posterior(const DecodePosterior& d) {
  if (d.rows <= 0) return;
  RefineRowParams p =
      posterior_params(d.vocab, d.logits, d.ldl, d.rows, d.rule, d.temperature, d.top_k, d.log_probability);
  p.uniform = d.uniform;
  p.x_1 = d.token;
  run_refine_row(stream_, multiprocessors_, d.rows, p,
                 [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); });
}

void GpuBackend::topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature,
                                int k, real* prob) {
  if (rows <= 0) return;
  using Config = TopkPosteriorConfig;
  TopkPosteriorParams p;
  p.vocab = vocab, p.k = std::clamp(k, 1, vocab), p.logits = logits, p.uniform = uniform;
  p.temperature = temperature, p.prob = prob;
  launch(stream_, "topk_posterior", WAM_GPU::topk_posterior<Config>,
         {dim3(static_cast<unsigned>(rows)), dim3(Config::kThreads), Config::kSharedBytes}, p);
}

void GpuBackend::path_step(const PathStep& s) {
  if (s.draw == nullptr || s.total != nullptr)
    throw Error("ERR_ARGUMENT", "path_step on the GPU: expected `draw`, and no `total`");
  const auto take = [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); };
  PathDrawParams p;
  p.rates = s.rule != StepRule::renoise;
  p.step_weight = s.step_weight;
  p.x_t = s.x_t, p.jump = s.jump, p.draw = s.draw, p.next = s.x_next;
  run_path_draw(stream_, s.metric, s.rows, s.x_1, nullptr, s.beta, table_memory(s.metric, s.rows, take), p);
}

void GpuBackend::path_noise(const PathNoise& s) {
  const auto take = [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); };
  PathDrawParams p;
  p.fixed = s.fixed, p.draw = s.draw, p.next = s.x_t;
  run_path_draw(stream_, s.metric, s.rows, s.x_1, s.beta, 0, table_memory(s.metric, s.rows, take), p);
}

namespace {

/// Probabilities, or rates when beta_dot is not null.
void run_path_values(cudaStream_t stream, const TokenMetric& metric, int rows, const std::int32_t* x_1,
                     const TableMemory& memory, const float* beta, const PathValueParams& all) {
  each_pass(stream, metric, rows, x_1, memory, [&](int first, int count, const PathRows& path) {
    PathValueParams p = all;
    p.path = path;
    p.path.beta = beta + first;
    p.beta_dot = advanced(all.beta_dot, first), p.x_t = advanced(all.x_t, first);
    p.value = all.value + static_cast<std::int64_t>(first) * metric.vocab;
    p.total = advanced(all.total, first);
    launch(stream, "path_values", path_values<PathRowsConfig>, shape_of_rows(count, metric.vocab), p);
  });
}

}  // namespace

void GpuBackend::path_probability(int rows, const TokenMetric& metric, const real* beta, const std::int32_t* x_1,
                                  real* prob) {
  const auto take = [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); };
  PathValueParams p;
  p.value = prob;
  run_path_values(stream_, metric, rows, x_1, table_memory(metric, rows, take), beta, p);
}

void GpuBackend::path_rates(int rows, const TokenMetric& metric, const real* beta, const real* beta_dot,
                            const std::int32_t* x_t, const std::int32_t* x_1, real* rate, real* total) {
  const auto take = [this](int slot, std::size_t bytes) { return scratch_bytes(slot, bytes); };
  PathValueParams p;
  p.beta_dot = beta_dot, p.x_t = x_t, p.value = rate, p.total = total;
  run_path_values(stream_, metric, rows, x_1, table_memory(metric, rows, take), beta, p);
}

void GpuBackend::metric_distance(int rows, const TokenMetric& metric, const std::int32_t* x_1, real* distance) {
  require_released(metric);
  if (rows <= 0) return;
  if (is_line(metric)) {
    using Config = LineDistanceConfig;
    LineDistanceParams p;
    p.vocab = metric.vocab, p.coordinate = metric.coordinate, p.power = metric.power;
    p.x_1 = x_1, p.distance = distance;
    const auto blocks = static_cast<unsigned>(rows);
    launch(stream_, "line_distances", line_distances<Config>, {dim3(blocks), dim3(Config::kThreads), 0}, p);
    return;
  }
  float2* inverse = scratch<float2>(kInverseNorms, static_cast<std::size_t>(metric.vocab));
  measure_norms(stream_, metric, inverse);
  constexpr int kMost = 65535 * TableDistanceConfig::kRows;
  for (int first = 0; first < rows; first += kMost) {
    measure_distances(stream_, metric, std::min(kMost, rows - first), x_1 + first, inverse,
                      distance + static_cast<std::int64_t>(first) * metric.vocab);
  }
}

void list_path_kernels(std::vector<KernelInfo>& out) {
  const auto add = [&](std::string family, std::string symbol, int threads, int shared, bool hot,
                       std::vector<KernelCase> cases) {
    out.push_back({std::move(family), std::move(symbol), threads, shared, 75, false, hot, std::move(cases)});
  };
  // Operations of a weight: 12 of exp, and of a distance, a rate and sums about as many again.
  constexpr double kWeight = 24;
  const auto refine_case = [](int rows, int vocab) {
    return KernelCase{std::to_string(rows) + " rows of " + std::to_string(vocab) + " tokens, band of all",
                      2 * kWeight * rows * vocab, 4.0 * rows * vocab + 4.0 * vocab, rows};
  };
  const int large = RefineRowConfig::shared_bytes(20001, false);
  add("path_update", kernel_symbol<&refine_row<RefineRowConfig>>(), RefineRowConfig::kThreads, large, true,
      {refine_case(24, 401), refine_case(32, 20001)});

  const KernelCase split = {"24 rows of 122401 logits, 11 blocks a row", kWeight * 24 * 122401, 4.0 * 24 * 122401,
                            24 * 11};
  const KernelCase cut = {"24 rows of 122401 logits, three readings", 0, 3 * 4.0 * 24 * 122401, 24};
  using Part = PosteriorPartConfig;
  add("posterior", kernel_symbol<&posterior_top<Part>>(), Part::kThreads, Part::kTopBytes, true, {split});
  add("posterior", kernel_symbol<&posterior_cut<Part>>(), Part::kThreads, Part::kCutBytes, false, {cut});
  add("posterior", kernel_symbol<&posterior_sums<Part>>(), Part::kThreads, 0, true, {split});

  add("topk_posterior", kernel_symbol<&topk_posterior<TopkPosteriorConfig>>(), TopkPosteriorConfig::kThreads,
      TopkPosteriorConfig::kSharedBytes, false,
      {{"24 rows of 20001 logits, nine readings", 0, 9 * 4.0 * 24 * 20001, 24}});

  using Rows = PathRowsConfig;
  const auto rows_shared = Rows::shared_bytes(401);
  const KernelCase noise = {"6144 rows of 401 tokens", kWeight * 6144 * 401, 12.0 * 6144 + 4 * 401, 6144};
  const KernelCase values = {"24 rows of 20001 tokens", 2 * kWeight * 24 * 20001, 4.0 * 24 * 20001 + 4 * 20001, 24};
  add("path_rows", kernel_symbol<&path_draw<Rows>>(), Rows::kThreads, rows_shared, true, {noise});
  add("path_rows", kernel_symbol<&path_values<Rows>>(), Rows::kThreads, Rows::shared_bytes(20001), false, {values});
  add("path_rows", kernel_symbol<&line_distances<LineDistanceConfig>>(), LineDistanceConfig::kThreads, 0, false,
      {{"24 rows of 20001 tokens", 2.0 * 24 * 20001, 4.0 * 25 * 20001, 24}});
  add("path_rows", kernel_symbol<&uniform_tokens<UniformTokenConfig>>(), UniformTokenConfig::kThreads, 0, false,
      {{"24 rows", 0, 4.0 * 24, 1}});

  const auto table_case = [](int rows, int vocab, int dim) {
    using Config = TableDistanceConfig;
    return KernelCase{std::to_string(rows) + " rows, table " + std::to_string(vocab) + " x " + std::to_string(dim),
                      3.0 * rows * vocab * dim, 4.0 * vocab * (dim + rows),
                      ceil_div(vocab, Config::kTokens) * ceil_div(rows, Config::kRows)};
  };
  add("table_distance", kernel_symbol<&table_norms<TableNormConfig>>(), TableNormConfig::kThreads, 0, true,
      {{"table 122401 x 2048", 2.0 * 122401 * 2048, 4.0 * 122401 * 2048, ceil_div(122401, TableNormConfig::kRows)}});
  add("table_distance", kernel_symbol<&table_distances<TableDistanceConfig>>(), TableDistanceConfig::kThreads,
      TableDistanceConfig::kSharedBytes, true, {table_case(24, 122401, 2048), table_case(32, 20001, 64)});
}

}  // namespace wam::WAM_GPU
