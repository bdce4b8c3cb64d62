#pragma once
// Shared by the attention tests of the GPU backend: cases, random operands, the definition in float64 and in plain 16-bit
// arithmetic, and the operands in a backend's memory.

#include <algorithm>
#include <memory>

#include "cuda/attention_launch.h"
#include "cuda/cuda_backend_impl.h"
#include "test/gpu/gpu_support.h"

namespace wam::test {

struct AttentionCase {
  std::string name;
  int heads = 1, kv_heads = 1, head_dim = 32, query_rows = 0, key_rows = 0;
  std::vector<AttentionSegment> segments;
  std::vector<int> group_offsets{0};
  std::vector<AttentionKeyRange> key_ranges;
  int gap = 0;  // columns between rows that belong to nothing; a multiple of 8 keeps 16-byte alignment

  void end_group() { group_offsets.push_back(static_cast<int>(segments.size())); }
  int groups() const { return static_cast<int>(group_offsets.size()) - 1; }
};

/// Groups of one prefix that sees itself, and `copies` segments of `actions` rows that see the prefix and themselves.
inline AttentionCase prefix_case(int groups, int prefix, int copies, int actions, int heads, int kv_heads, int dim,
                                 int gap = 0) {
  AttentionCase c;
  c.name = "prefix " + std::to_string(groups) + "x(" + std::to_string(prefix) + "+" + std::to_string(copies) + "*" +
           std::to_string(actions) + ") heads " + std::to_string(heads) + "/" + std::to_string(kv_heads) + " dim " +
           std::to_string(dim) + " gap " + std::to_string(gap);
  c.heads = heads, c.kv_heads = kv_heads, c.head_dim = dim, c.gap = gap;
  int row = 0;
  for (int g = 0; g < groups; ++g) {
    const int begin = row;
    if (prefix > 0) c.segments.push_back({begin, prefix, begin, prefix, 0, 0, false});
    row += prefix;
    for (int i = 0; i < copies; ++i, row += actions)
      c.segments.push_back({row, actions, begin, prefix, row, actions, false});
    c.end_group();
    c.key_ranges.push_back({g, begin, prefix});
    c.key_ranges.push_back({g, begin + prefix, copies * actions});
  }
  c.query_rows = c.key_rows = row;
  return c;
}

/// One segment a group behind `cached` keys that all rows see; of its own keys all, or with `causal` those up to the row.
inline AttentionCase cached_case(int groups, int cached, int rows, bool causal, int heads, int kv_heads, int dim,
                                 int gap = 0) {
  AttentionCase c;
  c.name = std::string(causal ? "causal " : "cached ") + std::to_string(groups) + "x(" + std::to_string(cached) + "+" +
           std::to_string(rows) + ") heads " + std::to_string(heads) + "/" + std::to_string(kv_heads) + " dim " +
           std::to_string(dim) + " gap " + std::to_string(gap);
  c.heads = heads, c.kv_heads = kv_heads, c.head_dim = dim, c.gap = gap;
  c.query_rows = groups * rows, c.key_rows = groups * (cached + rows);
  for (int g = 0; g < groups; ++g) {
    const int key = g * (cached + rows);
    c.segments.push_back({g * rows, rows, key, cached, key + cached, rows, causal});
    c.end_group();
    c.key_ranges.push_back({g, key, cached + rows});  // one range over both parts of the list
  }
  return c;
}

/// A group without segments, a segment that sees no key, and a range that no segment sees.
inline AttentionCase blind_case(int dim) {
  AttentionCase c;
  c.name = "blind rows, dim " + std::to_string(dim);
  c.heads = c.kv_heads = 2, c.head_dim = dim, c.query_rows = 6, c.key_rows = 9;
  c.segments = {{0, 3, 0, 4, 0, 0, false}, {3, 3, 0, 0, 0, 0, false}};
  c.group_offsets = {0, 1, 1, 2};
  c.key_ranges = {{0, 0, 4}, {0, 4, 5}, {1, 9, 0}};
  return c;
}

/// Host operands. Buffers end with the last value that belongs to them. dk and dv start from something, since backward
/// adds.
struct AttentionOperands {
  const AttentionCase& c;
  int ldq, ldk;  // ldk of k and v; ldq of q, out and dout
  std::vector<float> q, k, v, dout, dk, dv;
  float scale;

