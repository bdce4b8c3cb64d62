// Matrix product: one task, a rectangle of C. Every element is summed as: for each block of kGemmBlock values of k, one
// chain of multiply-adds from zero; then the block sums in order. That is the same for every tile shape, blocking, layout
// and instruction set.

namespace wam::cpu::WAM_ISA {

inline Vec apply_activation(Activation kind, Vec x) {
  return kind == Activation::gelu_erf ? gelu_erf(x) : kind == Activation::gelu_tanh ? gelu_tanh(x) : x;
}

/// c = activation(sum + bias) + residual for one tile whose sums lie in `sum` [rows][kPanel].
inline void finish_tile(const Gemm& g, const real* sum, int i, int rows, int j, int columns) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < columns; v += kLanes) {
      const int n = smaller(kLanes, columns - v);
      const bool whole = n == kLanes;
      Vec x = load(sum + r * kPanel + v);
      if (g.bias != nullptr) x = x + (whole ? load(g.bias + j + v) : load_partial(g.bias + j + v, n));
      x = apply_activation(g.activation, x);
      if (g.residual != nullptr) {
        const real* from = g.residual + static_cast<ptrdiff_t>(i + r) * g.ldr + j + v;
        x = x + (whole ? load(from) : load_partial(from, n));
      }
      real* to = g.c + static_cast<ptrdiff_t>(i + r) * g.ldc + j + v;
      if (whole) {
        store(to, x);
      } else {
        store_partial(to, x, n);
      }
    }
  }
}

/// c = silu(gate) * up + residual of a tile of gates and one of values, both [rows][kPanel].
inline void finish_gated_tile(const Gemm& g, const real* gate, const real* up, int i, int rows, int j) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kPanel; v += kLanes) {
      const Vec x = load(gate + r * kPanel + v);
      Vec y = x * sigmoid(x) * load(up + r * kPanel + v);
      if (g.residual != nullptr) y = y + load(g.residual + static_cast<ptrdiff_t>(i + r) * g.ldr + j + v);
      store(g.c + static_cast<ptrdiff_t>(i + r) * g.ldc + j + v, y);
    }
  }
}

inline void copy_tile(const real* from, ptrdiff_t ld_from, int rows, int columns, real* to, ptrdiff_t ld_to) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < columns; v += kLanes) {
      const int n = smaller(kLanes, columns - v);
      store_partial(to + r * ld_to + v, load_partial(from + r * ld_from + v, n), n);
    }
  }
}

/// One panel of b for some values of k, and what the task reads after it (null: nothing worth fetching).
struct PanelOperand {
  const real* b = nullptr;
  const uint16_t* bf16 = nullptr;  // or this
  const real* next = nullptr;
};

/// Values [k0, k0 + depth) of panel `panel`; packs it into t.b_scratch unless it was packed before.
inline PanelOperand panel_operand(const Gemm& g, const GemmTask& t, int panel, int k0, int depth) {
  const int j = panel * kPanel, columns = smaller(kPanel, (g.gated ? 2 * g.n : g.n) - j);
  PanelOperand out;
  if (t.panels != nullptr) {
    const ptrdiff_t size = ptrdiff_t{g.k} * kPanel;
    out.b = t.panels + panel * size + ptrdiff_t{k0} * kPanel;
    // The next panel to be read is mostly the one behind this; of weights so is the first panel of the next product.
    if (panel + 1 < t.panel_end || t.reads_on) out.next = out.b + size;
  } else if (t.bf16_panels != nullptr) {
    const ptrdiff_t size = ptrdiff_t{g.k} * kPanel;
    out.bf16 = t.bf16_panels + panel * size + ptrdiff_t{k0} * kPanel;
    if (panel + 1 < t.panel_end || t.reads_on) out.next = reinterpret_cast<const real*>(out.bf16 + size);
  } else {
    const ptrdiff_t row = g.b_transposed ? j : k0, column = g.b_transposed ? k0 : j;
    pack_panel(g.b + row * g.ldb + column, g.ldb, g.b_transposed, depth, columns, t.b_scratch);
    out.b = t.b_scratch;
  }
  return out;
}

