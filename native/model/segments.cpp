#include "model/segments.h"

#include "core/error.h"

namespace wam::model {

void add_segments(MaskKind mask, const Sequence& s, int slots, SegmentChoice choice, Segments& out) {
  if (mask == MaskKind::full && s.blocks > 1) {
    throw Error("ERR_INTERNAL", "a full mask ties a prefix to one block of action rows");
  }
  if (choice.prefix && s.prefix_rows > 0) {
    AttentionSegment seg;
    seg.q_begin = s.prefix_begin, seg.q_rows = s.prefix_rows;
    seg.b_begin = s.prefix_begin, seg.b_rows = s.prefix_rows;
    seg.causal = mask == MaskKind::causal;
    if (mask == MaskKind::full) seg.a_begin = s.action_begin, seg.a_rows = s.blocks * slots;
    out.list.push_back(seg);
  }
  for (int block = 0; choice.actions && block < s.blocks; ++block) {
    AttentionSegment seg;
    seg.q_begin = s.action_begin + block * slots, seg.q_rows = slots;
    seg.a_begin = s.prefix_begin, seg.a_rows = s.prefix_rows;
    seg.b_begin = seg.q_begin, seg.b_rows = slots;
    seg.causal = mask == MaskKind::causal;
    out.list.push_back(seg);
  }
  out.end_group();
}

}  // namespace wam::model
