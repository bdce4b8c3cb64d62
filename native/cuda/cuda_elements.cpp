// Maps over elements, optimiser and random numbers: launches.
#include <cmath>

#include "cuda/cuda_backend_impl.h"
#include "cuda/kernel_info.h"
#include "cuda/random_launch.h"
#include "kernels/elementwise.cuh"
#include "kernels/optimiser.cuh"

namespace wam::WAM_GPU {
namespace {

unsigned blocks_for(std::int64_t count, int each) { return static_cast<unsigned>((count + each - 1) / each); }

/// Blocks for threads that find their place by a 32-bit index.
unsigned indexed_blocks(std::int64_t threads, int each) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 32) - 1024;
  if (threads > kMost) throw Error("ERR_SHAPE", "an operation on more than 2^32 groups of elements");
  return blocks_for(threads, each);
}

/// One launch over n elements.
template <class Params>
void launch_elements(cudaStream_t stream, const char* name, void (*kernel)(Params), const Params& p) {
  if (p.n <= 0) return;
  launch(stream, name, kernel, {dim3(blocks_for(p.n, ElementConfig::kElements)), dim3(ElementConfig::kThreads)}, p);
}

void launch_swiglu(cudaStream_t stream, const char* name, void (*kernel)(SwigluParams), const SwigluParams& p) {
  if (p.rows <= 0 || p.cols <= 0) return;
  launch(stream, name, kernel,
         {dim3(indexed_blocks(std::int64_t{(p.cols + 3) / 4} * p.rows, ElementConfig::kThreads)),
          dim3(ElementConfig::kThreads)},
         p);
}

ActivationKind activation_kind(Activation kind) {
  switch (kind) {
    case Activation::gelu_erf:
      return ActivationKind::gelu_erf;
    case Activation::gelu_tanh:
      return ActivationKind::gelu_tanh;
    case Activation::none:
      break;
  }
  return ActivationKind::none;
}

}  // namespace

void GpuBackend::activation(Activation kind, std::int64_t n, const real* x, real* y) {
  ActivationParams p;
  p.n = n, p.wide = all_aligned16(x, y), p.kind = activation_kind(kind);
  p.x = x, p.out = y;
  launch_elements(stream_, "activation", activation_forward<ElementConfig>, p);
}

void GpuBackend::activation_backward(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx) {
  ActivationParams p;
  p.n = n, p.wide = all_aligned16(x, dy, dx), p.kind = activation_kind(kind);
  p.x = x, p.dy = dy, p.out = dx;
  launch_elements(stream_, "activation_backward", WAM_GPU::activation_backward<ElementConfig>, p);
}

void GpuBackend::swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) {
  SwigluParams p;
  p.rows = rows, p.cols = cols, p.ldg = ldg, p.ldu = ldu;
  p.wide = all_aligned16(gate, up, y) && (rows <= 1 || (cols % 4 == 0 && ldg % 4 == 0 && ldu % 4 == 0));
  p.gate = gate, p.up = up, p.y = y;
  launch_swiglu(stream_, "swiglu", swiglu_forward<ElementConfig>, p);
}

void GpuBackend::swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                                 real* dgate, int lddg, real* dup, int lddu) {
  SwigluParams p;
  p.rows = rows, p.cols = cols, p.ldg = ldg, p.ldu = ldu, p.lddg = lddg, p.lddu = lddu;
  p.wide = all_aligned16(gate, up, dy, dgate, dup) &&
           (rows <= 1 || (cols % 4 == 0 && ldg % 4 == 0 && ldu % 4 == 0 && lddg % 4 == 0 && lddu % 4 == 0));
  p.gate = gate, p.up = up, p.dy = dy, p.dgate = dgate, p.dup = dup;
  launch_swiglu(stream_, "swiglu_backward", WAM_GPU::swiglu_backward<ElementConfig>, p);
}

void GpuBackend::axpy(std::int64_t n, real alpha, const real* x, real* y) {
  AxpyParams p;
  p.n = n, p.wide = all_aligned16(x, y), p.alpha = alpha, p.x = x, p.y = y;
  launch_elements(stream_, "axpy", axpy_elements<ElementConfig>, p);
}

