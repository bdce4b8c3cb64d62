// Attention by segments, forward and backward, against the definition in float64 with the whole score matrix.
#include "test/cpu_support.h"

namespace wam::test {
namespace {

struct Case {
  std::string name;
  int heads, kv_heads, head_dim, query_rows, key_rows;
  std::vector<AttentionSegment> segments;
  std::vector<int> group_offsets;
};

/// Groups of one prefix segment that sees itself, and `copies` segments of `actions` rows that see prefix and themselves.
Case prefix_case(int groups, int prefix, int copies, int actions, int heads, int kv_heads, int dim) {
  Case c{"prefix " + std::to_string(groups) + "x(" + std::to_string(prefix) + "+" + std::to_string(copies) + "*" +
             std::to_string(actions) + ") heads " + std::to_string(heads) + "/" + std::to_string(kv_heads) + " dim " +
             std::to_string(dim),
         heads,
         kv_heads,
         dim,
         0,
         0,
         {},
         {0}};
  int row = 0;
  for (int g = 0; g < groups; ++g) {
    const int begin = row;
    if (prefix > 0) c.segments.push_back({begin, prefix, begin, prefix, 0, 0, false});
    row += prefix;
    for (int i = 0; i < copies; ++i, row += actions)
      c.segments.push_back({row, actions, begin, prefix, row, actions, false});
    c.group_offsets.push_back(static_cast<int>(c.segments.size()));
  }
  c.query_rows = c.key_rows = row;
  return c;
}
/// One causal segment a group, behind `cached` keys that all rows see.
Case causal_case(int groups, int cached, int rows, int heads, int dim) {
  Case c{"causal " + std::to_string(groups) + "x(" + std::to_string(cached) + "+" + std::to_string(rows) + ") heads " +
             std::to_string(heads) + " dim " + std::to_string(dim),
         heads,
         heads,
         dim,
         groups * rows,
         groups * (cached + rows),
         {},
         {0}};
  for (int g = 0; g < groups; ++g) {
    const int key = g * (cached + rows);
    c.segments.push_back({g * rows, rows, key, cached, key + cached, rows, true});
    c.group_offsets.push_back(g + 1);
  }
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> list = {
      prefix_case(1, 0, 1, 1, 1, 1, 1),    prefix_case(1, 5, 1, 3, 1, 1, 7),     prefix_case(2, 40, 3, 24, 4, 4, 32),
      prefix_case(3, 17, 2, 13, 6, 2, 33), prefix_case(1, 130, 1, 61, 2, 1, 48), prefix_case(1, 300, 1, 24, 2, 2, 16),
      prefix_case(1, 33, 0, 0, 1, 1, 256), causal_case(2, 0, 37, 2, 32),         causal_case(1, 70, 90, 3, 20),
      causal_case(3, 128, 1, 2, 64),       causal_case(1, 0, 200, 1, 8),
  };
  // A group without segments, and a segment that sees no key at all.
  list.push_back({"empty group and blind rows",
                  2,
                  2,
                  9,
                  6,
                  4,
                  {{0, 3, 0, 4, 0, 0, false}, {3, 3, 0, 0, 0, 0, false}},
                  {0, 1, 1, 2}});
  return list;
}

/// Tensors of a case, rows longer than needed. dk and dv start from something, since backward adds.
struct Tensors {
  const Case& c;
  int ldq, ldk, ldv, ldo;
  std::vector<real> q, k, v, dout, dk, dv;
  real scale;

