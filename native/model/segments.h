#pragma once
#include <vector>

#include "core/backend.h"
#include "model/config.h"

namespace wam::model {

/// Attention segments with their groups (see core/backend.h).
struct Segments {
  std::vector<AttentionSegment> list;
  std::vector<int> group_offsets{0};
  void clear() {
    list.clear();
    group_offsets.assign(1, 0);
  }
  void end_group() { group_offsets.push_back(static_cast<int>(list.size())); }
  int groups() const { return static_cast<int>(group_offsets.size()) - 1; }
};

/// One prefix and the blocks of action rows that continue it. With the masks `full` and `causal` a prefix may see its
/// actions only one way, so `full` takes exactly one block.
struct Sequence {
  int prefix_begin = 0, prefix_rows = 0;
  int action_begin = 0, blocks = 0;  // blocks * slots consecutive rows
};

/// Which rows attend: the prefix rows, the action rows, or both.
struct SegmentChoice {
  bool prefix = true, actions = true;
};

/// mask prefix: prefix rows see the prefix, a block sees the prefix and itself. full: all rows of a sequence see each
/// other. causal: each row sees what comes before it and itself; a block comes after the prefix.
void add_segments(MaskKind mask, const Sequence& sequence, int slots, SegmentChoice choice, Segments& out);

}  // namespace wam::model
