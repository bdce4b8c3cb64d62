#pragma once
// The operations that the models need, forward and backward. One implementation a device; all pointers are memory of
// that device (Backend::allocate), never plain host memory unless the backend is unified. Operations may run behind the
// caller's back, in the order of the calls; `download` waits. Matrices are row-major; `ld*` is the distance between rows
// in elements. No call allocates once a backend has seen its largest shapes. Gradients named `d*` are written unless the
// comment says "adds".

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/philox.h"
#include "core/real.h"

namespace wam {

enum class Activation { none, gelu_erf, gelu_tanh };

/// A weight in the layout that the backend's GEMM reads fastest. Made once at load.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
};

/// Normalisation of the rows of a matrix before it is multiplied: layer norm when `bias` is set, else root mean square.
struct RowNorm {
  const real *weight = nullptr, *bias = nullptr;
  real eps = 0;
};

/// Rotary embedding (Backend::rope) of the first `heads` heads of the columns of a product.
struct HeadRotation {
  int heads = 0, head_dim = 0;
  const std::int32_t* position = nullptr;  // [m]
  real theta = 0;
};

/// c[m,n] = activation(op(norm(a))[m,k] op(b)[k,n] + bias[n]) + residual, or c += op(a) op(b). With `gated`, b has 2n
/// columns, gates first, and c = silu(gate) * up of the two halves.
/// Each element is summed over k in one fixed order whatever m, n and the number of threads are, so a row's result does
/// not depend on the batch it is computed in.
struct Gemm {
  int m = 0, n = 0, k = 0;
  const real* a = nullptr;
  int lda = 0;
  bool a_transposed = false;  // element (i,p) is a[i*lda+p], transposed: a[p*lda+i]
  const real* b = nullptr;
  int ldb = 0;
  bool b_transposed = false;             // element (p,j) is b[p*ldb+j], transposed: b[j*ldb+p] (a weight [out,in])
  const PackedWeight* packed = nullptr;  // stands in for b when set
  real* c = nullptr;
  int ldc = 0;
  const real* bias = nullptr;  // [n]
  const real* residual = nullptr;
  int ldr = 0;
  Activation activation = Activation::none;
  const RowNorm* norm = nullptr;           // of the k columns of a, which is not transposed then; read during the call
  bool gated = false;                      // excludes accumulate, activation and bias
  const HeadRotation* rotation = nullptr;  // of c when all else is done; excludes gated and accumulate
  bool accumulate = false;                 // c += a b; excludes norm, bias, residual and activation
};

/// Query rows [q_begin, q_begin+q_rows) that see all key rows of range a and those of range b; with `causal`, query
/// row i of the segment sees the first i+1 rows of range b. Every mask of the model family is a list of these.
struct AttentionSegment {
  int q_begin = 0, q_rows = 0;
  int a_begin = 0, a_rows = 0;
  int b_begin = 0, b_rows = 0;
  bool causal = false;
};

/// Key rows [begin, begin + rows) that segments of `group` see; the ranges of a call are disjoint and cover all of them.
struct AttentionKeyRange {
  int group = 0, begin = 0, rows = 0;
};

/// Head h of a row lies at column h*head_dim; query head h reads key/value head h / (heads / kv_heads). The lists are in
/// the backend's memory; the bounds are what a device that cannot look into them on the host sizes a launch by, and hold
/// for a replayed call as well.
struct Attention {
  int heads = 0, kv_heads = 0, head_dim = 0;
  real scale = 0;  // usually 1/sqrt(head_dim)
  const real *q = nullptr, *k = nullptr, *v = nullptr;
  int ldq = 0, ldk = 0, ldv = 0;
  real* out = nullptr;
  int ldo = 0;
  real* lse = nullptr;  // [row, heads] log-sum-exp by absolute query row, or null when no backward follows
  const AttentionSegment* segments = nullptr;  // [segment_count]
  const int* group_offsets = nullptr;          // [groups+1] into segments; key rows are never shared between groups
  int groups = 0, segment_count = 0;
  int max_queries = 0, max_keys = 0;              // at least q_rows, and a_rows + b_rows, of any segment
  const AttentionKeyRange* key_ranges = nullptr;  // [key_range_count], for the backward pass alone
  int key_range_count = 0, max_range_rows = 0;
};

