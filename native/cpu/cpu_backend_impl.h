#pragma once
// The class behind make_cpu_backend. Private to native/cpu: its methods are spread over cpu_*.cpp by subject. A method
// cuts the work into tasks, a kernel of the table for the chosen instruction set does one task.

#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/scratch.h"
#include "cpu/weight_memory.h"

namespace wam::cpu {

class CpuPackedTable;   // cpu_table.h
class CpuPackedWeight;  // packed_weight.h
struct FlowKernels;     // flow_kernels.h
struct Int8Kernel;      // int8_unit.h
struct Kernels;         // kernels.h
struct TableView;

class CpuBackend final : public Backend {
 public:
  /// `int8`: what sums the products of int8 weights.
  CpuBackend(ThreadPool* pool, Isa isa, Precision precision, const Int8Kernel& int8);
  ~CpuBackend() override;
  const char* name() const override;

  bool unified() const override { return true; }
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void download(void* host, const void* device, std::size_t bytes) override;
  void replay(std::uint64_t key, const std::function<void()>& work) override;

  std::unique_ptr<PackedWeight> pack(const real* b, int ldb, bool b_transposed, int k, int n, bool exact) override;
  void gemm(const Gemm& g) override;
  void add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) override;

  void attention(const Attention& a) override;
  void attention_backward(const Attention& a, const AttentionBackward& g) override;

