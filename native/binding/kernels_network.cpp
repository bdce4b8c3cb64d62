// Single operations of networks: (engine, arguments); results go to arrays that the caller brings.

#include <algorithm>
#include <vector>

#include "binding/function.h"
#include "binding/kernel_arguments.h"
#include "binding/kernels_binding.h"

namespace wam::binding {
namespace {

Activation activation_kind(const KernelArguments& a) {
  return a.fields().choice<Activation>(
      "activation",
      {{"none", Activation::none}, {"gelu_erf", Activation::gelu_erf}, {"gelu_tanh", Activation::gelu_tanh}});
}

/// The disjoint ranges of key rows that the segments [first, last) of a group see.
void add_key_ranges(int group, const AttentionSegment* first, const AttentionSegment* last,
                    std::vector<AttentionKeyRange>& out) {
  std::vector<AttentionKeyRange> seen;
  for (const AttentionSegment* s = first; s != last; ++s) {
    if (s->a_rows > 0) seen.push_back({group, s->a_begin, s->a_rows});
    if (s->b_rows > 0) seen.push_back({group, s->b_begin, s->b_rows});
  }
  std::sort(seen.begin(), seen.end(), [](const auto& x, const auto& y) { return x.begin < y.begin; });
  const std::size_t own = out.size();
  for (const AttentionKeyRange& range : seen) {
    if (out.size() == own || out.back().begin + out.back().rows < range.begin) {
      out.push_back(range);
    } else {
      out.back().rows = std::max(out.back().rows, range.begin + range.rows - out.back().begin);
    }
  }
}

/// Segments of all groups as rows of 7 integers in AttentionSegment's order, and the backend's view of them.
struct AttentionCall {
  explicit AttentionCall(const KernelArguments& a) {
    const int batch = a.dim("batch"), length = a.dim("length"), keys = a.dim("keyLength");
    attention.heads = a.dim("heads");
    attention.kv_heads = a.dim("kvHeads");
    attention.head_dim = a.dim("headDim");
    attention.scale = a.scalar("scale");
    attention.ldq = attention.ldo = static_cast<int>(elements(attention.heads, attention.head_dim));
    attention.ldk = attention.ldv = static_cast<int>(elements(attention.kv_heads, attention.head_dim));
    query_size = elements(batch, length, attention.heads, attention.head_dim);
    key_size = elements(batch, keys, attention.kv_heads, attention.head_dim);
    attention.q = a.reals("q", query_size);
    attention.k = a.reals("k", key_size);
    attention.v = a.reals("v", key_size);
    attention.out = a.reals("out", query_size);
    attention.lse = a.optional<real>("lse", elements(batch, length, attention.heads));
    read_segments(a, batch, length, keys);
  }

  void read_segments(const KernelArguments& a, int batch, int length, int keys) {
    const std::int32_t* offset = a.array<std::int32_t>("groups", batch + 1);
    const std::int32_t* row = a.array<std::int32_t>("segments", 7 * static_cast<std::int64_t>(offset[batch]));
    const std::int64_t rows = elements(batch, length), key_rows = elements(batch, keys);
    for (int i = 0; i < offset[batch]; ++i, row += 7) {
      const bool inside = row[0] >= 0 && row[1] >= 0 && std::int64_t{row[0]} + row[1] <= rows &&  //
                          row[2] >= 0 && row[3] >= 0 && std::int64_t{row[2]} + row[3] <= key_rows && row[4] >= 0 &&
                          row[5] >= 0 && std::int64_t{row[4]} + row[5] <= key_rows && (row[6] == 0 || row[1] <= row[5]);
      if (!inside) throw Error("ERR_RANGE", "attention.segments: a segment lies outside the arrays");
      segments.push_back({row[0], row[1], row[2], row[3], row[4], row[5], row[6] != 0});
    }
    attention.segments = segments.data();
    attention.segment_count = static_cast<int>(segments.size());
    attention.group_offsets = offset;
    attention.groups = batch;
    for (const AttentionSegment& s : segments) {
      attention.max_queries = std::max(attention.max_queries, s.q_rows);
      attention.max_keys = std::max(attention.max_keys, s.a_rows + s.b_rows);
    }
    for (int group = 0; group < batch; ++group) {
      add_key_ranges(group, &segments[0] + offset[group], &segments[0] + offset[group + 1], key_ranges);
    }
    attention.key_ranges = key_ranges.data();
    attention.key_range_count = static_cast<int>(key_ranges.size());
    for (const AttentionKeyRange& r : key_ranges) {
      attention.max_range_rows = std::max(attention.max_range_rows, r.rows);
    }
  }

