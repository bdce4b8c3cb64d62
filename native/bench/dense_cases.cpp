// Matrix products and attention.
#include <cmath>

#include "bench/cases.h"

namespace wam::bench {
namespace {

std::string by(int a, int b) { return std::to_string(a) + " x " + std::to_string(b); }

struct GemmShape {
  const char* name;
  int m, n, k;
  bool norm, gated, bias, residual;
  Activation activation;
};

constexpr GemmShape kGemms[] = {
    {"mini step, qkv", 24, 768, 256, true, false, true, false, Activation::none},
    {"mini step, mlp up", 24, 1024, 256, true, false, true, false, Activation::gelu_erf},
    {"mini step, mlp down", 24, 256, 1024, false, false, true, true, Activation::none},
    {"mini training, mlp up", 1680, 1024, 256, true, false, true, false, Activation::gelu_erf},
    {"vla step, qkv", 32, 6144, 2048, true, false, false, false, Activation::none},
    {"vla step, swiglu", 32, 5632, 2048, true, true, false, false, Activation::none},
    {"vla step, mlp down", 32, 2048, 5632, false, false, false, true, Activation::none},
    {"vla step, head", 32, 20001, 2048, true, false, false, false, Activation::none},
    {"vla prefill, qkv", 700, 6144, 2048, true, false, false, false, Activation::none},
    {"vla prefill, mlp down", 700, 2048, 5632, false, false, false, true, Activation::none},
    {"plain product", 2048, 2048, 2048, false, false, false, false, Activation::none},
};

void add_gemm(DeviceBuffers& buffers, double weight_bytes, const GemmShape& s, std::vector<Case>& out) {
  Backend& backend = buffers.backend();
  const int columns = s.gated ? 2 * s.n : s.n;
  const auto m = static_cast<std::size_t>(s.m), n = static_cast<std::size_t>(s.n), k = static_cast<std::size_t>(s.k);
  Gemm g;
  g.m = s.m, g.n = s.n, g.k = s.k;
  g.a = buffers.random(m * k), g.lda = s.k;
  g.b = buffers.random(static_cast<std::size_t>(columns) * k, -0.02, 0.02), g.ldb = s.k, g.b_transposed = true;
  auto packed = backend.pack(g.b, g.ldb, true, s.k, columns);
  g.packed = packed.get();
  buffers.keep(std::move(packed));
  g.c = buffers.zeros<real>(m * n), g.ldc = s.n;
  if (s.bias) g.bias = buffers.random(n);
  if (s.residual) g.residual = buffers.random(m * n), g.ldr = s.n;
  g.activation = s.activation;
  g.gated = s.gated;
  auto norm = std::make_shared<RowNorm>();
  if (s.norm) {
    norm->weight = buffers.random(k);
    norm->eps = real(1e-5);
  }
  Case c{"gemm", std::string(s.name) + ": " + by(s.m, s.k) + " by " + by(s.k, columns)};
  c.flops = 2.0 * s.m * columns * s.k;
  c.bytes = 4.0 * s.m * s.k + weight_bytes * columns * s.k + 4.0 * s.m * s.n * (s.residual ? 2 : 1);
  c.tensor_cores = true;
  c.m = s.m, c.n = columns, c.k = s.k;
  c.run = [&backend, g, norm, uses_norm = s.norm]() mutable {
    g.norm = uses_norm ? norm.get() : nullptr;
    backend.gemm(g);
  };
  out.push_back(std::move(c));
}

struct AttentionShape {
  const char* name;
  int batch, queries, keys, heads, head_dim;
  bool backward;
};

constexpr AttentionShape kAttentions[] = {
    {"mini step", 1, 24, 120, 8, 32, false},      {"vla step", 1, 32, 732, 16, 128, false},
    {"vla prefill", 1, 700, 700, 16, 128, false}, {"vision", 1, 576, 576, 16, 64, false},
    {"mini training", 8, 120, 120, 8, 32, true},  {"vla training", 4, 732, 732, 16, 128, true},
};

void add_attention(DeviceBuffers& buffers, const AttentionShape& s, std::vector<Case>& out) {
  Backend& backend = buffers.backend();
  const int width = s.heads * s.head_dim;
  const std::size_t queries = static_cast<std::size_t>(s.batch) * s.queries,
                    keys = static_cast<std::size_t>(s.batch) * s.keys;
  std::vector<AttentionSegment> segments;
  std::vector<AttentionKeyRange> ranges;
  std::vector<int> offsets{0};
  for (int b = 0; b < s.batch; ++b) {
    AttentionSegment segment;
    segment.q_begin = b * s.queries, segment.q_rows = s.queries;
    segment.a_begin = b * s.keys, segment.a_rows = s.keys;
    segments.push_back(segment);
    ranges.push_back({b, b * s.keys, s.keys});
    offsets.push_back(b + 1);
  }
  Attention a;
  a.heads = a.kv_heads = s.heads, a.head_dim = s.head_dim;
  a.scale = real(1 / std::sqrt(s.head_dim));
  a.q = buffers.random(queries * width), a.k = buffers.random(keys * width), a.v = buffers.random(keys * width);
  a.ldq = a.ldk = a.ldv = a.ldo = width;
  real* result = buffers.zeros<real>(queries * width);
  a.out = result;
  a.lse = buffers.zeros<real>(queries * s.heads);
  a.segments = buffers.copy(segments), a.group_offsets = buffers.copy(offsets);
  a.groups = a.segment_count = s.batch;
  a.max_queries = s.queries, a.max_keys = s.keys;
  a.key_ranges = buffers.copy(ranges), a.key_range_count = s.batch, a.max_range_rows = s.keys;

  const double product = 2.0 * s.batch * s.heads * s.queries * s.keys * s.head_dim;
  const double query_bytes = 4.0 * queries * width, key_bytes = 4.0 * keys * width;
  const std::string shape = std::string(s.name) + ": batch " + std::to_string(s.batch) + ", " +
                            std::to_string(s.queries) + " queries, " + std::to_string(s.keys) + " keys, " +
                            std::to_string(s.heads) + " heads of " + std::to_string(s.head_dim);
  Case forward{"attention", shape};
  forward.flops = 2 * product;
  forward.bytes = 2 * query_bytes + 2 * key_bytes;
  forward.tensor_cores = true;
  forward.run = [&backend, a] { backend.attention(a); };
  out.push_back(std::move(forward));
  if (!s.backward) return;

  backend.attention(a);  // out and lse, which the backward pass reads
  AttentionBackward g;
  g.out = result, g.dout = buffers.random(queries * width);
  g.ldo = g.lddo = g.lddq = g.lddk = g.lddv = width;
  g.dq = buffers.zeros<real>(queries * width);
  g.dk = buffers.zeros<real>(keys * width), g.dv = buffers.zeros<real>(keys * width);
  Case backward{"attention_backward", shape};
  backward.flops = 5 * product;
  backward.bytes = 4 * query_bytes + 6 * key_bytes;  // dk and dv are added to
  backward.tensor_cores = true;
  backward.run = [&backend, a, g] { backend.attention_backward(a, g); };
  out.push_back(std::move(backward));
}

}  // namespace

void add_gemm_cases(DeviceBuffers& buffers, double weight_bytes, std::vector<Case>& out) {
  for (const GemmShape& shape : kGemms) add_gemm(buffers, weight_bytes, shape, out);
}

void add_attention_cases(DeviceBuffers& buffers, std::vector<Case>& out) {
  for (const AttentionShape& shape : kAttentions) add_attention(buffers, shape, out);
}

}  // namespace wam::bench