/// Writes dq; adds to dk and dv (several segments of a group may share keys). Leading dimensions as of q, k, v.
struct AttentionBackward {
  const real *out = nullptr, *dout = nullptr;
  int ldo = 0, lddo = 0;
  real *dq = nullptr, *dk = nullptr, *dv = nullptr;
  int lddq = 0, lddk = 0, lddv = 0;
};

/// A token table in the layout that distances to its rows are measured fastest in. Made once by Backend::pack_table.
class PackedTable {
 public:
  virtual ~PackedTable() = default;
};

/// What the metric path measures distances with. 1-D form: d(i,j) = |u_i - u_j|^power over an ascending coordinate.
/// General form (coordinate null): rows of `table` [vocab, dim] are L2-normalised (norm floored at 1e-12) and
/// d = (|z_i - z_j|^2)^2, as in the released code (wamflow-spec section 3). Without `normalise` rows are taken as they
/// are; without `squared` d = |z_i - z_j|^2. Both are for path_step and path_noise of the CPU alone, the other
/// operations and backends throw Error(ERR_ARGUMENT).
struct TokenMetric {
  int vocab = 0;
  const real* coordinate = nullptr;
  real power = 1;
  const real* table = nullptr;
  int dim = 0;
  bool normalise = true, squared = true;
  const PackedTable* packed = nullptr;  // of this table with this `normalise`, or null: packed by every call
};

enum class DecodeRule { argmax, median, sample };
enum class StepRule { released, integrated, renoise };

/// One posterior token a row from logits [rows, vocab]. `median`: least token whose running sum reaches 1/2. `sample`:
/// inverse CDF in index order of softmax(logits / temperature) cut to the top_k largest (0: all; ties at the k-th value
/// all stay). Ties of argmax go to the least index.
struct DecodePosterior {
  int rows = 0, vocab = 0;
  const real* logits = nullptr;
  int ldl = 0;
  DecodeRule rule = DecodeRule::argmax;
  real temperature = 1;
  int top_k = 0;
  const float* uniform = nullptr;   // [rows], sample only
  std::int32_t* token = nullptr;    // [rows]
  real* log_probability = nullptr;  // [rows] of the token under softmax(logits), or null
};

/// One refinement step: moves x_t along the path towards x1. released and integrated: jump with probability
/// 1 - exp(-sum_y r_y), r_y = step_weight p(y|x1) max(0, d(x_t,x1) - d(y,x1)) and r_{x_t} = 0, to y ~ r, where p is the
/// path at `beta` and step_weight is h*beta'_t (released) or beta_{t+h} - beta_t (integrated). renoise: y ~ p(.|x1) with
/// `beta` taken at t+h. Destinations by inverse CDF in index order: least y whose normalised running sum exceeds `draw`.
/// One uniform for both (draw null, not for renoise): x_t stays when jump < stay = exp(-sum_y r_y), else `draw` is
/// (jump - stay) / (1 - stay). Without `squared` weights of the general form may be off by 0.2 % (by 0.01 % as a rule)
/// where beta is small enough for that: distances are then taken as |z_i|^2 + |z_j|^2 - 2 z_i z_j.
struct PathStep {
  int rows = 0;
  TokenMetric metric;
  StepRule rule = StepRule::integrated;
  real beta = 0, step_weight = 0;
  const std::int32_t *x_t = nullptr, *x_1 = nullptr;
  const float *jump = nullptr, *draw = nullptr;  // [rows] uniforms; renoise reads `draw` only
  std::int32_t* x_next = nullptr;                // may be x_t
  real* total = nullptr;                         // [rows] sum_y r_y, or null; not for renoise
};

/// Rows of x_t ~ p(.|x1) = softmax(-beta d(.,x1)), beta per row, inverse CDF in index order. A row whose `fixed` token is
/// not negative takes that token instead.
struct PathNoise {
  int rows = 0;
  TokenMetric metric;
  const real* beta = nullptr;
  const std::int32_t* x_1 = nullptr;
  const float* draw = nullptr;
  std::int32_t* x_t = nullptr;
  const std::int32_t* fixed = nullptr;  // [rows] or null
};

