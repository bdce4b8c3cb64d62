// Attention backward: P is recomputed from the log-sum-exp of the forward pass. One task owns all query heads of one
// key/value head of one group, so dk and dv need no atomics and are summed in one order.

namespace wam::cpu::WAM_ISA {

constexpr int kQueryTile = 48;  // query rows at a time: the depth of the products that make dk and dv

struct BackwardScratch {
  real *key_panels, *value_panels;  // K^T, V^T: [keys/kPanel][dim][kPanel]
  real* key_rows;                   // [keys][width]
  real *dkey, *dvalue;              // sums of one segment, [keys][width]
  real *query, *dout, *dquery;      // [kQueryTile][width]
  real *probability, *dscore;       // [kQueryTile][kKeyTile]

  BackwardScratch(real* p, ptrdiff_t keys, int dim, int width) {
    const auto take = [&p](ptrdiff_t count) {
      real* const at = p;
      p += count;
      return at;
    };
    key_panels = take(keys * dim), value_panels = take(keys * dim);
    key_rows = take(keys * width), dkey = take(keys * width), dvalue = take(keys * width);
    query = take(kQueryTile * width), dout = take(kQueryTile * width), dquery = take(kQueryTile * width);
    probability = take(kQueryTile * kKeyTile), dscore = take(kQueryTile * kKeyTile);
  }
  static size_t size(size_t keys, size_t dim, size_t width) {
    return keys * (2 * dim + 3 * width) + 3 * kQueryTile * width + 2 * kQueryTile * kKeyTile;
  }
};

size_t attention_backward_scratch(const Attention& a) {
  return BackwardScratch::size(static_cast<size_t>(round_to_panel(longest_key_list(a))),
                               static_cast<size_t>(a.head_dim), static_cast<size_t>(round_to_panel(a.head_dim)));
}

inline real dot(const real* x, const real* y, int n) {
  Vec s = zero();
  for (int i = 0; i < n; i += kLanes) {
    const int m = smaller(kLanes, n - i);
    s = m == kLanes ? fma(load(x + i), load(y + i), s) : fma(load_partial(x + i, m), load_partial(y + i, m), s);
  }
  return sum(s);
}

/// sums[count][width] += weights^T [count, rows] x[rows, width], weights [rows][kKeyTile].
inline void add_transposed_product(int rows, int count, const real* weights, const real* x, int width, real* sums) {
  const Strips strips(count);
  for (int d = 0; d < width; d += kPanel) {
    for (int s = 0; s < strips.count; ++s) {
      const int j = strips.begin(s);
      kTiles.strip_major[strips.begin(s + 1) - j](rows, weights + j, kKeyTile, x + d, width,
                                                  sums + ptrdiff_t{j} * width + d, width, true);
    }
  }
}

/// Scores and dP become P and dS for one query row; zeros beyond `visible` up to whole panels.
inline void score_gradient(real* score, real* dscore, int visible, int count, real scale, real lse, real delta) {
  int j = 0;
  for (; j < visible; j += kLanes) {
    Vec p = exp(fma(load(score + j), splat(scale), splat(-lse)));
    Vec ds = p * (load(dscore + j) - splat(delta)) * splat(scale);
    if (j + kLanes > visible) {
      p = select(first_lanes(visible - j), p, zero());
      ds = select(first_lanes(visible - j), ds, zero());
    }
    store(score + j, p);
    store(dscore + j, ds);
  }
  for (; j < count; j += kLanes) {
    store(score + j, zero());
    store(dscore + j, zero());
  }
}

/// Query rows [q0, q0 + rows) of segment s, one head: writes dq, adds to the segment's dkey and dvalue.
inline void attend_backward(const Attention& a, const AttentionBackward& g, const AttentionSegment& s, int head, int q0,
                            int rows, const BackwardScratch& w) {
  const int dim = a.head_dim, width = round_to_panel(dim), keys = s.a_rows + s.b_rows;
  const int column = head * dim;
  const ptrdiff_t first = s.q_begin + q0;
  real delta[kQueryTile], lse[kQueryTile];
  for (int r = 0; r < rows; ++r) {
    const real* dout = g.dout + (first + r) * g.lddo + column;
    copy_padded(a.q + (first + r) * a.ldq + column, dim, w.query + r * width, width);
    copy_padded(dout, dim, w.dout + r * width, width);
    delta[r] = dot(dout, g.out + (first + r) * g.ldo + column, dim);
    lse[r] = a.lse[(first + r) * a.heads + head];
  }
  const Strips strips(rows);
  const int seen = s.causal ? smaller(keys, s.a_rows + q0 + rows) : keys;
  for (int t0 = 0; t0 < seen; t0 += kKeyTile) {
    const int count = smaller(kKeyTile, seen - t0);
    for (int strip = 0; strip < strips.count; ++strip) {
      const int r0 = strips.begin(strip), n = strips.begin(strip + 1) - r0;
      real* const score = w.probability + r0 * kKeyTile;
      real* const dscore = w.dscore + r0 * kKeyTile;
      key_products(n, w.query + r0 * width, width, dim, w.key_panels, t0, count, score);
      key_products(n, w.dout + r0 * width, width, dim, w.value_panels, t0, count, dscore);
      for (int r = 0; r < n; ++r) {
        const int visible = s.causal ? larger(0, smaller(count, s.a_rows + q0 + r0 + r + 1 - t0)) : count;
        score_gradient(score + r * kKeyTile, dscore + r * kKeyTile, visible, count, a.scale, lse[r0 + r],
                       delta[r0 + r]);
      }
      for (int d = 0; d < width; d += kPanel)
        kTiles.row_major[n](count, dscore, kKeyTile, w.key_rows + ptrdiff_t{t0} * width + d, width,
                            w.dquery + r0 * width + d, width, t0 > 0);
    }
    add_transposed_product(rows, count, w.probability, w.dout, width, w.dvalue + ptrdiff_t{t0} * width);
    add_transposed_product(rows, count, w.dscore, w.query, width, w.dkey + ptrdiff_t{t0} * width);
  }
  for (int r = 0; r < rows; ++r) {
    real* to = g.dq + (first + r) * g.lddq + column;
    for (int d = 0; d < dim; d += kLanes)
      store_partial(to + d, seen > 0 ? load(w.dquery + r * width + d) : zero(), smaller(kLanes, dim - d));
  }
}

inline void add_key_rows(const KeyList& keys, const real* sums, int dim, int width, real* to, int ld) {
  for (int j = 0; j < keys.size(); ++j) {
    real* row = to + static_cast<ptrdiff_t>(keys.row(j)) * ld;
    for (int d = 0; d < dim; d += kLanes) {
      const int n = smaller(kLanes, dim - d);
      store_partial(row + d, load_partial(row + d, n) + load(sums + ptrdiff_t{j} * width + d), n);
    }
  }
}

void attention_backward(const Attention& a, const AttentionBackward& g, const AttentionTask& t) {
  const int shared = a.heads / a.kv_heads, dim = a.head_dim, width = round_to_panel(dim);
  const BackwardScratch w(t.scratch, round_to_panel(longest_key_list(a)), dim, width);
  const int column = t.kv_head * dim;
  KeyList keys;
  for (int i = a.group_offsets[t.group]; i < a.group_offsets[t.group + 1]; ++i) {
    const AttentionSegment& s = a.segments[i];
    const int same = keys.assign(s);
    pack_key_panels(keys, same, a.k + column, a.ldk, dim, w.key_panels);
    pack_key_panels(keys, same, a.v + column, a.ldv, dim, w.value_panels);
    pack_key_rows(keys, same, a.k + column, a.ldk, dim, w.key_rows);
    const ptrdiff_t sums = ptrdiff_t{keys.size()} * width;
    memset(w.dkey, 0, sizeof(real) * static_cast<size_t>(sums));
    memset(w.dvalue, 0, sizeof(real) * static_cast<size_t>(sums));
    const int tiles = (s.q_rows + kQueryTile - 1) / kQueryTile;
    for (int h = 0; h < shared; ++h) {
      for (int tile = 0; tile < tiles; ++tile) {
        const int q0 = static_cast<int>(int64_t{s.q_rows} * tile / tiles);
        const int q1 = static_cast<int>(int64_t{s.q_rows} * (tile + 1) / tiles);
        attend_backward(a, g, s, t.kv_head * shared + h, q0, q1 - q0, w);
      }
    }
    add_key_rows(keys, w.dkey, dim, width, g.dk + column, g.lddk);
    add_key_rows(keys, w.dvalue, dim, width, g.dv + column, g.lddv);
  }
}

}  // namespace wam::cpu::WAM_ISA