  /// The call with all it reads in the backend's memory; `out` and `lse` are read by a backward pass, else written.
  Attention staged(CallStaging& s, bool backward) const {
    Attention a = attention;
    a.q = s.in(a.q, static_cast<std::size_t>(query_size));
    a.k = s.in(a.k, static_cast<std::size_t>(key_size)), a.v = s.in(a.v, static_cast<std::size_t>(key_size));
    const auto out_size = static_cast<std::size_t>(query_size);
    const auto lse_size = static_cast<std::size_t>(query_size / a.head_dim);
    a.out = backward ? const_cast<real*>(s.in<real>(a.out, out_size)) : s.out(a.out, out_size);
    a.lse = backward ? const_cast<real*>(s.in<real>(a.lse, lse_size)) : s.out(a.lse, lse_size);
    a.segments = s.in(a.segments, segments.size());
    a.group_offsets = s.in(a.group_offsets, static_cast<std::size_t>(a.groups) + 1);
    a.key_ranges = s.in(a.key_ranges, key_ranges.size());
    return a;
  }

  Attention attention;
  std::vector<AttentionSegment> segments;
  std::vector<AttentionKeyRange> key_ranges;
  std::int64_t query_size = 0, key_size = 0;
};

Napi::Value attention(const Napi::CallbackInfo& info) {
  const AttentionCall call(KernelArguments(info[1], "attention"));
  with_backend(info, [&](Backend& b, CallStaging& s) { b.attention(call.staged(s, false)); });
  return info.Env().Undefined();
}

/// dk and dv are added to: the caller brings zeros.
Napi::Value attention_backward(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "attentionBackward");
  const AttentionCall call(a);
  AttentionBackward g;
  g.out = call.attention.out;
  g.dout = a.reals("dout", call.query_size);
  g.ldo = g.lddo = g.lddq = call.attention.ldo;
  g.lddk = g.lddv = call.attention.ldk;
  g.dq = a.reals("dq", call.query_size);
  g.dk = a.reals("dk", call.key_size);
  g.dv = a.reals("dv", call.key_size);
  if (call.attention.lse == nullptr) throw Error("ERR_ARGUMENT", "attentionBackward.lse: expected a Float32Array");
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto queries = static_cast<std::size_t>(call.query_size), keys = static_cast<std::size_t>(call.key_size);
    const Attention staged = call.staged(s, true);
    g.out = staged.out;
    g.dout = s.in(g.dout, queries);
    g.dq = s.out(g.dq, queries);
    g.dk = s.inout(g.dk, keys), g.dv = s.inout(g.dv, keys);
    b.attention_backward(staged, g);
  });
  return info.Env().Undefined();
}

Napi::Value norm(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "norm");
  const int rows = a.dim("rows"), cols = a.dim("cols");
  const bool centred = a.flag("centred");  // layer norm; else root mean square
  const std::int64_t size = elements(rows, cols);
  const real *x = a.reals("x", size), *weight = a.reals("weight", cols);
  const real* bias = centred ? a.reals("bias", cols) : nullptr;
  real *y = a.reals("out", size), *rstd = a.reals("rstd", rows);
  real* mean = centred ? a.reals("mean", rows) : nullptr;
  const real eps = a.scalar("eps");
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(size), r = static_cast<std::size_t>(rows),
               c = static_cast<std::size_t>(cols);
    x = s.in(x, n), weight = s.in(weight, c), bias = s.in(bias, c);
    y = s.out(y, n), rstd = s.out(rstd, r), mean = s.out(mean, r);
    if (centred) {
      b.layer_norm(rows, cols, x, weight, bias, eps, y, mean, rstd);
    } else {
      b.rms_norm(rows, cols, x, weight, eps, y, rstd);
    }
  });
  return info.Env().Undefined();
}

