// Attention backward in the layout of the forward pass: a row for each key, a lane for each query. P is recomputed from
// the log-sum-exp of the forward pass. One task owns all query heads of one key/value head of one group, so dk and dv
// need no atomics and are summed in one order.

namespace wam::cpu::WAM_ISA {

constexpr int kGradientQueries = 96;  // query rows at a time: the depth of the products that make dk and dv
constexpr int kGradientKeys = 64;     // key rows at a time: the depth of the product that makes dq

struct BackwardScratch {
  real *query, *dout;          // q^T and dout^T, scaled, [dim][kGradientQueries]
  real *probability, *dscore;  // [kGradientKeys][kGradientQueries]
  real* dquery;                // [kGradientQueries][width]
  // when a head is no whole vectors: rows with zeros beyond, [kGradientQueries][width] and [kGradientKeys][width]
  real *query_rows, *dout_rows, *key_rows, *dkey_rows;

  BackwardScratch(real* p, int dim, int width) {
    const auto take = [&p](int count) {
      real* const at = p;
      p += count;
      return at;
    };
    query = take(dim * kGradientQueries), dout = take(dim * kGradientQueries);
    probability = take(kGradientKeys * kGradientQueries), dscore = take(kGradientKeys * kGradientQueries);
    dquery = take(kGradientQueries * width);
    query_rows = take(kGradientQueries * width), dout_rows = take(kGradientQueries * width);
    key_rows = take(kGradientKeys * width), dkey_rows = take(kGradientKeys * width);
  }
  static size_t size(int dim, int width) {
    return static_cast<size_t>(2 * dim * kGradientQueries + 2 * kGradientKeys * kGradientQueries +
                               3 * kGradientQueries * width + 2 * kGradientKeys * width);
  }
};

size_t attention_backward_scratch(const Attention& a) {
  return BackwardScratch::size(a.head_dim, round_to_lanes(a.head_dim));
}

inline real dot(const real* x, const real* y, int n) {
  Vec s = zero();
  for (int i = 0; i < n; i += kLanes) {
    const int m = smaller(kLanes, n - i);
    s = m == kLanes ? fma(load(x + i), load(y + i), s) : fma(load_partial(x + i, m), load_partial(y + i, m), s);
  }
  return sum(s);
}

/// What score_gradients knows of a tile of query rows, a lane each.
struct QueryLanes {
  real lse[kGradientQueries];    // in units of log 2
  real delta[kGradientQueries];  // scale * sum of dout out
};

/// Scores and scale * dP of `count` keys become P and dS; lane i sees the first `visible + i` keys.
inline void score_gradients(real* scores, real* dscores, int count, int visible, int queries, const QueryLanes& q) {
  for (int v = 0; v < queries; v += kLanes) {
    const int whole = larger(0, smaller(count, visible + v));  // keys that all lanes see
    const Vec lse = load(q.lse + v), base = round(lse), delta = load(q.delta + v);
    const Vec lane = iota() + splat(static_cast<real>(v));
    const Exp2 power(base);
    const Vec factor = Exp2(zero())(base - lse);
    real *s = scores + v, *ds = dscores + v;
    for (int j = 0; j < whole; ++j, s += kGradientQueries, ds += kGradientQueries) {
      const Vec p = power(load(s)) * factor;
      store(s, p);
      store(ds, p * (load(ds) - delta));
    }
    for (int j = whole; j < count; ++j, s += kGradientQueries, ds += kGradientQueries) {
      const Mask sees = gt(lane, splat(static_cast<real>(j - visible)));
      const Vec p = select(sees, power(load(s)) * factor, zero());
      store(s, p);
      store(ds, select(sees, p * (load(ds) - delta), zero()));
    }
  }
}

/// to[keys] += weights [keys][kGradientQueries] x[queries, width], to: rows begin... of the head's gradient.
inline void add_key_gradient(int keys, int queries, const real* weights, const real* x, ptrdiff_t ldx, int dim,
                             real* to, ptrdiff_t ldt, real* padded) {
  const int width = round_to_lanes(dim);
  if (width == dim) {
    multiply_rows(keys, width, queries, weights, kGradientQueries, x, ldx, to, ldt, true);
    return;
  }
  multiply_rows(keys, width, queries, weights, kGradientQueries, x, ldx, padded, width, false);
  for (int j = 0; j < keys; ++j) {
    for (int d = 0; d < dim; d += kLanes) {
      const int n = smaller(kLanes, dim - d);
      store_partial(to + j * ldt + d, load_partial(to + j * ldt + d, n) + load(padded + j * width + d), n);
    }
  }
}

/// Query rows [q0, q0 + rows) of segment s, one head: writes dq, adds to dk and dv.
inline void attend_backward(const Attention& a, const AttentionBackward& g, const AttentionSegment& s, int head, int q0,
                            int rows, const BackwardScratch& w) {
  const int dim = a.head_dim, width = round_to_lanes(dim), keys = s.a_rows + s.b_rows;
  const int column = head * dim, kv_column = head / (a.heads / a.kv_heads) * dim;
  const ptrdiff_t first = s.q_begin + q0;
  const real *q = a.q + first * a.ldq + column, *dout = g.dout + first * g.lddo + column;
  alignas(64) QueryLanes lanes = {};
  for (int r = 0; r < rows; ++r) {
    lanes.delta[r] = a.scale * dot(dout + r * g.lddo, g.out + (first + r) * g.ldo + column, dim);
    lanes.lse[r] = kLog2e * a.lse[(first + r) * a.heads + head];
  }
  transpose_rows(q, a.ldq, rows, dim, a.scale * kLog2e, w.query, kGradientQueries);
  transpose_rows(dout, g.lddo, rows, dim, a.scale, w.dout, kGradientQueries);
  ptrdiff_t ldq = a.ldq, lddo = g.lddo;
  if (width != dim) {
    copy_padded_rows(q, ldq, rows, dim, w.query_rows);
    copy_padded_rows(dout, lddo, rows, dim, w.dout_rows);
    q = w.query_rows, dout = w.dout_rows, ldq = lddo = width;
  }
  const int seen = s.causal ? smaller(keys, s.a_rows + q0 + rows) : keys;
  const int tiles = (seen + kGradientKeys - 1) / kGradientKeys;
  for (int tile = 0; tile < tiles; ++tile) {
    const int t0 = static_cast<int>(int64_t{seen} * tile / tiles);
    const int count = static_cast<int>(int64_t{seen} * (tile + 1) / tiles) - t0;
    const KeyPieces k(s, t0, count, a.k + kv_column, a.ldk), v(s, t0, count, a.v + kv_column, a.ldv);
    key_products(k, a.ldk, dim, w.query, rows, w.probability, kGradientQueries);
    key_products(v, a.ldv, dim, w.dout, rows, w.dscore, kGradientQueries);
    score_gradients(w.probability, w.dscore, count, s.causal ? s.a_rows + q0 + 1 - t0 : count, rows, lanes);
    KeyPieces key_rows = k;
    ptrdiff_t ldk = a.ldk;
    if (width != dim) ldk = key_rows.pad(a.ldk, dim, w.key_rows);
    multiply_columns(rows, width, w.dscore, kGradientQueries, key_rows.piece, ldk, w.dquery, width, tile > 0);
    int done = 0;
    for (int i = 0; i < 2; ++i) {
      const int count_i = k.piece[i].rows;
      const ptrdiff_t at = ptrdiff_t{done} * kGradientQueries;
      add_key_gradient(count_i, rows, w.probability + at, dout, lddo, dim,
                       g.dv + k.begin[i] * ptrdiff_t{g.lddv} + kv_column, g.lddv, w.dkey_rows);
      add_key_gradient(count_i, rows, w.dscore + at, q, ldq, dim, g.dk + k.begin[i] * ptrdiff_t{g.lddk} + kv_column,
                       g.lddk, w.dkey_rows);
      done += count_i;
    }
  }
  for (int r = 0; r < rows; ++r) {
    real* const to = g.dq + (first + r) * g.lddq + column;
    for (int d = 0; d < dim; d += kLanes)
      store_head(to + d, seen > 0 ? load(w.dquery + r * width + d) : zero(), dim - d);
  }
}

void attention_backward(const Attention& a, const AttentionBackward& g, const AttentionTask& t) {
  const int shared = a.heads / a.kv_heads;
  const BackwardScratch w(t.scratch, a.head_dim, round_to_lanes(a.head_dim));
  for (int i = a.group_offsets[t.group]; i < a.group_offsets[t.group + 1]; ++i) {
    const AttentionSegment& s = a.segments[i];
    const int tiles = (s.q_rows + kGradientQueries - 1) / kGradientQueries;
    for (int h = 0; h < shared; ++h) {
      for (int tile = 0; tile < tiles; ++tile) {
        const int step = round_to_lanes((s.q_rows + tiles - 1) / tiles), q0 = tile * step;
        if (q0 < s.q_rows) attend_backward(a, g, s, t.kv_head * shared + h, q0, smaller(step, s.q_rows - q0), w);
      }
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