  explicit AttentionOperands(const AttentionCase& of, float q_scale = 1) : c(of) {
    ldq = c.heads * c.head_dim + c.gap, ldk = c.kv_heads * c.head_dim + c.gap;
    q = normal_values(size_of_queries(), 21, q_scale), dout = normal_values(size_of_queries(), 24);
    k = normal_values(size_of_keys(), 22), v = normal_values(size_of_keys(), 23);
    dk = normal_values(size_of_keys(), 25), dv = normal_values(size_of_keys(), 26);
    scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.head_dim)));
  }
  std::size_t size_of_queries() const { return static_cast<std::size_t>(c.query_rows * ldq - c.gap); }
  std::size_t size_of_keys() const { return static_cast<std::size_t>(c.key_rows * ldk - c.gap); }
  template <class T>
  void round_inputs() {
    for (auto* x : {&q, &k, &v, &dout})
      for (float& y : *x) y = static_cast<float>(round_to<T>(y));
  }
};

struct AttentionResult {
  std::vector<double> out, lse, dq, dk, dv;
};

/// By the definition in float64: p = softmax(scale q k), out = p v; dp = dout v, ds = p (dp - sum p dp). Rounded is
/// double for no rounding; with bf16 or f16, scores, weights, their gradients and results are rounded to it as a plain
/// implementation without fusion would (lse, dk and dv are not).
template <class Rounded>
AttentionResult attention_definition(const AttentionOperands& t) {
  const auto round = [](double x) {
    if constexpr (std::is_same_v<Rounded, double>)
      return x;
    else
      return round_to<Rounded>(x);
  };
  const AttentionCase& c = t.c;
  const int dim = c.head_dim;
  AttentionResult r;
  r.out.resize(t.q.size()), r.dq.resize(t.q.size());
  r.lse.resize(static_cast<std::size_t>(c.query_rows * c.heads));
  r.dk.assign(t.dk.begin(), t.dk.end()), r.dv.assign(t.dv.begin(), t.dv.end());
  for (const AttentionSegment& s : c.segments) {
    for (int i = 0; i < s.q_rows; ++i) {
      std::vector<int> keys;
      for (int j = 0; j < s.a_rows; ++j) keys.push_back(s.a_begin + j);
      for (int j = 0; j < (s.causal ? i + 1 : s.b_rows); ++j) keys.push_back(s.b_begin + j);
      for (int h = 0; h < c.heads; ++h) {
        const int kv = h / (c.heads / c.kv_heads), row = s.q_begin + i;
        const std::size_t at = static_cast<std::size_t>(row * t.ldq + h * dim);
        const auto key_at = [&](int key) { return static_cast<std::size_t>(key * t.ldk + kv * dim); };
        std::vector<double> p(keys.size()), dp(keys.size());
        double top = -HUGE_VAL, total = 0, delta = 0;
        for (std::size_t j = 0; j < keys.size(); ++j) {
          double score = 0;
          for (int d = 0; d < dim; ++d)
            score += static_cast<double>(t.q[at + static_cast<std::size_t>(d)]) *
                     t.k[key_at(keys[j]) + static_cast<std::size_t>(d)];
          p[j] = round(score * t.scale);
          top = std::max(top, p[j]);
        }
        for (double& x : p) total += x = std::exp(x - top);
        r.lse[static_cast<std::size_t>(row * c.heads + h)] = top + std::log(total);
        for (std::size_t j = 0; j < keys.size(); ++j) {
          p[j] = round(p[j] / total);
          for (int d = 0; d < dim; ++d) {
            const std::size_t o = at + static_cast<std::size_t>(d), x = key_at(keys[j]) + static_cast<std::size_t>(d);
            r.out[o] += p[j] * t.v[x];
            dp[j] += static_cast<double>(t.dout[o]) * t.v[x];
            r.dv[x] += p[j] * t.dout[o];
          }
          dp[j] = round(dp[j]);
        }
        for (int d = 0; d < dim; ++d) {
          double& o = r.out[at + static_cast<std::size_t>(d)];
          o = round(o);
          delta += o * t.dout[at + static_cast<std::size_t>(d)];
        }
        for (std::size_t j = 0; j < keys.size(); ++j) {
          const double ds = round(p[j] * (dp[j] - delta)) * t.scale;
          for (int d = 0; d < dim; ++d) {
            const std::size_t o = at + static_cast<std::size_t>(d), x = key_at(keys[j]) + static_cast<std::size_t>(d);
            r.dq[o] += ds * t.k[x];
            r.dk[x] += ds * t.q[o];
          }
        }
        for (int d = 0; d < dim; ++d) {
          double& x = r.dq[at + static_cast<std::size_t>(d)];
          x = round(x);
        }
      }
    }
  }
  return r;
}

/// max |a - b|; infinities of one sign are equal, NaN differs from all by infinity.
template <class A, class B>
double largest_difference(const std::vector<A>& a, const std::vector<B>& b) {
  double most = a.size() == b.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (x == y) continue;
    const double d = std::abs(x - y);
    most = std::max(most, std::isnan(d) ? HUGE_VAL : d);
  }
  return most;
}