void GpuBackend::fill(std::int64_t n, real value, real* y) {
  FillParams p;
  p.n = n, p.wide = all_aligned16(y), p.value = value, p.y = y;
  launch_elements(stream_, "fill", fill_elements<ElementConfig>, p);
}

void GpuBackend::dropout(std::int64_t n, real p, const RandomStream& stream, std::uint32_t site, const real* x,
                         real* y) {
  DropoutParams d;
  d.n = n, d.wide = all_aligned16(x, y);
  d.key0 = stream.key0(), d.key1 = stream.key1(), d.site = site;
  d.limit = static_cast<std::uint32_t>(std::ceil(static_cast<double>(p) * 16777216.0));  // unit_uniform(word) >= p
  d.keep = 1 / (1 - p);
  d.x = x, d.y = y;
  launch_elements(stream_, "dropout", dropout_elements<ElementConfig>, d);
}

void GpuBackend::value_loss(ValueLoss kind, int rows, const real* prediction, const real* target, const real* weight,
                            real* loss, real* dprediction) {
  ValueLossParams p;
  p.n = rows, p.wide = all_aligned16(prediction, target, weight, loss, dprediction);
  p.squared = kind == ValueLoss::squared;
  p.prediction = prediction, p.target = target, p.weight = weight, p.loss = loss, p.dprediction = dprediction;
  launch_elements(stream_, "value_loss", value_loss_elements<ElementConfig>, p);
}

double GpuBackend::sum_squares(std::int64_t n, const real* x) {
  if (n <= 0) return 0;
  using Blocks = SumSquaresConfig;
  using Sum = SumDoublesConfig;
  const unsigned blocks = blocks_for(n, Blocks::kElements);
  SumSquaresParams p;
  p.n = n, p.wide = all_aligned16(x), p.x = x;
  p.partial = scratch<double>(0, blocks);
  launch(stream_, "sum_squares", sum_squares_blocks<Blocks>,
         {dim3(blocks), dim3(Blocks::kThreads), Blocks::kSharedBytes}, p);
  SumDoublesParams s;
  s.n = blocks, s.x = p.partial, s.sum = scratch<double>(1, 1);
  launch(stream_, "sum_squares", sum_doubles<Sum>, {dim3(1), dim3(Sum::kThreads), Sum::kSharedBytes}, s);
  double total = 0;
  download(&total, s.sum, sizeof total);
  return total;
}

void GpuBackend::adamw(std::int64_t n, real* w, const real* grad, real* m, real* v, real lr, real beta1, real beta2,
                       real eps, real weight_decay, std::int64_t step, real grad_scale) {
  const double t = static_cast<double>(step);
  AdamwParams p;
  p.n = n, p.wide = all_aligned16(w, grad, m, v);
  p.rate = static_cast<float>(lr / (1 - std::pow(static_cast<double>(beta1), t)));
  p.v_scale = static_cast<float>(1 / (1 - std::pow(static_cast<double>(beta2), t)));
  p.beta1 = beta1, p.beta2 = beta2, p.eps = eps;
  p.keep = static_cast<float>(1 - static_cast<double>(lr) * weight_decay);
  p.grad_scale = grad_scale;
  p.grad = grad, p.w = w, p.m = m, p.v = v;
  launch_elements(stream_, "adamw", adamw_elements<ElementConfig>, p);
}

void GpuBackend::ema(std::int64_t n, real decay, const real* w, real* average) {
  EmaParams p;
  p.n = n, p.wide = all_aligned16(w, average), p.decay = decay, p.w = w, p.average = average;
  launch_elements(stream_, "ema", ema_elements<ElementConfig>, p);
}

void GpuBackend::philox(std::int64_t count, const std::uint32_t* counter, std::uint32_t key0, std::uint32_t key1,
                        std::uint32_t* word, float* unit) {
  if (count <= 0) return;
  PhiloxWordsParams p;
  p.count = count, p.counter = counter, p.key0 = key0, p.key1 = key1, p.word = word, p.unit = unit;
  launch(stream_, "philox", philox_words<RandomConfig>,
         {dim3(blocks_for(count, RandomConfig::kThreads)), dim3(RandomConfig::kThreads)}, p);
}

