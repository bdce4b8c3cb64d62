// Attention forward, a tile of kQueryTile query rows at a time, with the scores transposed: a row for each key, a lane
// for each query. So keys and values are read where they are, the softmax runs down the lanes, and only the queries are
// packed. Keys are taken kKeyTile at a time and never stored as N x N; a row's result depends on its own keys alone.
//
// Scores are in units of log 2, and the softmax is taken against an integer near the first score, not against the
// maximum: 2^(s - base) is 2^(s - round(s)) with another exponent, so the base changes no bit of a result as long as
// nothing overflows.

namespace wam::cpu::WAM_ISA {

constexpr int kKeyTile = 128;
constexpr int kQueryTile = 32;
constexpr real kHeadroom = 60;  // scores may lie this far above the base: 2^60 times values and keys is finite
constexpr real kLog2e = static_cast<real>(1.4426950408889634074), kLn2 = static_cast<real>(0.69314718055994530942);

/// Keys [t0, t0 + count) of the list of s, which is range a, then range b. x: the head's first column of row 0.
struct KeyPieces {
  int begin[2];  // row of the first key of a piece
  Piece piece[2];

  KeyPieces(const AttentionSegment& s, int t0, int count, const real* x, ptrdiff_t ld) {
    const int cut = larger(0, smaller(s.a_rows - t0, count));
    begin[0] = s.a_begin + t0, begin[1] = s.b_begin + larger(0, t0 - s.a_rows);
    piece[0] = {x + begin[0] * ld, cut};
    piece[1] = {x + begin[1] * ld, count - cut};
  }
  /// Makes them rows of whole vectors in `to`; returns their distance.
  ptrdiff_t pad(ptrdiff_t ld, int dim, real* to) {
    const int width = round_to_lanes(dim);
    for (Piece& p : piece) {
      copy_padded_rows(p.x, ld, p.rows, dim, to);
      p.x = to, to += p.rows * width;
    }
    return width;
  }
};

/// products[keys][ldp] = keys[keys, dim] columns[dim][ldp], for `queries` columns.
inline void key_products(const KeyPieces& keys, ptrdiff_t ld, int dim, const real* columns, int queries, real* products,
                         ptrdiff_t ldp) {
  for (const Piece& piece : keys.piece) {
    multiply_rows(piece.rows, round_to_lanes(queries), dim, piece.x, ld, columns, ldp, products, ldp, false);
    products += piece.rows * ldp;
  }
}

/// What a tile of query rows has seen so far.
struct SoftmaxState {
  real base[kQueryTile], total[kQueryTile];  // total = sum of 2^(score - base)
  real top[kQueryTile], next[kQueryTile];    // of the last key tile: the largest score (at least base), the new total
};

/// Scores of `count` keys become weights 2^(score - base); lane i sees the first `visible + i` keys. Returns false when
/// a score lies above the headroom of its lane; then the weights are no use.
inline bool weigh_keys(real* scores, int count, int visible, int queries, SoftmaxState* state) {
  bool fits = true;
  for (int v = 0; v < queries; v += kLanes) {
    const int whole = larger(0, smaller(count, visible + v));  // keys that all lanes see
    const Vec base = load(state->base + v), lane = iota() + splat(static_cast<real>(v));
    const Exp2 power(base);
    Vec top = base, total = load(state->total + v);
    real* s = scores + v;
    for (int j = 0; j < whole; ++j, s += kQueryTile) {
      const Vec x = load(s), p = power(x);
      top = max(top, x), total = total + p;
      store(s, p);
    }
    for (int j = whole; j < count; ++j, s += kQueryTile) {
      const Mask sees = gt(lane, splat(static_cast<real>(j - visible)));
      const Vec x = load(s), p = select(sees, power(x), zero());
      top = select(sees, max(top, x), top), total = total + p;
      store(s, p);
    }
    store(state->top + v, top);
    store(state->next + v, total);
    fits = fits && bits(gt(top, base + splat(kHeadroom))) == 0;
  }
  return fits;
}

/// Raises the base of every lane whose scores need it to their largest, and what was summed against it so far.
inline void raise_bases(int queries, int width, SoftmaxState* state, real* sums) {
  real factor[kQueryTile];
  for (int v = 0; v < queries; v += kLanes) {
    const Vec base = load(state->base + v), top = load(state->top + v);
    const Vec raised = select(gt(top, base + splat(kHeadroom)), round(top), base);
    const Vec change = Exp2(raised)(base);
    store(state->base + v, raised);
    store(state->total + v, load(state->total + v) * change);
    store(factor + v, change);
  }
  for (int i = 0; i < queries; ++i)
    for (int d = 0; d < width; d += kLanes) store(sums + i * width + d, load(sums + i * width + d) * splat(factor[i]));
}

size_t attention_scratch(const Attention& a) {
  const size_t dim = static_cast<size_t>(a.head_dim), width = static_cast<size_t>(round_to_lanes(a.head_dim));
  return kQueryTile * (dim + kKeyTile + width) + (width == dim ? 0 : kKeyTile * width);
}

/// Query rows [q0, q0 + rows) of segment s, rows <= kQueryTile; columns of one head.
inline void attend(const Attention& a, const AttentionSegment& s, int head, int q0, int rows, real* scratch) {
  const int dim = a.head_dim, width = round_to_lanes(dim), keys = s.a_rows + s.b_rows;
  const int kv_column = head / (a.heads / a.kv_heads) * dim;
  const ptrdiff_t first = s.q_begin + q0;
  real* const columns = scratch;                      // [dim][kQueryTile]
  real* const scores = columns + kQueryTile * dim;    // [kKeyTile][kQueryTile]
  real* const sums = scores + kKeyTile * kQueryTile;  // [kQueryTile][width]
  real* const padded = sums + kQueryTile * width;     // [kKeyTile][width]: values, when a head is no whole vectors
  alignas(64) SoftmaxState state;
  transpose_rows(a.q + first * a.ldq + head * dim, a.ldq, rows, dim, a.scale * kLog2e, columns, kQueryTile);
  const int seen = s.causal ? smaller(keys, s.a_rows + q0 + rows) : keys;
  for (int t0 = 0; t0 < seen; t0 += kKeyTile) {
    const int count = smaller(kKeyTile, seen - t0);
    const int visible = s.causal ? s.a_rows + q0 + 1 - t0 : count;
    const KeyPieces k(s, t0, count, a.k + kv_column, a.ldk);
    key_products(k, a.ldk, dim, columns, rows, scores, kQueryTile);
    if (t0 == 0) {
      for (int v = 0; v < rows; v += kLanes) {
        store(state.base + v, round(load(scores + v)));
        store(state.total + v, zero());
      }
    }
    if (!weigh_keys(scores, count, visible, rows, &state)) {
      raise_bases(rows, t0 > 0 ? width : 0, &state, sums);
      key_products(k, a.ldk, dim, columns, rows, scores, kQueryTile);
      weigh_keys(scores, count, visible, rows, &state);
    }
    memcpy(state.total, state.next, sizeof state.total);
    KeyPieces v(s, t0, count, a.v + kv_column, a.ldv);
    ptrdiff_t ldv = a.ldv;
    if (width != dim) ldv = v.pad(a.ldv, dim, padded);
    multiply_columns(rows, width, scores, kQueryTile, v.piece, ldv, sums, width, t0 > 0);
  }
  for (int r = 0; r < rows; ++r) {
    real* const out = a.out + (first + r) * a.ldo + head * dim;
    const Vec scale = splat(seen > 0 ? 1 / state.total[r] : 0);
    for (int d = 0; d < dim; d += kLanes)
      store_head(out + d, seen > 0 ? load(sums + r * width + d) * scale : zero(), dim - d);
    if (a.lse != nullptr)
      a.lse[(first + r) * a.heads + head] =
          seen > 0 ? state.base[r] * kLn2 + scalar_log(state.total[r]) : static_cast<real>(-__builtin_inf());
  }
}

inline int query_tiles(int rows) { return (rows + kQueryTile - 1) / kQueryTile; }

void attention(const Attention& a, const AttentionTask& t) {
  const int shared = a.heads / a.kv_heads;
  const int begin = a.group_offsets[t.group], end = a.group_offsets[t.group + 1];
  int64_t items = 0;  // (segment, head, tile) in this order; this part does [low, high)
  for (int s = begin; s < end; ++s) items += ptrdiff_t{shared} * query_tiles(a.segments[s].q_rows);
  const int64_t low = items * t.part / t.parts, high = items * (t.part + 1) / t.parts;
  int64_t item = 0;
  for (int i = begin; i < end; ++i) {
    const AttentionSegment& s = a.segments[i];
    const int tiles = query_tiles(s.q_rows);
    for (int h = 0; h < shared; ++h) {
      for (int tile = 0; tile < tiles; ++tile, ++item) {
        if (item < low || item >= high) continue;
        const int q0 = tile * kQueryTile;
        attend(a, s, t.kv_head * shared + h, q0, smaller(kQueryTile, s.q_rows - q0), t.scratch);
      }
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