/// One refinement step of a plan in one pass over the logits: x_1 by `decode` (DecodePosterior), then x_t moved by `rule`
/// (PathStep; or of a mixture path). Row i is slot i % slots of sample i / slots; its random numbers are those of
/// RandomStream(*seed) at (step, slot, sample, use): posterior_draw word 0 for a sample of the posterior; jump (renoise
/// for that rule) word 0 for staying or leaving and word 1 for where to.
struct RefineStep {
  int rows = 0, slots = 1, vocab = 0;
  /// Above 0, samples of the posterior of slots s, s + coupled, s + 2 coupled, ... take the random number of slot s: a
  /// comonotone draw, with the same marginals as independent ones.
  int coupled = 0;
  const real* logits = nullptr;  // [logit_rows, vocab]; row i reads row i % logit_rows
  int ldl = 0, logit_rows = 0;
  DecodeRule decode = DecodeRule::argmax;
  real temperature = 1;
  int top_k = 0;
  const std::uint64_t* seed = nullptr;  // one number, in the backend's memory
  std::uint32_t step = 0;
  std::int32_t* x_1 = nullptr;      // [rows]
  real* log_probability = nullptr;  // [rows] of x_1 under softmax(logits), or null
  real* margin = nullptr;           // [rows] the largest logit less the second largest, or null

  std::int32_t* x_t = nullptr;  // [rows], moved in place; null: decode alone
  StepRule rule = StepRule::integrated;
  /// Mixture path instead of the metric path: to x_1 with probability `mixture_jump`; else x_t stays, or with `renoise`
  /// becomes `source`, or when that is negative the uniform token min(floor(word 1 * vocab), vocab - 1).
  bool mixture = false;
  std::int32_t source = -1;
  double mixture_jump = 0;
  TokenMetric metric;
  real beta = 0, step_weight = 0;
};

/// Clipped policy objective of GRPO with a divergence from a reference policy (paper eq. 10; wamflow-spec section 7), a row
/// an action token. With p = softmax(logits / temperature), q = softmax(reference / temperature), A the advantage:
///   loss = weight (-min(r A, clamp(r, 1 - clip, 1 + clip) A) + kl_beta KL),  r = p(token) / exp(old_log_probability)
/// KL exact: sum_v p log(p / q); else k3 of the token: x - log x - 1, x = q(token) / p(token). r and x end at e^80.
struct PolicyLoss {
  int rows = 0, vocab = 0;
  const real* logits = nullptr;  // [rows, vocab]
  int ldl = 0;
  real temperature = 1;
  const std::int32_t* token = nullptr;        // [rows]; negative: the row does not count, its outputs are 0
  const real* old_log_probability = nullptr;  // [rows]
  const real* advantage = nullptr;            // [rows]
  const real* weight = nullptr;               // [rows]
  const real* reference = nullptr;            // [rows, vocab] logits; null: no divergence (kl 0)
  int ldr = 0;
  real clip = static_cast<real>(0.2), kl_beta = 0;
  bool exact_kl = true;
  real* loss = nullptr;                  // [rows]
  real *ratio = nullptr, *kl = nullptr;  // [rows] or null each
  real* log_probability = nullptr;       // [rows] of the token under p, or null
  real* dlogits = nullptr;               // [rows, vocab] d sum(loss) / d logits; may be logits; null: loss alone
  int lddl = 0;
};