void launch_philox_fill(cudaStream_t stream, const PhiloxFillParams& p) {
  if (p.n <= 0) return;
  launch(stream, "philox_fill", philox_fill<RandomConfig>,
         {dim3(blocks_for(p.n, RandomConfig::kThreads)), dim3(RandomConfig::kThreads)}, p);
}

namespace {

/// A kernel with one case: n elements at `flops` and `bytes` each.
template <auto kKernel, class Config>
void list(std::vector<KernelInfo>& out, const char* family, int shared_bytes, bool hot, const std::string& shape,
          double n, double flops, double bytes, unsigned blocks) {
  KernelInfo info;
  info.family = family, info.symbol = kernel_symbol<kKernel>();
  info.threads = Config::kThreads, info.shared_bytes = shared_bytes, info.hot = hot;
  info.cases = {{shape, n * flops, n * bytes, static_cast<int>(blocks)}};
  out.push_back(std::move(info));
}

template <auto kKernel>
void list_elements(std::vector<KernelInfo>& out, const char* family, bool hot, std::int64_t n, double flops,
                   double bytes) {
  list<kKernel, ElementConfig>(out, family, 0, hot, std::to_string(n) + " elements", static_cast<double>(n), flops,
                               bytes, blocks_for(n, ElementConfig::kElements));
}

}  // namespace

void list_elements_kernels(std::vector<KernelInfo>& out) {
  using Element = ElementConfig;
  constexpr std::int64_t kHidden = 3840 * 1024;  // a training step of mini: 32 samples of 120 rows
  constexpr std::int64_t kGated = 2928 * 5632;   // of the vision-language model: 4 samples of 732 rows
  constexpr std::int64_t kWeights = 51'400'000;  // one of its layers
  list_elements<&activation_forward<Element>>(out, "elementwise", true, kHidden, 30, 8);
  list_elements<&WAM_GPU::activation_backward<Element>>(out, "elementwise", true, kHidden, 35, 12);
  list_elements<&swiglu_forward<Element>>(out, "elementwise", true, kGated, 12, 12);
  list_elements<&WAM_GPU::swiglu_backward<Element>>(out, "elementwise", true, kGated, 18, 20);
  list_elements<&axpy_elements<Element>>(out, "elementwise", false, kHidden, 2, 12);
  list_elements<&fill_elements<Element>>(out, "elementwise", false, kWeights, 0, 4);
  list_elements<&dropout_elements<Element>>(out, "elementwise", true, kHidden, 1, 8);
  list_elements<&value_loss_elements<Element>>(out, "elementwise", false, 64 * 24, 6, 20);
  list_elements<&adamw_elements<Element>>(out, "optimiser", true, kWeights, 14, 28);
  list_elements<&ema_elements<Element>>(out, "optimiser", true, kWeights, 3, 12);

  using Blocks = SumSquaresConfig;
  using Sum = SumDoublesConfig;
  const unsigned blocks = blocks_for(kWeights, Blocks::kElements);
  list<&sum_squares_blocks<Blocks>, Blocks>(out, "optimiser", Blocks::kSharedBytes, true,
                                            std::to_string(kWeights) + " elements", kWeights, 2, 4, blocks);
  list<&sum_doubles<Sum>, Sum>(out, "optimiser", Sum::kSharedBytes, true, std::to_string(blocks) + " partial sums",
                               blocks, 1, 8, 1);

  using Random = RandomConfig;
  list<&philox_fill<Random>, Random>(out, "random", 0, false, "768 uniforms", 768, 0, 4,
                                     blocks_for(768, Random::kThreads));
  list<&philox_words<Random>, Random>(out, "random", 0, false, "4096 counters", 4096, 0, 48,
                                      blocks_for(4096, Random::kThreads));
}

}  // namespace wam::WAM_GPU