/// Rows of a for some values of k: as they stand, or strips packed one after the other.
struct StripOperand {
  const real* a = nullptr;
  ptrdiff_t lda = 0, strip_size = 0;
  bool packed = false;

  /// Strip s, whose first row is `row` rows below the first, from value k on.
  const real* at(int s, int row, int k) const {
    return packed ? a + s * strip_size + ptrdiff_t{k} * kStrip : a + row * lda + k;
  }
};

/// Rows from `row_begin` on, cut into `strips`, values [k0, k0 + depth) of k; packs into t.a_scratch if the task says so.
inline StripOperand strip_operand(const Gemm& g, const GemmTask& t, int row_begin, const Strips& strips, int k0,
                                  int depth) {
  StripOperand out;
  if (!t.pack_a) {
    out.a = g.a + static_cast<ptrdiff_t>(row_begin) * g.lda + k0;
    out.lda = g.lda;
    return out;
  }
  out.packed = true, out.a = t.a_scratch, out.lda = kStrip, out.strip_size = ptrdiff_t{kStrip} * depth;
  for (int s = 0; s < strips.count; ++s) {
    const ptrdiff_t i = row_begin + strips.begin(s);
    const int rows = strips.begin(s + 1) - strips.begin(s);
    real* strip = t.a_scratch + s * out.strip_size;
    if (g.a_transposed) {
      pack_transposed_strip(g.a + k0 * ptrdiff_t{g.lda} + i, g.lda, depth, rows, strip);
    } else {
      pack_strip(g.a + i * g.lda + k0, g.lda, depth, rows, strip);
    }
  }
  return out;
}

/// One strip times one panel over `depth` values of k, on top of `out.before`; `sum` holds what blocks give before the last.
/// Sets the rest of `out`, field by field: a copy would read as a whole what was just stored in parts, and wait for it.
template <class Weight>
WAM_INLINE void strip_times_weights(const OutputTiles<Weight>& tiles, const StripOperand& a, int s, int row, int rows,
                                    const Weight* b, const real* following, int depth, TileOutput& out, real* sum) {
  const OutputTile<Weight> kernel = (a.packed ? tiles.strip_major : tiles.row_major)[rows];
  // What a row of a panel is in values of `real`, and the strips that it takes to fetch one at a cache line a step.
  constexpr ptrdiff_t kRow = kPanel * sizeof(Weight) / sizeof(real);
  constexpr int kFetchStrips = kRow > kLineReals ? kRow / kLineReals : 1;
  const bool fetch = following != nullptr && s < kFetchStrips;
  const real* const readable = reinterpret_cast<const real*>(b);
  const ptrdiff_t fetched = fetch ? (kRow < kLineReals ? kRow : kLineReals) : 0;
  int k = 0;
  if (depth > kGemmBlock) {
    TileOutput middle;
    middle.c = sum, middle.ldc = kPanel;
    middle.before = out.before, middle.ld_before = out.ld_before;
    middle.next_step = fetched;
    for (; depth - k > kGemmBlock; k += kGemmBlock) {
      middle.next = fetch ? following + k * kRow + s * kGemmBlock * kLineReals : readable;
      kernel(kGemmBlock, a.at(s, row, k), a.lda, b + ptrdiff_t{k} * kPanel, middle);
      middle.before = sum, middle.ld_before = kPanel;
    }
    out.before = sum, out.ld_before = kPanel;
  }
  out.next = fetch ? following + k * kRow + s * (depth - k) * kLineReals : readable;
  out.next_step = fetched;
  kernel(depth - k, a.at(s, row, k), a.lda, b + ptrdiff_t{k} * kPanel, out);
}
inline void strip_times_panel(const StripOperand& a, int s, int row, int rows, const PanelOperand& b, int depth,
                              TileOutput& out, real* sum) {
  if (b.bf16 != nullptr) {
    strip_times_weights(kTiles.bf16_output, a, s, row, rows, b.bf16, b.next, depth, out, sum);
  } else {
    strip_times_weights(kTiles.output, a, s, row, rows, b.b, b.next, depth, out, sum);
  }
}

