// Operations that read and write memory and little else.
#include "bench/cases.h"

namespace wam::bench {
namespace {

constexpr int kRows = 732, kWidth = 2048, kHeads = 16, kMlp = 5632, kVocab = 20001;
constexpr double kFloat = sizeof(real);

}  // namespace

void add_row_cases(DeviceBuffers& buffers, std::vector<Case>& out) {
  Backend& backend = buffers.backend();
  const auto add = [&](const char* family, const char* shape, double flops, double bytes, std::function<void()> run,
                       bool recordable = true) {
    Case c{family, shape};
    c.flops = flops, c.bytes = bytes, c.recordable = recordable;
    c.run = std::move(run);
    out.push_back(std::move(c));
  };
  const std::size_t elements = std::size_t{kRows} * kWidth;
  const double matrix = kFloat * static_cast<double>(elements);
  const real *x = buffers.random(elements), *dy = buffers.random(elements), *weight = buffers.random(kWidth, 0.5, 1.5);
  real *y = buffers.zeros<real>(elements), *rstd = buffers.zeros<real>(kRows), *mean = buffers.zeros<real>(kRows);
  real *dweight = buffers.zeros<real>(kWidth), *dbias = buffers.zeros<real>(kWidth);
  const real eps = real(1e-5);
  const double n = static_cast<double>(elements);

  add("norm", "layer norm, 732 x 2048", 8 * n, 2 * matrix,
      [=, &backend] { backend.layer_norm(kRows, kWidth, x, weight, weight, eps, y, mean, rstd); });
  add("norm", "layer norm backward, 732 x 2048", 14 * n, 3 * matrix, [=, &backend] {
    backend.layer_norm_backward(kRows, kWidth, x, weight, mean, rstd, dy, y, false, dweight, dbias);
  });
  add("norm", "rms norm, 732 x 2048", 4 * n, 2 * matrix,
      [=, &backend] { backend.rms_norm(kRows, kWidth, x, weight, eps, y, rstd); });
  add("norm", "rms norm backward, 732 x 2048", 10 * n, 3 * matrix,
      [=, &backend] { backend.rms_norm_backward(kRows, kWidth, x, weight, rstd, dy, y, false, dweight); });

  std::vector<std::int32_t> rows(kRows);
  for (int i = 0; i < kRows; ++i) rows[static_cast<std::size_t>(i)] = i;
  const std::int32_t* position = buffers.copy(rows);
  add("rope", "732 rows, 16 heads of 128", 6 * n / 2, 2 * matrix,
      [=, &backend] { backend.rope(kRows, kHeads, kWidth / kHeads, position, real(1e4), false, y, kWidth); });

  const std::size_t wide = std::size_t{kRows} * kMlp;
  const real *gate = buffers.random(wide), *up = buffers.random(wide);
  real* product = buffers.zeros<real>(wide);
  const double w = static_cast<double>(wide);
  add("activation", "swiglu, 732 x 5632", 6 * w, 3 * kFloat * w,
      [=, &backend] { backend.swiglu(kRows, kMlp, gate, kMlp, up, kMlp, product); });
  add("activation", "gelu (erf), 732 x 5632", 20 * w, 2 * kFloat * w,
      [=, &backend] { backend.activation(Activation::gelu_erf, static_cast<std::int64_t>(wide), gate, product); });
  const RandomStream stream(1);
  add("elementwise", "dropout, 732 x 5632", 10 * w, 2 * kFloat * w,
      [=, &backend] { backend.dropout(static_cast<std::int64_t>(wide), real(0.1), stream, 1, gate, product); });
  add("elementwise", "axpy, 732 x 5632", 2 * w, 3 * kFloat * w,
      [=, &backend] { backend.axpy(static_cast<std::int64_t>(wide), real(0.5), gate, product); });

  const real* table = buffers.random(std::size_t{kVocab} * kWidth);
  const std::int32_t* id = buffers.random_tokens(kRows, kVocab);
  add("embedding", "732 rows of 20,001 x 2048", 0, 2 * matrix,
      [=, &backend] { backend.embedding(kRows, kWidth, table, id, y, kWidth, false); });

  constexpr int kLossRows = 768;  // 8 windows, 4 copies, 24 tokens
  const std::size_t logits = std::size_t{kLossRows} * kVocab;
  const real* logit = buffers.random(logits, -5, 5);
  real *dlogit = buffers.zeros<real>(logits), *loss = buffers.zeros<real>(kLossRows);
  const std::int32_t* target = buffers.random_tokens(kLossRows, kVocab);
  const real* row_weight = buffers.random(kLossRows, 0.5, 1);
  const double l = static_cast<double>(logits);
  add("cross_entropy", "768 rows, 20,001 tokens, with gradient", 8 * l, 2 * kFloat * l, [=, &backend] {
    backend.cross_entropy(kLossRows, kVocab, logit, kVocab, target, 0, row_weight, loss, dlogit, kVocab);
  });

  constexpr int kPolicyRows = 6144, kMiniVocab = 401;  // 256 plans of 24 tokens
  const std::size_t choices = std::size_t{kPolicyRows} * kMiniVocab;
  PolicyLoss policy;
  policy.rows = kPolicyRows, policy.vocab = policy.ldl = policy.ldr = policy.lddl = kMiniVocab;
  policy.logits = buffers.random(choices, -5, 5), policy.reference = buffers.random(choices, -5, 5);
  policy.token = buffers.random_tokens(kPolicyRows, kMiniVocab);
  policy.old_log_probability = buffers.random(kPolicyRows, -7, -5);
  policy.advantage = buffers.random(kPolicyRows, -1, 1), policy.weight = buffers.random(kPolicyRows, real(0.5), 1);
  policy.kl_beta = real(0.04);
  policy.loss = buffers.zeros<real>(kPolicyRows), policy.dlogits = buffers.zeros<real>(choices);
  const double c = static_cast<double>(choices);
  add("policy_loss", "6144 rows, 401 tokens, with gradient", 50 * c, 3 * kFloat * c,
      [=, &backend] { backend.policy_loss(policy); });

  constexpr std::int64_t kParameters = 51400000;  // of one layer of vla
  const auto count = static_cast<std::size_t>(kParameters);
  real *weights = buffers.random(count), *m = buffers.zeros<real>(count), *v = buffers.zeros<real>(count);
  const real* gradient = buffers.random(count);
  const double p = static_cast<double>(kParameters);
  add("optimiser", "adamw, 51.4 M", 14 * p, 7 * kFloat * p, [=, &backend] {
    backend.adamw(kParameters, weights, gradient, m, v, real(1e-4), real(0.9), real(0.95), real(1e-8), real(0.01), 10,
                  1);
  });
  add(
      "optimiser", "sum of squares, 51.4 M (with its way to the host)", 2 * p, kFloat * p,
      [=, &backend] { (void)backend.sum_squares(kParameters, gradient); }, false);
}

}  // namespace wam::bench