  void layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                  real* mean, real* rstd) override;
  void layer_norm_backward(int rows, int cols, const real* x, const real* weight, const real* mean, const real* rstd,
                           const real* dy, real* dx, bool add_dx, real* dweight, real* dbias) override;
  void rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) override;
  void rms_norm_backward(int rows, int cols, const real* x, const real* weight, const real* rstd, const real* dy,
                         real* dx, bool add_dx, real* dweight) override;
  void rope(int rows, int heads, int head_dim, const std::int32_t* position, real theta, bool inverse, real* x,
            int ldx) override;

  void activation(Activation kind, std::int64_t n, const real* x, real* y) override;
  void activation_backward(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx) override;
  void swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) override;
  void swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                       real* dgate, int lddg, real* dup, int lddu) override;
  void axpy(std::int64_t n, real alpha, const real* x, real* y) override;
  void fill(std::int64_t n, real value, real* y) override;
  void dropout(std::int64_t n, real p, const RandomStream& stream, std::uint32_t site, const real* x, real* y) override;

  void embedding(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo, bool add) override;
  void embedding_backward(int rows, int cols, const std::int32_t* id, const real* dout, int ldo, real* dtable) override;
  void cross_entropy(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target, real smear,
                     const real* weight, real* loss, real* dlogits, int lddl) override;
  void policy_loss(const PolicyLoss& p) override;
  void value_loss(ValueLoss kind, int rows, const real* prediction, const real* target, const real* weight, real* loss,
                  real* dprediction) override;

  void refine_step(const RefineStep& s) override;
  void initial_tokens(int rows, int slots, int vocab, const std::uint64_t* seed, std::int32_t* x_0) override;
  void decode_posterior(const DecodePosterior& d) override;
  void topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature, int k,
                      real* prob) override;
  void philox(std::int64_t count, const std::uint32_t* counter, std::uint32_t key0, std::uint32_t key1,
              std::uint32_t* word, float* unit) override;
  void path_step(const PathStep& s) override;
  void path_noise(const PathNoise& s) override;
  void path_probability(int rows, const TokenMetric& metric, const real* beta, const std::int32_t* x_1,
                        real* prob) override;
  void path_rates(int rows, const TokenMetric& metric, const real* beta, const real* beta_dot, const std::int32_t* x_t,
                  const std::int32_t* x_1, real* rate, real* total) override;
  void metric_distance(int rows, const TokenMetric& metric, const std::int32_t* x_1, real* distance) override;
  void nearest_token(int rows, int vocab, int dim, const real* query, const real* table, bool normalise,
                     std::int32_t* token, real* distance2, const PackedTable* packed) override;
  std::unique_ptr<PackedTable> pack_table(int vocab, int dim, const real* table, bool normalise) override;
  double triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                        const std::int32_t* positive, const std::int32_t* negative, const real* margin, bool normalise,
                        real* dtable, double scale, bool add) override;
  void generalized_kl(int rows, int vocab, const real* logits, const std::int32_t* x_1, const std::int32_t* x_t,
                      const double* rate, real* loss, real* dlogits) override;

  double sum_squares(std::int64_t n, const real* x) override;
  void adamw(std::int64_t n, real* w, const real* grad, real* m, real* v, real lr, real beta1, real beta2, real eps,
             real weight_decay, std::int64_t step, real grad_scale) override;
  void ema(std::int64_t n, real decay, const real* w, real* average) override;

 private:
  int threads() const { return pool_ ? pool_->threads() : 1; }

  /// f(task, worker) for task in [0, tasks); on the pool when there is one.
  template <class F>
  void parallel(int tasks, F&& f) {
    if (pool_ != nullptr) {
      pool_->run(tasks, f);
    } else {
      for (int task = 0; task < tasks; ++task) f(task, 0);
    }
  }
  /// Cuts [0, n) into ranges of whole `unit`s and calls f(begin, end, worker). One range, on the caller, while the cost
  /// n * cost_of_one (about: elements touched) is too small to be worth waking a thread. The cut never shows in results.
  template <class F>
  void parallel_ranges(std::int64_t n, std::int64_t unit, double cost_of_one, F&& f) {
    if (n <= 0) return;
    constexpr double kWorthAThread = 16384;
    const double cost = static_cast<double>(n) * cost_of_one;
    std::int64_t parts = threads() == 1 ? 1 : static_cast<std::int64_t>(cost / kWorthAThread);
    if (parts > 4 * threads()) parts = 4 * threads();
    if (parts > (n + unit - 1) / unit) parts = (n + unit - 1) / unit;
    if (parts <= 1) {
      f(std::int64_t{0}, n, 0);
      return;
    }
    const std::int64_t step = ((n + unit - 1) / unit + parts - 1) / parts * unit;
    parallel(static_cast<int>((n + step - 1) / step), [&](int task, int worker) {
      const std::int64_t begin = task * step;
      f(begin, begin + step < n ? begin + step : n, worker);
    });
  }

  /// Scratch of one worker for the duration of one task.
  template <class T>
  T* worker_scratch(int worker, std::size_t count) {
    return worker_scratch_[static_cast<std::size_t>(worker)].get<T>(count);
  }
  /// Scratch shared by all tasks of one call.
  template <class T>
  T* call_scratch(std::size_t count) {
    return call_scratch_.get<T>(count);
  }
  void multiply(const Gemm& g);
  void multiply_then_gate(const Gemm& g);
  int panels_of_heads(const HeadRotation& rotation) const;
  const real* normalised(const Gemm& g);
  // cpu_gemm_narrow.cpp
  void narrow(const real* panels, int k, int count, CpuPackedWeight& weight);
  void multiply_int8(const Gemm& g, const CpuPackedWeight& weight);
  void pack_panels(const real* b, int ldb, bool b_transposed, int k, int n, real* panels);
  void prepare_rotations(int head_dim, real theta, int positions);

  // cpu_table.cpp, cpu_table_path.cpp
  void pack_table_into(int vocab, int dim, const real* table, bool normalise, CpuPackedTable& to);
  const TableView& view_of(const PackedTable* packed, int vocab, int dim, const real* table, bool normalise);
  /// Rows whose `fixed` token is negative (all when null), in the order of the blocks of their tokens.
  struct RowOrder {
    int count;
    const std::int32_t* order;
  };
  RowOrder order_by_token(int rows, const std::int32_t* token, int blocks, const std::int32_t* fixed);
  template <class Beta, class F>
  void each_table_row(const TokenMetric& metric, bool product, int count, const std::int32_t* order,
                      const std::int32_t* x_t, const std::int32_t* x_1, const TableView& view, Beta beta, F f);
  void table_step(const PathStep& s);
  void table_noise(const PathNoise& s);

  ThreadPool* const pool_;
  const Isa isa_;
  const Precision precision_;
  const Int8Kernel& int8_;
  const Kernels& kernels_;
  const FlowKernels& flow_;
  std::vector<Scratch> worker_scratch_;
  Scratch call_scratch_;
  WeightMemory weight_memory_;
  // Of operations that call others of this class, which take the scratch above.
  Scratch norm_scratch_, gated_scratch_, refine_scratch_;
  const std::unique_ptr<CpuPackedTable> transient_table_;  // of a call that brings none

  // cos and sin of position * theta^(-2i/head_dim), [positions][head_dim/2] each, for the last (head_dim, theta).
  std::vector<real> cos_, sin_;
  int rotation_dim_ = 0, rotation_positions_ = 0;
  real rotation_theta_ = 0;
};

}  // namespace wam::cpu
