#pragma once
#include "core/backend.h"
#include "cpu/flow_kernels.h"
#include "cpu/scratch.h"

namespace wam::cpu {

class CpuPackedTable final : public PackedTable {
 public:
  TableView view;
  Scratch memory;
};

}  // namespace wam::cpu