/// Operands in a backend's memory. Float buffers begin `shift` values behind a 256-byte boundary.
class DeviceAttention {
 public:
  DeviceAttention(Backend& backend, const AttentionOperands& t, int shift = 0)
      : t_(t),
        shift_(static_cast<std::size_t>(shift)),
        segments_(backend, t.c.segments),
        offsets_(backend, t.c.group_offsets),
        ranges_(backend, t.c.key_ranges),
        q_(backend, shifted(t.q)),
        k_(backend, shifted(t.k)),
        v_(backend, shifted(t.v)),
        dout_(backend, shifted(t.dout)),
        dk_(backend, shifted(t.dk)),
        dv_(backend, shifted(t.dv)),
        out_(backend, t.q.size() + shift_),
        dq_(backend, t.q.size() + shift_),
        lse_(backend, static_cast<std::size_t>(t.c.query_rows * t.c.heads)) {}

  Attention attention() {
    const AttentionCase& c = t_.c;
    Attention a;
    a.heads = c.heads, a.kv_heads = c.kv_heads, a.head_dim = c.head_dim, a.scale = t_.scale;
    a.q = q_.data() + shift_, a.k = k_.data() + shift_, a.v = v_.data() + shift_;
    a.ldq = a.ldo = t_.ldq, a.ldk = a.ldv = t_.ldk;
    a.out = out_.data() + shift_, a.lse = lse_.data();
    a.segments = segments_.data(), a.group_offsets = offsets_.data(), a.groups = c.groups();
    a.segment_count = static_cast<int>(c.segments.size());
    for (const AttentionSegment& s : c.segments) {
      a.max_queries = std::max(a.max_queries, s.q_rows);
      a.max_keys = std::max(a.max_keys, s.a_rows + s.b_rows);
    }
    a.key_ranges = ranges_.data(), a.key_range_count = static_cast<int>(c.key_ranges.size());
    for (const AttentionKeyRange& r : c.key_ranges) a.max_range_rows = std::max(a.max_range_rows, r.rows);
    return a;
  }
  AttentionBackward backward() {
    AttentionBackward g;
    g.out = out_.data() + shift_, g.dout = dout_.data() + shift_, g.ldo = g.lddo = t_.ldq;
    g.dq = dq_.data() + shift_, g.dk = dk_.data() + shift_, g.dv = dv_.data() + shift_;
    g.lddq = t_.ldq, g.lddk = g.lddv = t_.ldk;
    return g;
  }
  std::vector<float> out() { return without_shift(out_.get()); }
  std::vector<float> lse() { return lse_.get(); }
  std::vector<float> dq() { return without_shift(dq_.get()); }
  std::vector<float> dk() { return without_shift(dk_.get()); }
  std::vector<float> dv() { return without_shift(dv_.get()); }

 private:
  std::vector<float> shifted(std::vector<float> x) const {
    x.insert(x.begin(), shift_, 0.0f);
    return x;
  }
  std::vector<float> without_shift(std::vector<float> x) const {
    x.erase(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(shift_));
    return x;
  }

  const AttentionOperands& t_;
  std::size_t shift_;
  DeviceArray<AttentionSegment> segments_;
  DeviceArray<int> offsets_;
  DeviceArray<AttentionKeyRange> ranges_;
  DeviceArray<float> q_, k_, v_, dout_, dk_, dv_, out_, dq_, lse_;
};

inline std::unique_ptr<Backend> attention_backend(gpu::Precision precision = gpu::Precision::fp32,
                                                  bool deterministic = true) {
  gpu::Options options;
  options.precision = precision, options.deterministic = deterministic;
  return simt::make_backend(options);
}

/// Sets how many multiprocessors backends made from here on think they have; one makes no call split for want of blocks.
inline simt::HarnessOptions with_multiprocessors(int count) {
  simt::HarnessOptions options = simt::harness_options();
  options.multiprocessors = count;
  return options;
}

template <class T>
constexpr gpu::Precision kPrecisionOf = std::is_same_v<T, simt::bf16> ? gpu::Precision::bf16 : gpu::Precision::f16;

/// A body's result under every schedule when `thorough`, else in random order with the latest copies alone: the checks of
/// memory are the same, and a kernel meets all schedules in some case.
template <class Body>
auto under_schedules(bool thorough, const Body& body) {
  if (thorough) return same_under_each_schedule(body);
  simt::HarnessOptions options = simt::harness_options();
  options.order = simt::Order::random, options.lazy_copies = true;
  const simt::ScopedOptions scope(options);
  auto result = body();
  check_no_reports();
  return result;
}

/// All that two calls of one operation must agree on, in one vector.
inline std::vector<float> concatenated(std::initializer_list<std::vector<float>> parts) {
  std::vector<float> all;
  for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

}  // namespace wam::test