enum class ValueLoss { absolute, squared };

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;

  // --- memory --------------------------------------------------------------------------------------------------
  /// Whether host memory is memory of this device: what is staged for it then need not be copied.
  virtual bool unified() const = 0;
  /// `bytes` of zeros, aligned to 256 bytes. Throws Error(ERR_OUT_OF_MEMORY).
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// `host` may be changed as soon as the call returns.
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
  /// Returns when everything before it is done and the bytes are in `host`.
  virtual void download(void* host, const void* device, std::size_t bytes) = 0;
  /// Runs `work`, which calls operations of this backend and nothing else. A device that can record launches records
  /// them under `key` and replays the recording when the key comes again: the same calls with the same pointers and
  /// scalars, whatever the memory behind them holds by then.
  virtual void replay(std::uint64_t key, const std::function<void()>& work) = 0;

  // --- dense algebra -------------------------------------------------------------------------------------------
  /// `exact`: as fp32 even where the backend's weights are int8, since what it gives is worth more than its time.
  virtual std::unique_ptr<PackedWeight> pack(const real* b, int ldb, bool b_transposed, int k, int n,
                                             bool exact = false) = 0;
  virtual void gemm(const Gemm& g) = 0;
  /// dbias[j] += sum_i dy[i,j]
  virtual void add_column_sums(int rows, int cols, const real* dy, int ld, real* dbias) = 0;

  // --- attention -----------------------------------------------------------------------------------------------
  virtual void attention(const Attention& a) = 0;
  virtual void attention_backward(const Attention& a, const AttentionBackward& g) = 0;

  // --- rows ----------------------------------------------------------------------------------------------------
  /// y = (x - mean) rstd * weight + bias; mean and rstd [rows] are saved when not null.
  virtual void layer_norm(int rows, int cols, const real* x, const real* weight, const real* bias, real eps, real* y,
                          real* mean, real* rstd) = 0;
  /// dx (adds when add_dx); dweight, dbias: adds.
  virtual void layer_norm_backward(int rows, int cols, const real* x, const real* weight, const real* mean,
                                   const real* rstd, const real* dy, real* dx, bool add_dx, real* dweight,
                                   real* dbias) = 0;
  /// y = x * rsqrt(mean(x^2) + eps) * weight; rstd [rows] saved when not null.
  virtual void rms_norm(int rows, int cols, const real* x, const real* weight, real eps, real* y, real* rstd) = 0;
  virtual void rms_norm_backward(int rows, int cols, const real* x, const real* weight, const real* rstd,
                                 const real* dy, real* dx, bool add_dx, real* dweight) = 0;
  /// Half-split rotary embedding in place on `heads` heads of x; angle = position * theta^(-2i/head_dim). `inverse`
  /// rotates back, which is the backward pass.
  virtual void rope(int rows, int heads, int head_dim, const std::int32_t* position, real theta, bool inverse, real* x,
                    int ldx) = 0;

  // --- elements ------------------------------------------------------------------------------------------------
  virtual void activation(Activation kind, std::int64_t n, const real* x, real* y) = 0;
  virtual void activation_backward(Activation kind, std::int64_t n, const real* x, const real* dy, real* dx) = 0;
  /// y = silu(gate) * up; rows of gate and up have their own leading dimensions (they may be halves of one matrix).
  virtual void swiglu(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, real* y) = 0;
  virtual void swiglu_backward(int rows, int cols, const real* gate, int ldg, const real* up, int ldu, const real* dy,
                               real* dgate, int lddg, real* dup, int lddu) = 0;
  virtual void axpy(std::int64_t n, real alpha, const real* x, real* y) = 0;  // y += alpha x
  virtual void fill(std::int64_t n, real value, real* y) = 0;
  /// y = x * mask / (1-p), mask from Philox at (stream, element/4 as 64-bit counter words 0-1, site, train_dropout), one
  /// word an element. The same call with dy gives the backward pass. y may be x.
  virtual void dropout(std::int64_t n, real p, const RandomStream& stream, std::uint32_t site, const real* x,
                       real* y) = 0;

  // --- tokens --------------------------------------------------------------------------------------------------
  /// out[i] = table[id[i]]; adds to out when `add`.
  virtual void embedding(int rows, int cols, const real* table, const std::int32_t* id, real* out, int ldo,
                         bool add) = 0;
  /// dtable[id[i]] += dout[i], in row order.
  virtual void embedding_backward(int rows, int cols, const std::int32_t* id, const real* dout, int ldo,
                                  real* dtable) = 0;
  /// loss[i] = weight[i] * cross entropy against a Gaussian of `smear` tokens around target[i], cut to the vocabulary
  /// and normalised (smear 0: one-hot; target -100: ignored, 0). dlogits = weight[i] * d loss / d logits, may be logits.
  virtual void cross_entropy(int rows, int vocab, const real* logits, int ldl, const std::int32_t* target, real smear,
                             const real* weight, real* loss, real* dlogits, int lddl) = 0;
  virtual void policy_loss(const PolicyLoss& p) = 0;
  /// loss[i] = weight[i] * |prediction[i] - target[i]|, or its square; dprediction (may be null, may be prediction) =
  /// d loss / d prediction, 0 where they are equal. Where the weight is 0 both are 0, whatever the target is.
  virtual void value_loss(ValueLoss kind, int rows, const real* prediction, const real* target, const real* weight,
                          real* loss, real* dprediction) = 0;

  // --- flow ----------------------------------------------------------------------------------------------------
  virtual void refine_step(const RefineStep& s) = 0;
  /// x_0 [rows] uniform over the vocabulary: (word 0 of (0, row % slots, row / slots, initial_token)) * vocab >> 32.
  virtual void initial_tokens(int rows, int slots, int vocab, const std::uint64_t* seed, std::int32_t* x_0) = 0;
  virtual void decode_posterior(const DecodePosterior& d) = 0;
  /// The posterior as the released sampler forms it before it draws x_1 (wamflow-spec section 4), for parity with foreign
  /// weights: prob [rows, vocab] = softmax, in double, of the values that reach the k-th largest; ties with it stay. The
  /// value is the logit, or with `uniform` [rows, vocab] the rule "train-top": exp(logit) / (-log uniform)^temperature.
  virtual void topk_posterior(int rows, int vocab, const real* logits, const float* uniform, double temperature, int k,
                              real* prob) = 0;
  /// word [count, 4] = philox4x32(counter [count, 4], key), and their unit_uniform when `unit` is not null.
  virtual void philox(std::int64_t count, const std::uint32_t* counter, std::uint32_t key0, std::uint32_t key1,
                      std::uint32_t* word, float* unit) = 0;
  virtual void path_step(const PathStep& s) = 0;
  virtual void path_noise(const PathNoise& s) = 0;
  /// prob [rows, vocab] = p(.|x1) at beta[row].
  virtual void path_probability(int rows, const TokenMetric& metric, const real* beta, const std::int32_t* x_1,
                                real* prob) = 0;
  /// rate [rows, vocab] = p(y|x1) beta_dot max(0, d(x_t,x1) - d(y,x1)), 0 at y = x_t; total[row] = sum. Kinetic-optimal
  /// velocity, wamflow-spec section 4.
  virtual void path_rates(int rows, const TokenMetric& metric, const real* beta, const real* beta_dot,
                          const std::int32_t* x_t, const std::int32_t* x_1, real* rate, real* total) = 0;
  /// d(y, x1) for every y: distance [rows, vocab].
  virtual void metric_distance(int rows, const TokenMetric& metric, const std::int32_t* x_1, real* distance) = 0;
  /// token[i] = argmin_v |q_i - e_v|^2 over rows that are L2-normalised first when `normalise`; ties to the least index.
  /// distance2 [rows] or null. `packed`: of this table with this `normalise`, or null.
  virtual void nearest_token(int rows, int vocab, int dim, const real* query, const real* table, bool normalise,
                             std::int32_t* token, real* distance2, const PackedTable* packed = nullptr) = 0;
  /// May be null where a backend has no other layout. Holds no reference to `table` [vocab, dim].
  virtual std::unique_ptr<PackedTable> pack_table(int vocab, int dim, const real* table, bool normalise) = 0;
  /// `scale` times the mean over triplets of max(0, |a-p+eps| - |a-n+eps| + margin), rows L2-normalised first when
  /// `normalise` (then eps is 0: the paper's form, eq. 5). margin [count]. dtable (when not null): adds the gradient, or
  /// is overwritten by it without `add`. Returns the loss.
  virtual double triplet_margin(int count, int vocab, int dim, const real* table, const std::int32_t* anchor,
                                const std::int32_t* positive, const std::int32_t* negative, const real* margin,
                                bool normalise, real* dtable, double scale = 1, bool add = true) = 0;
  /// Generalised KL of a mixture path, -(rate)[p(x_t) - same + (1-same) log p(x1)] with rate = kappa'/(1-kappa); dlogits
  /// (when not null) = d loss[row] / d logits[row].
  virtual void generalized_kl(int rows, int vocab, const real* logits, const std::int32_t* x_1, const std::int32_t* x_t,
                              const double* rate, real* loss, real* dlogits) = 0;

  // --- optimiser -----------------------------------------------------------------------------------------------
  virtual double sum_squares(std::int64_t n, const real* x) = 0;
  /// Decoupled weight decay (Loshchilov & Hutter); `step` counts from 1; gradients are scaled by `grad_scale` first.
  virtual void adamw(std::int64_t n, real* w, const real* grad, real* m, real* v, real lr, real beta1, real beta2,
                     real eps, real weight_decay, std::int64_t step, real grad_scale) = 0;
  virtual void ema(std::int64_t n, real decay, const real* w,
                   real* average) = 0;  // average = decay*average+(1-decay)*w
};

}  // namespace wam
