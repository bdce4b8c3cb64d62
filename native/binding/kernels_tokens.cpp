// Single operations on tokens: posteriors, decoding, lookup, value grids, random numbers.

#include "binding/function.h"
#include "binding/kernel_arguments.h"
#include "binding/kernels_binding.h"
#include "flow/grid.h"
#include "flow/order.h"

namespace wam::binding {
namespace {

Napi::Value decode_posterior(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "decodePosterior");
  DecodePosterior d;
  d.rows = a.dim("rows"), d.vocab = d.ldl = a.dim("vocab");
  d.logits = a.reals("logits", elements(d.rows, d.vocab));
  d.rule = a.fields().choice<DecodeRule>(
      "rule", {{"argmax", DecodeRule::argmax}, {"median", DecodeRule::median}, {"sample", DecodeRule::sample}});
  d.temperature = a.scalar("temperature");
  d.top_k = a.dim("topK", 0);
  if (d.rule == DecodeRule::sample) d.uniform = a.array<float>("uniform", d.rows);
  d.token = a.array<std::int32_t>("token", d.rows);
  d.log_probability = a.reals("logProbability", d.rows);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto rows = static_cast<std::size_t>(d.rows);
    d.logits = s.in(d.logits, rows * static_cast<std::size_t>(d.vocab));
    d.uniform = s.in(d.uniform, rows);
    d.token = s.out(d.token, rows), d.log_probability = s.out(d.log_probability, rows);
    b.decode_posterior(d);
  });
  return info.Env().Undefined();
}

/// With `uniform` [rows, vocab] the gumbel rule at `temperature`, else plain top-k.
Napi::Value topk_posterior(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "topkPosterior");
  const int rows = a.dim("rows"), vocab = a.dim("vocab"), k = a.dim("k");
  const std::int64_t size = elements(rows, vocab);
  const real* logits = a.reals("logits", size);
  const float* uniform = a.optional<float>("uniform", size);
  const double temperature = a.number("temperature");
  real* out = a.reals("out", size);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(size);
    b.topk_posterior(rows, vocab, s.in(logits, n), s.in(uniform, n), temperature, k, s.out(out, n));
  });
  return info.Env().Undefined();
}

Napi::Value nearest_token(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "nearestToken");
  const int rows = a.dim("rows"), vocab = a.dim("vocab"), dim = a.dim("dim");
  const real *query = a.reals("query", elements(rows, dim)), *table = a.reals("table", elements(vocab, dim));
  const bool normalise = a.flag("normalise");
  std::int32_t* token = a.array<std::int32_t>("token", rows);
  real* distance2 = a.reals("distance2", rows);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(rows), d = static_cast<std::size_t>(dim);
    b.nearest_token(rows, vocab, dim, s.in(query, n * d), s.in(table, static_cast<std::size_t>(vocab) * d), normalise,
                    s.out(token, n), s.out(distance2, n));
  });
  return info.Env().Undefined();
}

/// [violations, pairs]
Napi::Value order_violations(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "orderViolations");
  const int vocab = a.dim("vocab"), dim = a.dim("dim");
  const flow::OrderCount count =
      flow::count_order_violations(vocab, dim, a.reals("table", elements(vocab, dim)), a.dim("stride"));
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, static_cast<double>(count.violations));
  result.Set(1u, static_cast<double>(count.pairs));
  return result;
}

/// Values of slots in turn: values [rows, slots], scale [slots], token [rows, slots]. Returns how many were out of range.
Napi::Value encode_companded(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "encode");
  const int rows = a.dim("rows", 0), slots = a.dim("slots");
  const flow::CompandedGrid grid(a.dim("count"), a.number("compand"));
  const double *value = a.array<double>("values", elements(rows, slots)), *scale = a.array<double>("scale", slots);
  std::int32_t* token = a.array<std::int32_t>("tokens", elements(rows, slots));
  std::int64_t outside = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int slot = 0; slot < slots; ++slot, ++value, ++token) {
      bool clipped = false;
      *token = grid.encode(*value, scale[slot], &clipped);
      outside += clipped ? 1 : 0;
    }
  }
  return Napi::Number::New(info.Env(), static_cast<double>(outside));
}

Napi::Value decode_companded(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[0], "decode");
  const int rows = a.dim("rows", 0), slots = a.dim("slots");
  const flow::CompandedGrid grid(a.dim("count"), a.number("compand"));
  const std::int32_t* token = a.tokens("tokens", elements(rows, slots), grid.count());
  const double* scale = a.array<double>("scale", slots);
  double* value = a.array<double>("values", elements(rows, slots));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (int slot = 0; slot < slots; ++slot) *value++ = grid.decode(*token++, scale[slot]);
  }
  return info.Env().Undefined();
}

/// Counters [count, 4] and results [count, 4] as the bits of unsigned words; key [2].
Napi::Value philox(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "philox");
  const std::int64_t count = a.dim("count", 0);
  const auto* counter = reinterpret_cast<const std::uint32_t*>(a.array<std::int32_t>("counter", 4 * count));
  const auto* key = reinterpret_cast<const std::uint32_t*>(a.array<std::int32_t>("key", 2));
  auto* out = reinterpret_cast<std::uint32_t*>(a.array<std::int32_t>("out", 4 * count));
  float* unit = a.optional<float>("unit", 4 * count);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(4 * count);
    b.philox(count, s.in(counter, n), key[0], key[1], s.out(out, n), s.out(unit, n));
  });
  return info.Env().Undefined();
}

}  // namespace

void add_token_kernels(Napi::Object kernels) {
  define<&decode_posterior>(kernels, "decodePosterior");
  define<&topk_posterior>(kernels, "topkPosterior");
  define<&nearest_token>(kernels, "nearestToken");
  define<&order_violations>(kernels, "orderViolations");
  define<&encode_companded>(kernels, "encodeCompanded");
  define<&decode_companded>(kernels, "decodeCompanded");
  define<&philox>(kernels, "philox");
}

}  // namespace wam::binding