  explicit Tensors(const Case& of) : c(of) {
    ldq = c.heads * c.head_dim + 5, ldk = c.kv_heads * c.head_dim + 3, ldv = c.kv_heads * c.head_dim + 8;
    ldo = c.heads * c.head_dim + 1;
    q = random_values(static_cast<std::size_t>(c.query_rows) * ldq, 21);
    k = random_values(static_cast<std::size_t>(c.key_rows) * ldk, 22);
    v = random_values(static_cast<std::size_t>(c.key_rows) * ldv, 23);
    dout = random_values(static_cast<std::size_t>(c.query_rows) * ldo, 24);
    dk = random_values(k.size(), 25), dv = random_values(v.size(), 26);
    scale = static_cast<real>(1 / std::sqrt(static_cast<float>(c.head_dim)));
  }
  Attention attention() const {
    Attention a;
    a.heads = c.heads, a.kv_heads = c.kv_heads, a.head_dim = c.head_dim, a.scale = scale;
    a.q = q.data(), a.k = k.data(), a.v = v.data(), a.ldq = ldq, a.ldk = ldk, a.ldv = ldv, a.ldo = ldo;
    a.segments = c.segments.data(), a.group_offsets = c.group_offsets.data();
    a.groups = static_cast<int>(c.group_offsets.size()) - 1;
    return a;
  }
};

/// The keys that query row i of segment s sees.
std::vector<int> visible_keys(const AttentionSegment& s, int i) {
  std::vector<int> keys;
  for (int j = 0; j < s.a_rows; ++j) keys.push_back(s.a_begin + j);
  for (int j = 0; j < (s.causal ? i + 1 : s.b_rows); ++j) keys.push_back(s.b_begin + j);
  return keys;
}

struct Reference {
  std::vector<double> out, lse, dq, dk, dv;
};

/// Forward and backward by the definition: p = softmax(scale q k), out = p v; dp = dout v, ds = p (dp - sum p dp).
Reference reference(const Tensors& t, const std::vector<double>& q, const std::vector<double>& k,
                    const std::vector<double>& v) {
  const Case& c = t.c;
  const int dim = c.head_dim;
  Reference r;
  r.out.resize(static_cast<std::size_t>(c.query_rows) * t.ldo);
  r.lse.assign(static_cast<std::size_t>(c.query_rows) * c.heads, 0);
  r.dq.resize(q.size());
  r.dk = doubles(t.dk), r.dv = doubles(t.dv);
  for (const AttentionSegment& s : c.segments) {
    for (int i = 0; i < s.q_rows; ++i) {
      const std::vector<int> keys = visible_keys(s, i);
      for (int h = 0; h < c.heads; ++h) {
        const int kv = h / (c.heads / c.kv_heads), row = s.q_begin + i;
        const double* qi = q.data() + static_cast<std::size_t>(row) * t.ldq + h * dim;
        const real* doi = t.dout.data() + static_cast<std::size_t>(row) * t.ldo + h * dim;
        const auto k_at = [&](int key) { return static_cast<std::size_t>(key) * t.ldk + kv * dim; };
        const auto v_at = [&](int key) { return static_cast<std::size_t>(key) * t.ldv + kv * dim; };
        std::vector<double> p;
        double top = -HUGE_VAL, total = 0, mean = 0;
        for (const int key : keys) {
          double score = 0;
          for (int d = 0; d < dim; ++d) score += qi[d] * k[k_at(key) + d];
          p.push_back(score * t.scale);
          top = std::max(top, p.back());
        }
        for (double& x : p) total += x = std::exp(x - top);
        r.lse[static_cast<std::size_t>(row) * c.heads + h] = top + std::log(total);
        std::vector<double> dp(p.size());
        for (std::size_t j = 0; j < keys.size(); ++j) {
          p[j] /= total;
          for (int d = 0; d < dim; ++d) {
            r.out[static_cast<std::size_t>(row) * t.ldo + h * dim + d] += p[j] * v[v_at(keys[j]) + d];
            dp[j] += doi[d] * v[v_at(keys[j]) + d];
            r.dv[v_at(keys[j]) + d] += p[j] * doi[d];
          }
          mean += p[j] * dp[j];
        }
        for (std::size_t j = 0; j < keys.size(); ++j) {
          const double ds = p[j] * (dp[j] - mean) * t.scale;
          for (int d = 0; d < dim; ++d) {
            r.dq[static_cast<std::size_t>(row) * t.ldq + h * dim + d] += ds * k[k_at(keys[j]) + d];
            r.dk[k_at(keys[j]) + d] += ds * qi[d];
          }
        }
      }
    }
  }
  return r;
}
Reference reference(const Tensors& t) { return reference(t, doubles(t.q), doubles(t.k), doubles(t.v)); }

struct Forward {
  std::vector<real> out, lse;
};
Forward forward(Backend& backend, const Tensors& t) {
  Forward f{std::vector<real>(static_cast<std::size_t>(t.c.query_rows) * t.ldo),
            std::vector<real>(static_cast<std::size_t>(t.c.query_rows) * t.c.heads)};
  Attention a = t.attention();
  a.out = f.out.data(), a.lse = f.lse.data();
  backend.attention(a);
  return f;
}

}  // namespace

TEST(attention_matches_the_definition) {
  for (const Case& c : cases()) {
    const Context at(c.name);
    const Tensors t(c);
    const Reference r = reference(t);
    std::vector<double> expected = r.out;
    append(expected, r.lse);
    check_everywhere(
        [&](Backend& backend) {
          Forward f = forward(backend, t);
          append(f.out, f.lse);
          return f.out;
        },
        expected, tolerance(2e-6));
  }
}

TEST(attention_without_log_sum_exp_gives_the_same_output) {
  for (const Case& c : cases()) {
    const Context at(c.name);
    const Tensors t(c);
    for (const cpu::Isa isa : supported_isas()) {
      const auto backend = cpu::make_cpu_backend(nullptr, isa);
      const Forward f = forward(*backend, t);
      std::vector<real> out(f.out.size());
      Attention a = t.attention();
      a.out = out.data();
      backend->attention(a);
      CHECK_SAME_BITS(out.data(), f.out.data(), out.size());
    }
  }
}

TEST(attention_survives_large_scores) {
  const Case c = prefix_case(1, 150, 1, 20, 2, 2, 32);
  Tensors t(c);
  for (real& x : t.q) x *= 100;
  check_everywhere([&](Backend& backend) { return forward(backend, t).out; }, reference(t).out, tolerance(3e-3));
}

TEST(attention_follows_scores_that_leave_the_first_key_behind) {
  // scores from -150 to 150 along the list and back, so that the base of the softmax moves between and within key tiles
  const Case c = prefix_case(1, 400, 1, 20, 2, 2, 32);
  Tensors t(c);
  for (int i = 0; i < c.query_rows; ++i)
    for (int h = 0; h < c.heads; ++h) t.q[static_cast<std::size_t>(i) * t.ldq + h * c.head_dim] = i % 3 == 0 ? -1 : 1;
  for (int j = 0; j < c.key_rows; ++j)
    for (int h = 0; h < c.kv_heads; ++h)
      t.k[static_cast<std::size_t>(j) * t.ldk + h * c.head_dim] =
          static_cast<real>((j < 300 ? j - 150 : 450 - j) * std::sqrt(static_cast<float>(c.head_dim)));
  const Reference r = reference(t);
  std::vector<double> expected = r.out;
  append(expected, r.lse);
  check_everywhere(
      [&](Backend& backend) {
        Forward f = forward(backend, t);
        append(f.out, f.lse);
        return f.out;
      },
      expected, tolerance(2e-4));
}

TEST(attention_does_not_depend_on_how_a_key_list_is_cut) {
  for (const bool causal : {false, true}) {
    Case c = causal_case(1, 70, 190, 2, 32);
    c.segments[0].causal = causal;
    const Tensors t(c);
    for (const cpu::Isa isa : supported_isas()) {
      const auto backend = cpu::make_cpu_backend(nullptr, isa);
      const Forward whole = forward(*backend, t);
      // range a longer by 30 keys; with a causal segment, from the query row on that sees all of them
      AttentionSegment cut = c.segments[0];
      cut.a_rows += 30, cut.b_begin += 30, cut.b_rows -= 30;
      if (causal) cut.q_begin += 30, cut.q_rows -= 30;
      const int offsets[2] = {0, 1};
      std::vector<real> out(whole.out.size());
      Attention a = t.attention();
      a.segments = &cut, a.group_offsets = offsets, a.groups = 1, a.out = out.data();
      backend->attention(a);
      for (int row = cut.q_begin; row < cut.q_begin + cut.q_rows; ++row) {
        const std::size_t at = static_cast<std::size_t>(row) * t.ldo;
        CHECK_SAME_BITS(out.data() + at, whole.out.data() + at, c.heads * c.head_dim);
      }
    }
  }
}

TEST(attention_of_a_segment_does_not_depend_on_the_others) {
  for (const Case& c :
       {prefix_case(3, 40, 3, 24, 4, 4, 32), prefix_case(2, 150, 2, 31, 4, 2, 20), causal_case(2, 70, 90, 3, 20)}) {
    const Context at(c.name);
    const Tensors t(c);
    for (const cpu::Isa isa : supported_isas()) {
      ThreadPool pool(2);
      const auto backend = cpu::make_cpu_backend(&pool, isa);
      const Forward all = forward(*backend, t);
      for (const AttentionSegment& segment : c.segments) {
        // each row of the segment alone: with a causal segment, the rows up to it
        for (const int row : {0, segment.q_rows / 2, segment.q_rows - 1}) {
          AttentionSegment one = segment;
          one.q_rows = segment.causal ? row + 1 : 1;
          if (!segment.causal) one.q_begin += row;
          const int offsets[2] = {0, 1};
          std::vector<real> out(all.out.size()), lse(all.lse.size());
          Attention a = t.attention();
          a.segments = &one, a.group_offsets = offsets, a.groups = 1, a.out = out.data(), a.lse = lse.data();
          backend->attention(a);
          const std::ptrdiff_t at_row = segment.q_begin + row;
          CHECK_SAME_BITS(out.data() + at_row * t.ldo, all.out.data() + at_row * t.ldo, c.heads * c.head_dim);
          CHECK_SAME_BITS(lse.data() + at_row * c.heads, all.lse.data() + at_row * c.heads, c.heads);
        }
      }
    }
  }
}

TEST(attention_reference_gradients_match_finite_differences) {
  const Case c = prefix_case(1, 4, 2, 3, 2, 1, 5);
  const Tensors t(c);
  const Reference r = reference(t);
  const auto loss = [&](const std::vector<double>& q, const std::vector<double>& k, const std::vector<double>& v) {
    const std::vector<double> out = reference(t, q, k, v).out;
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * t.dout[i];
    return sum;
  };
  const std::vector<double> q = doubles(t.q), k = doubles(t.k), v = doubles(t.v);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < q.size(); ++i) {
    std::vector<double> up = q, down = q;
    up[i] += kStep, down[i] -= kStep;
    CHECK_NEAR((loss(up, k, v) - loss(down, k, v)) / (2 * kStep), r.dq[i], 1e-8);
  }
  for (std::size_t i = 0; i < k.size(); ++i) {
    std::vector<double> up = k, down = k;
    up[i] += kStep, down[i] -= kStep;
    CHECK_NEAR((loss(q, up, v) - loss(q, down, v)) / (2 * kStep), r.dk[i] - t.dk[i], 1e-8);
  }
  for (std::size_t i = 0; i < v.size(); ++i) {
    std::vector<double> up = v, down = v;
    up[i] += kStep, down[i] -= kStep;
    CHECK_NEAR((loss(q, k, up) - loss(q, k, down)) / (2 * kStep), r.dv[i] - t.dv[i], 1e-8);
  }
}

TEST(attention_backward_matches_the_definition) {
  for (const Case& c : cases()) {
    const Context at(c.name);
    const Tensors t(c);
    const Reference r = reference(t);
    std::vector<double> expected = r.dq;
    append(expected, r.dk);
    append(expected, r.dv);
    check_everywhere(
        [&](Backend& backend) {
          const Forward f = forward(backend, t);
          Attention a = t.attention();
          std::vector<real> lse = f.lse, dq(t.q.size()), dk = t.dk, dv = t.dv;
          a.lse = lse.data();
          AttentionBackward g;
          g.out = f.out.data(), g.dout = t.dout.data(), g.ldo = g.lddo = t.ldo;
          g.dq = dq.data(), g.dk = dk.data(), g.dv = dv.data();
          g.lddq = t.ldq, g.lddk = t.ldk, g.lddv = t.ldv;
          backend.attention_backward(a, g);
          append(dq, dk);
          append(dq, dv);
          return dq;
        },
        expected, tolerance(1e-5));
  }
}

}  // namespace wam::test
