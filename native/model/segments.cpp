#include "model/segments.h"

#include <algorithm>

#include "core/error.h"

namespace wam::model {

void Segments::reserve(StagedBlock& block, int sequences, int blocks) {
  const auto n = static_cast<std::size_t>(sequences);
  segments_.reserve(block, n * static_cast<std::size_t>(1 + blocks));
  group_offsets_.reserve(block, n + 1);
  key_ranges_.reserve(block, 2 * n);
}

void Segments::clear() {
  groups_ = segment_count_ = key_range_count_ = 0;
  max_queries_ = max_keys_ = max_range_rows_ = prefix_queries_ = prefix_keys_ = 0;
  group_offsets_[0] = 0;
}

void Segments::add(MaskKind mask, const Sequence& s, int slots, SegmentChoice choice) {
  if (mask == MaskKind::full && s.blocks > 1) {
    throw Error("ERR_INTERNAL", "a full mask ties a prefix to one block of action rows");
  }
  const int actions = s.blocks * slots;
  const int skipped = choice.first_prefix;
  if (choice.prefix && s.prefix_rows > skipped) {
    AttentionSegment seg;
    seg.q_begin = s.prefix_begin + skipped, seg.q_rows = s.prefix_rows - skipped;
    seg.b_begin = s.prefix_begin, seg.b_rows = s.prefix_rows;
    seg.causal = mask == MaskKind::causal;
    if (seg.causal) {
      seg.a_begin = s.prefix_begin, seg.a_rows = skipped;
      seg.b_begin += skipped, seg.b_rows -= skipped;
    }
    if (mask == MaskKind::full) seg.a_begin = s.action_begin, seg.a_rows = actions;
    append(seg, s.prefix_rows);
    prefix_queries_ = 1;
  }
  for (int block = 0; choice.actions && block < s.blocks; ++block) {
    AttentionSegment seg;
    seg.q_begin = s.action_begin + block * slots, seg.q_rows = slots;
    seg.a_begin = s.prefix_begin, seg.a_rows = s.prefix_rows;
    seg.b_begin = seg.q_begin, seg.b_rows = slots;
    seg.causal = mask == MaskKind::causal || mask == MaskKind::prefix_causal;
    append(seg, s.prefix_rows);
  }
  add_range(groups_, s.prefix_begin, s.prefix_rows);
  if (choice.actions || mask == MaskKind::full) add_range(groups_, s.action_begin, actions);
  ++groups_;
  group_offsets_[static_cast<std::size_t>(groups_)] = segment_count_;
}

void Segments::add_next(const Sequence& s, int slot) {
  AttentionSegment seg;
  seg.q_begin = s.action_begin + slot, seg.q_rows = 1;
  seg.a_begin = s.prefix_begin, seg.a_rows = s.prefix_rows;
  seg.b_begin = s.action_begin, seg.b_rows = slot + 1;
  append(seg, s.prefix_rows);
  add_range(groups_, s.prefix_begin, s.prefix_rows);
  add_range(groups_, s.action_begin, slot + 1);
  ++groups_;
  group_offsets_[static_cast<std::size_t>(groups_)] = segment_count_;
}

void Segments::append(const AttentionSegment& seg, int prefix_rows) {
  segments_[static_cast<std::size_t>(segment_count_++)] = seg;
  max_queries_ = std::max(max_queries_, seg.q_rows);
  max_keys_ = std::max(max_keys_, seg.a_rows + seg.b_rows);
  prefix_keys_ = std::max(prefix_keys_, seg.a_rows + seg.b_rows - prefix_rows);
}

void Segments::add_range(int group, int begin, int rows) {
  if (rows == 0) return;
  key_ranges_[static_cast<std::size_t>(key_range_count_++)] = {group, begin, rows};
  max_range_rows_ = std::max(max_range_rows_, rows);
}

void Segments::bound(int prefix_rows) {
  if (prefix_queries_ > 0) max_queries_ = std::max(max_queries_, prefix_rows);
  max_keys_ = std::max(max_keys_, prefix_rows + prefix_keys_);
  max_range_rows_ = std::max(max_range_rows_, prefix_rows);
}

void Segments::describe(Attention& attention) const {
  attention.segments = segments_.device();
  attention.group_offsets = group_offsets_.device();
  attention.groups = groups_;
  attention.segment_count = segment_count_;
  attention.max_queries = max_queries_, attention.max_keys = max_keys_;
  attention.key_ranges = key_ranges_.device();
  attention.key_range_count = key_range_count_;
  attention.max_range_rows = max_range_rows_;
}

}  // namespace wam::model
