// Attention forward. The keys of a segment form a list: range a, then range b. They are packed as K^T panels
// [keys/kPanel][head_dim][kPanel] and V rows [keys][value_ld], so that both products run on the GEMM tiles. Keys are
// taken kKeyTile at a time with an online softmax; a row's result depends on its own keys alone.

namespace wam::cpu::WAM_ISA {

constexpr int kKeyTile = 128;
static_assert(kKeyTile % kPanel == 0);

inline int round_to_panel(int n) { return (n + kPanel - 1) / kPanel * kPanel; }

/// The key list of one segment and what is packed of it.
struct KeyList {
  int a_begin = 0, a_rows = 0, b_begin = 0, b_rows = 0;

  int size() const { return a_rows + b_rows; }
  int row(int j) const { return j < a_rows ? a_begin + j : b_begin + j - a_rows; }
  /// Takes the ranges of s; returns how many leading keys of the list stayed the same.
  int assign(const AttentionSegment& s) {
    const bool same = s.a_begin == a_begin && s.a_rows == a_rows;
    a_begin = s.a_begin, a_rows = s.a_rows, b_begin = s.b_begin, b_rows = s.b_rows;
    return same ? a_rows : 0;
  }
};

/// K^T panels (or V^T) of the keys from the panel of key `from` on. x: head's first column of row 0.
inline void pack_key_panels(const KeyList& keys, int from, const real* x, int ld, int dim, real* panels) {
  for (int j = from / kPanel * kPanel; j < keys.size(); j += kPanel) {
    const int columns = smaller(kPanel, keys.size() - j);
    const auto row = [&](int c) { return x + static_cast<ptrdiff_t>(keys.row(j + c)) * ld; };
    for (int v = 0; v < kPanel; v += kLanes) pack_rows_as_columns(row, v, dim, columns, panels + ptrdiff_t{j} * dim);
  }
}

/// to[kWidth], a multiple of 16 values: from[0, n), then zeros.
inline void copy_padded(const real* from, int n, real* to, int width) {
  for (int d = 0; d < width; d += kLanes)
    store(to + d, n - d >= kLanes ? load(from + d) : n > d ? load_partial(from + d, n - d) : zero());
}
inline void pack_key_rows(const KeyList& keys, int from, const real* x, int ld, int dim, real* rows) {
  const int width = round_to_panel(dim);
  for (int j = from; j < keys.size(); ++j)
    copy_padded(x + static_cast<ptrdiff_t>(keys.row(j)) * ld, dim, rows + ptrdiff_t{j} * width, width);
}

/// scores[rows][kKeyTile] = x[rows, dim] panels^T for keys [t0, t0 + count) of the list.
inline void key_products(int rows, const real* x, ptrdiff_t ldx, int dim, const real* panels, int t0, int count,
                         real* scores) {
  for (int j = 0; j < count; j += kPanel)
    kTiles.row_major[rows](dim, x, ldx, panels + ptrdiff_t{t0 + j} * dim, kPanel, scores + j, kKeyTile, false);
}

inline int longest_key_list(const Attention& a) {
  int longest = 0;
  for (int s = a.group_offsets[0]; s < a.group_offsets[a.groups]; ++s)
    longest = larger(longest, a.segments[s].a_rows + a.segments[s].b_rows);
  return longest;
}

size_t attention_scratch(const Attention& a) {
  const size_t keys = static_cast<size_t>(round_to_panel(longest_key_list(a)));
  const size_t width = static_cast<size_t>(round_to_panel(a.head_dim));
  return keys * a.head_dim + keys * width + kStrip * (kKeyTile + width);
}

/// Turns the first `visible` of `count` scores into exp(scale * score - maximum), the rest into zeros up to a whole
/// panel, and updates the running maximum and sum. Returns the factor for what was summed before.
inline real softmax_tile(real* score, int visible, int count, real scale, real* maximum, real* total) {
  Vec top = splat(*maximum);
  int j = 0;
  for (; j + kLanes <= visible; j += kLanes) top = max(top, load(score + j) * splat(scale));
  if (j < visible) top = max(top, select(first_lanes(visible - j), load(score + j) * splat(scale), top));
  const real peak = max_lane(top);
  Vec sums = zero();
  for (j = 0; j < visible; j += kLanes) {
    Vec p = exp(fma(load(score + j), splat(scale), splat(-peak)));
    if (j + kLanes > visible) p = select(first_lanes(visible - j), p, zero());
    sums = sums + p;
    store(score + j, p);
  }
  for (; j < count; j += kLanes) store(score + j, zero());
  const real before = scalar_exp(*maximum - peak);
  *total = *total * before + sum(sums);
  *maximum = peak;
  return before;
}

/// Query rows [q0, q0 + rows) of segment s, absolute row of the first: s.q_begin + q0; columns of one head.
inline void attend(const Attention& a, const AttentionSegment& s, int head, int q0, int rows, const real* key_panels,
                   const real* value_rows, real* scratch) {
  const int dim = a.head_dim, width = round_to_panel(dim), keys = s.a_rows + s.b_rows;
  const int first = s.q_begin + q0;
  real* const scores = scratch;
  real* const sums = scratch + kStrip * kKeyTile;  // [rows][width]
  real maximum[kStrip], total[kStrip];
  for (int r = 0; r < rows; ++r) maximum[r] = static_cast<real>(-__builtin_inf()), total[r] = 0;
  const int seen = s.causal ? smaller(keys, s.a_rows + q0 + rows) : keys;
  const real* q = a.q + static_cast<ptrdiff_t>(first) * a.ldq + head * dim;
  for (int t0 = 0; t0 < seen; t0 += kKeyTile) {
    const int count = smaller(kKeyTile, seen - t0);
    key_products(rows, q, a.ldq, dim, key_panels, t0, count, scores);
    for (int r = 0; r < rows; ++r) {
      const int visible = s.causal ? smaller(count, s.a_rows + q0 + r + 1 - t0) : count;
      real* score = scores + r * kKeyTile;
      if (visible <= 0) {
        for (int j = 0; j < count; j += kLanes) store(score + j, zero());
        continue;
      }
      const real before = softmax_tile(score, visible, count, a.scale, maximum + r, total + r);
      if (t0 > 0 && before != 1)
        for (int d = 0; d < width; d += kLanes) store(sums + r * width + d, load(sums + r * width + d) * splat(before));
    }
    for (int d = 0; d < width; d += kPanel)
      kTiles.row_major[rows](count, scores, kKeyTile, value_rows + ptrdiff_t{t0} * width + d, width, sums + d, width,
                             t0 > 0);
  }
  for (int r = 0; r < rows; ++r) {
    real* out = a.out + static_cast<ptrdiff_t>(first + r) * a.ldo + head * dim;
    const Vec scale = splat(total[r] > 0 ? 1 / total[r] : total[r]);
    for (int d = 0; d < dim; d += kLanes)
      store_partial(out + d, seen > 0 ? load(sums + r * width + d) * scale : zero(), smaller(kLanes, dim - d));
    if (a.lse != nullptr) a.lse[static_cast<ptrdiff_t>(first + r) * a.heads + head] = maximum[r] + scalar_log(total[r]);
  }
}

void attention(const Attention& a, const AttentionTask& t) {
  const int shared = a.heads / a.kv_heads, dim = a.head_dim, width = round_to_panel(dim);
  const int begin = a.group_offsets[t.group], end = a.group_offsets[t.group + 1];
  const ptrdiff_t longest = round_to_panel(longest_key_list(a));
  real* const key_panels = t.scratch;
  real* const value_rows = key_panels + longest * dim;
  real* const tile_scratch = value_rows + longest * width;

  int64_t items = 0;  // (segment, head, strip) in this order; this part does [low, high)
  for (int s = begin; s < end; ++s) items += ptrdiff_t{shared} * Strips(a.segments[s].q_rows).count;
  const int64_t low = items * t.part / t.parts, high = items * (t.part + 1) / t.parts;
  int64_t item = 0;
  KeyList keys;
  for (int i = begin; i < end; ++i) {
    const AttentionSegment& s = a.segments[i];
    const Strips strips(s.q_rows);
    const int64_t next = item + ptrdiff_t{shared} * strips.count;
    if (next <= low || item >= high) {
      item = next;
      continue;
    }
    const int same = keys.assign(s);
    pack_key_panels(keys, same, a.k + t.kv_head * dim, a.ldk, dim, key_panels);
    pack_key_rows(keys, same, a.v + t.kv_head * dim, a.ldv, dim, value_rows);
    for (int h = 0; h < shared; ++h) {
      for (int strip = 0; strip < strips.count; ++strip, ++item) {
        if (item < low || item >= high) continue;
        const int q0 = strips.begin(strip);
        attend(a, s, t.kv_head * shared + h, q0, strips.begin(strip + 1) - q0, key_panels, value_rows, tile_scratch);
      }
    }
  }
}

}  // namespace wam::cpu::WAM_ISA