/// Rows [row, row + strips.rows) x the panels of the task for values [k0, k0 + depth) of k: what the caches hold at a time.
inline void gemm_block(const Gemm& g, const GemmTask& t, int row, const Strips& strips, int k0, int depth) {
  alignas(64) real sum[kStrip * kPanel], old[kStrip * kPanel];
  const bool complete = k0 + depth >= g.k;  // else c keeps sums until their next values of k
  const bool continued = k0 > 0 || g.accumulate;
  const StripOperand a = strip_operand(g, t, row, strips, k0, depth);
  for (int panel = t.panel_begin; panel < t.panel_end; ++panel) {
    const int j = panel * kPanel, columns = smaller(kPanel, g.n - j);
    if (g.gated) {
      const PanelOperand gate = panel_operand(g, t, panel, k0, depth);
      for (int s = 0; s < strips.count; ++s) {
        TileOutput out;
        out.c = t.gate_scratch + ptrdiff_t{strips.begin(s)} * kPanel, out.ldc = kPanel;
        strip_times_panel(a, s, strips.begin(s), strips.begin(s + 1) - strips.begin(s), gate, depth, out, sum);
      }
    }
    const PanelOperand b = panel_operand(g, t, g.gated ? g.n / kPanel + panel : panel, k0, depth);
    const bool whole = columns == kPanel;
    const bool direct = whole && !g.gated && (!complete || g.activation == Activation::none);
    for (int s = 0; s < strips.count; ++s) {
      const int rows = strips.begin(s + 1) - strips.begin(s), i = row + strips.begin(s);
      real* const c = g.c + static_cast<ptrdiff_t>(i) * g.ldc + j;
      TileOutput out;
      out.c = direct ? c : sum, out.ldc = direct ? g.ldc : kPanel;
      if (continued) {
        out.before = whole ? c : old, out.ld_before = whole ? g.ldc : kPanel;
        if (!whole) copy_tile(c, g.ldc, rows, columns, old, kPanel);
      }
      if (direct && complete) {
        if (g.bias != nullptr) out.bias = g.bias + j;
        if (g.residual != nullptr) {
          out.residual = g.residual + static_cast<ptrdiff_t>(i) * g.ldr + j, out.ld_residual = g.ldr;
        }
      }
      strip_times_panel(a, s, strips.begin(s), rows, b, depth, out, sum);
      if (direct) continue;
      if (g.gated) {
        finish_gated_tile(g, t.gate_scratch + ptrdiff_t{strips.begin(s)} * kPanel, sum, i, rows, j);
      } else if (complete) {
        finish_tile(g, sum, i, rows, j, columns);
      } else {
        copy_tile(sum, kPanel, rows, columns, c, g.ldc);
      }
    }
  }
}

/// Rotates the heads of c in the columns of the task, while they are near.
inline void rotate_heads(const Gemm& g, const GemmTask& t, int row, int rows) {
  const HeadRotation& r = *g.rotation;
  const int first = t.panel_begin * kPanel / r.head_dim;
  const int heads = smaller(r.heads, t.panel_end * kPanel / r.head_dim) - first;
  if (heads <= 0) return;
  rope(rows, heads, r.head_dim, r.position + row, t.cos, t.sin, false,
       g.c + static_cast<ptrdiff_t>(row) * g.ldc + first * r.head_dim, g.ldc);
}

/// Rows [t.row_begin, t.row_end) x panels [t.panel_begin, t.panel_end) of g.
void gemm_task(const Gemm& g, const GemmTask& t) {
  const int rows = t.row_end - t.row_begin, blocks = (rows + t.block_rows - 1) / t.block_rows;
  for (int block = 0; block < blocks; ++block) {
    const int begin = static_cast<int>(static_cast<int64_t>(rows) * block / blocks);
    const int end = static_cast<int>(static_cast<int64_t>(rows) * (block + 1) / blocks);
    const Strips strips(end - begin);
    for (int k0 = 0; k0 == 0 || k0 < g.k; k0 += t.depth)
      gemm_block(g, t, t.row_begin + begin, strips, k0, smaller(t.depth, g.k - k0));
    if (t.cos != nullptr) rotate_heads(g, t, t.row_begin + begin, end - begin);
  }
}

}  // namespace wam::cpu::WAM_ISA