/// dweight and dbias are added to: the caller brings zeros.
Napi::Value norm_backward(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "normBackward");
  const int rows = a.dim("rows"), cols = a.dim("cols");
  const bool centred = a.flag("centred");
  const std::int64_t size = elements(rows, cols);
  const real *x = a.reals("x", size), *weight = a.reals("weight", cols), *dy = a.reals("dout", size);
  const real* rstd = a.reals("rstd", rows);
  const real* mean = centred ? a.reals("mean", rows) : nullptr;
  real *dx = a.reals("dx", size), *dweight = a.reals("dweight", cols);
  real* dbias = centred ? a.reals("dbias", cols) : nullptr;
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(size), r = static_cast<std::size_t>(rows),
               c = static_cast<std::size_t>(cols);
    x = s.in(x, n), weight = s.in(weight, c), dy = s.in(dy, n), rstd = s.in(rstd, r), mean = s.in(mean, r);
    dx = s.out(dx, n), dweight = s.inout(dweight, c), dbias = s.inout(dbias, c);
    if (centred) {
      b.layer_norm_backward(rows, cols, x, weight, mean, rstd, dy, dx, false, dweight, dbias);
    } else {
      b.rms_norm_backward(rows, cols, x, weight, rstd, dy, dx, false, dweight);
    }
  });
  return info.Env().Undefined();
}

Napi::Value gelu(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "gelu");
  const std::int64_t count = a.dim("count");
  const Activation kind = activation_kind(a);
  const real *x = a.reals("x", count), *dy = a.optional<real>("dout", count);
  real* out = a.reals("out", count);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto n = static_cast<std::size_t>(count);
    x = s.in(x, n), dy = s.in(dy, n), out = s.out(out, n);
    if (dy != nullptr) {
      b.activation_backward(kind, count, x, dy, out);
    } else {
      b.activation(kind, count, x, out);
    }
  });
  return info.Env().Undefined();
}

/// In place.
Napi::Value rope(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "rope");
  const int rows = a.dim("rows"), heads = a.dim("heads"), head_dim = a.dim("headDim");
  const std::int32_t* position = a.tokens("positions", rows, 1 << 24);
  real* x = a.reals("x", elements(rows, heads, head_dim));
  const real theta = a.scalar("theta");
  const bool inverse = a.flag("inverse");
  with_backend(info, [&](Backend& b, CallStaging& s) {
    b.rope(rows, heads, head_dim, s.in(position, static_cast<std::size_t>(rows)), theta, inverse,
           s.inout(x, static_cast<std::size_t>(elements(rows, heads, head_dim))), heads * head_dim);
  });
  return info.Env().Undefined();
}

Napi::Value swiglu(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "swiglu");
  const int rows = a.dim("rows"), cols = a.dim("cols");
  const std::int64_t size = elements(rows, cols);
  const real *gate = a.reals("gate", size), *up = a.reals("up", size), *dy = a.optional<real>("dout", size);
  const auto n = static_cast<std::size_t>(size);
  if (dy == nullptr) {
    real* out = a.reals("out", size);
    with_backend(info, [&](Backend& b, CallStaging& s) {
      b.swiglu(rows, cols, s.in(gate, n), cols, s.in(up, n), cols, s.out(out, n));
    });
  } else {
    real *dgate = a.reals("dgate", size), *dup = a.reals("dup", size);
    with_backend(info, [&](Backend& b, CallStaging& s) {
      b.swiglu_backward(rows, cols, s.in(gate, n), cols, s.in(up, n), cols, s.in(dy, n), s.out(dgate, n), cols,
                        s.out(dup, n), cols);
    });
  }
  return info.Env().Undefined();
}

