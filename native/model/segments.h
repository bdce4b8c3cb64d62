#pragma once
#include <vector>

#include "core/arena.h"
#include "core/backend.h"
#include "core/staged.h"
#include "model/config.h"

namespace wam::model {

/// One prefix and the blocks of action rows that continue it. With the masks `full` and `causal` a prefix may see its
/// actions only one way, so `full` takes exactly one block.
struct Sequence {
  int prefix_begin = 0, prefix_rows = 0;
  int action_begin = 0, blocks = 0;  // blocks * slots consecutive rows
};

/// Which rows attend: the prefix rows, the action rows, or both; of the prefix those from row `first_prefix` of it on.
struct SegmentChoice {
  bool prefix = true, actions = true;
  int first_prefix = 0;
};

/// The lists that an attention call reads (core/backend.h), a group a sequence.
class Segments {
 public:
  /// Room for `sequences` sequences of `blocks` blocks of actions each.
  void reserve(StagedBlock& block, int sequences, int blocks);
  void clear();
  /// mask prefix: prefix rows see the prefix, a block sees the prefix and itself. full: all rows of a sequence see each
  /// other. causal: each row sees what comes before it and itself; a block comes after the prefix. prefix_causal: prefix
  /// rows see the prefix, rows of a block what comes before them and themselves.
  void add(MaskKind mask, const Sequence& sequence, int slots, SegmentChoice choice);
  /// Row `slot` of the sequence's first block alone, which sees the prefix and the block up to itself: one step of
  /// autoregression, the keys and values of the others being in place.
  void add_next(const Sequence& sequence, int slot);
  /// The bounds of a replayed call must hold for every later list as well: `prefix_rows` is the most rows that a prefix can
  /// have. Without this call the lists are their own bounds.
  void bound(int prefix_rows);
  /// The lists and their bounds.
  void describe(Attention& attention) const;

 private:
  void append(const AttentionSegment& segment, int prefix_rows);
  void add_range(int group, int begin, int rows);

  Staged<AttentionSegment> segments_;
  Staged<int> group_offsets_;
  Staged<AttentionKeyRange> key_ranges_;
  int groups_ = 0, segment_count_ = 0, key_range_count_ = 0;
  int max_queries_ = 0, max_keys_ = 0, max_range_rows_ = 0;
  int prefix_queries_ = 0, prefix_keys_ = 0;  // of those, what a longer prefix would add to
};

}  // namespace wam::model
