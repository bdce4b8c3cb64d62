#pragma once
// The class behind make_backend. Private to native/cuda: its methods are spread over cuda_*.cpp by subject. A method
// sizes a launch and queues a kernel of native/kernels on the backend's stream; nothing waits but what returns numbers
// to the host.

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cuda/cuda_backend.h"
#include "cuda/launch.h"
#include "cuda/runtime.h"

namespace wam::WAM_GPU {

class GpuBackend final : public Backend {
 public:
  explicit GpuBackend(const gpu::Options& options);
  ~GpuBackend() override;
  const char* name() const override;
  /// What operations are queued on; for events of a bench.
  cudaStream_t stream() const { return stream_; }

  // cuda_memory.cpp
  bool unified() const override { return false; }
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void download(void* host, const void* device, std::size_t bytes) override;
  void replay(std::uint64_t key, const std::function<void()>& work) override;

  // cuda_gemm.cpp
  std::unique_ptr<PackedWeight> pack(const real* b, int ldb, bool b_transposed, int k, int n, bool exact) override;
  void gemm(const Gemm& g) override;
  void add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) override;

  // cuda_attention.cpp
  void attention(const Attention& a) override;
  void attention_backward(const Attention& a, const AttentionBackward& g) override;

  // cuda_rows.cpp
  void layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                  real* mean, real* rstd) override;
  void layer_norm_backward(int rows, int cols, const real* x, const real* weight, const real* mean, const real* rstd,
                           const real* dy, real* dx, bool add_dx, real* dweight, real* dbias) override;
  void rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) override;
  void rms_norm_backward(int rows, int cols, const real* x, const real* weight, const real* rstd, const real* dy,
                         real* dx, bool add_dx, real* dweight) override;
  void rope(int rows, int heads, int head_dim, const std::int32_t* position, real theta, bool inverse, real* x,
            int ldx) override;
  void embedding(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo, bool add) override;
  void embedding_backward(int rows, int cols, const std::int32_t* id, const real* dout, int ldo, real* dtable) override;
  void cross_entropy(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target, real smear,
                     const real* weight, real* loss, real* dlogits, int lddl) override;
  void policy_loss(const PolicyLoss& p) override;
  void value_loss(ValueLoss kind, int rows, const real* prediction, const real* target, const real* weight, real* loss,
                  real* dprediction) override;

  // cuda_elements.cpp
  void activation(Activation kind, std::int64_t n, const real* x, real* y) override;
  void activation_backward(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx) override;
  void swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) override;
  void swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                       real* dgate, int lddg, real* dup, int lddu) override;
  void axpy(std::int64_t n, real alpha, const real* x, real* y) override;
  void fill(std::int64_t n, real value, real* y) override;
  void dropout(std::int64_t n, real p, const RandomStream& stream, std::uint32_t site, const real* x, real* y) override;
  double sum_squares(std::int64_t n, const real* x) override;
  void adamw(std::int64_t n, real* w, const real* grad, real* m, real* v, real lr, real beta1, real beta2, real eps,
             real weight_decay, std::int64_t step, real grad_scale) override;
  void ema(std::int64_t n, real decay, const real* w, real* average) override;

  // cuda_path.cpp
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

  // cuda_tokens.cpp
  void nearest_token(int rows, int vocab, int dim, const real* query, const real* table, bool normalise,
                     std::int32_t* token, real* distance2, const PackedTable* packed) override;
  std::unique_ptr<PackedTable> pack_table(int vocab, int dim, const real* table, bool normalise) override;
  double triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                        const std::int32_t* positive, const std::int32_t* negative, const real* margin, bool normalise,
                        real* dtable, double scale, bool add) override;
  void generalized_kl(int rows, int vocab, const real* logits, const std::int32_t* x_1, const std::int32_t* x_t,
                      const double* rate, real* loss, real* dlogits) override;

 private:
  /// Working memory for the kernels of one operation: `count` values, not cleared. Calls of one operation take different
  /// slots; what a slot held is lost with the next operation that takes it. Growing a slot drops all recordings, so it
  /// never happens once the largest shapes were seen; it cannot happen while one is being made, since an operation runs
  /// once before it is recorded.
  template <class T>
  T* scratch(int slot, std::size_t count) {
    return static_cast<T*>(scratch_bytes(slot, count * sizeof(T)));
  }
  void* scratch_bytes(int slot, std::size_t bytes);

  gpu::Options options_;
  cudaStream_t stream_ = nullptr;
  int multiprocessors_ = 0;

  static constexpr int kScratchSlots = 6;
  struct Scratch {
    void* memory = nullptr;
    std::size_t bytes = 0;
  };
  Scratch scratch_[kScratchSlots];

  struct Recording {
    cudaGraphExec_t graph = nullptr;  // null: run once, not yet recorded
  };
  std::unordered_map<std::uint64_t, Recording> recordings_;
  bool recording_ = false;
  void drop_recordings() noexcept;

  // Pinned memory that uploads pass through, taken in turns.
  struct Pinned {
    unsigned char* memory = nullptr;
    std::size_t bytes = 0, used = 0;
  };
  Pinned pinned_;
};

}  // namespace wam::WAM_GPU