/// out = activation(x weight^T + bias), weight [outputs, inputs].
Napi::Value linear(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "linear");
  Gemm g;
  g.m = a.dim("rows"), g.k = g.lda = g.ldb = a.dim("inputs"), g.n = g.ldc = a.dim("outputs");
  g.a = a.reals("x", elements(g.m, g.k));
  g.b = a.reals("weight", elements(g.n, g.k));
  g.b_transposed = true;
  g.bias = a.optional<real>("bias", g.n);
  g.c = a.reals("out", elements(g.m, g.n));
  g.activation = activation_kind(a);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto size = [](int rows, int cols) {
      return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    };
    g.a = s.in(g.a, size(g.m, g.k)), g.b = s.in(g.b, size(g.n, g.k));
    g.bias = s.in(g.bias, static_cast<std::size_t>(g.n));
    g.c = s.out(g.c, size(g.m, g.n));
    // Only packed weights are narrow.
    const auto packed = b.unified() ? b.pack(g.b, g.ldb, true, g.k, g.n) : nullptr;
    g.packed = packed.get();
    b.gemm(g);
  });
  return info.Env().Undefined();
}

/// dweight and dbias are added to: the caller brings zeros.
Napi::Value linear_backward(const Napi::CallbackInfo& info) {
  const KernelArguments a(info[1], "linearBackward");
  const int rows = a.dim("rows"), inputs = a.dim("inputs"), outputs = a.dim("outputs");
  const real* dy = a.reals("dout", elements(rows, outputs));
  Gemm to_x;  // dx = dy weight
  to_x.m = rows, to_x.k = to_x.lda = outputs, to_x.n = to_x.ldb = to_x.ldc = inputs;
  to_x.a = dy;
  to_x.b = a.reals("weight", elements(outputs, inputs));
  to_x.c = a.reals("dx", elements(rows, inputs));
  Gemm to_weight;  // dweight += dy^T x
  to_weight.m = to_weight.lda = outputs, to_weight.k = rows, to_weight.n = to_weight.ldb = to_weight.ldc = inputs;
  to_weight.a = dy;
  to_weight.a_transposed = true;
  to_weight.b = a.reals("x", elements(rows, inputs));
  to_weight.c = a.reals("dweight", elements(outputs, inputs));
  to_weight.accumulate = true;
  real* dbias = a.optional<real>("dbias", outputs);
  with_backend(info, [&](Backend& b, CallStaging& s) {
    const auto size = [](int r, int c) { return static_cast<std::size_t>(r) * static_cast<std::size_t>(c); };
    to_x.a = to_weight.a = s.in(dy, size(rows, outputs));
    to_x.b = s.in(to_x.b, size(outputs, inputs)), to_x.c = s.out(to_x.c, size(rows, inputs));
    to_weight.b = s.in(to_weight.b, size(rows, inputs));
    to_weight.c = s.inout(to_weight.c, size(outputs, inputs));
    b.gemm(to_x);
    b.gemm(to_weight);
    if (dbias != nullptr) b.add_column_sums(rows, outputs, to_x.a, outputs, s.inout(dbias, size(1, outputs)));
  });
  return info.Env().Undefined();
}

}  // namespace

void add_network_kernels(Napi::Object kernels) {
  define<&attention>(kernels, "attention");
  define<&attention_backward>(kernels, "attentionBackward");
  define<&norm>(kernels, "norm");
  define<&norm_backward>(kernels, "normBackward");
  define<&gelu>(kernels, "gelu");
  define<&rope>(kernels, "rope");
  define<&swiglu>(kernels, "swiglu");
  define<&linear>(kernels, "linear");
  define<&linear_backward>(kernels, "linearBackward");
}

}  // namespace wam::binding
