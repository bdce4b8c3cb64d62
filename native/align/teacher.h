#pragma once
// Few-step distillation: a student learns the plans that a frozen teacher draws in several steps.

#include "model/trainer.h"

namespace wam::align {

/// sample: one of the teacher's plans. medoid: of all that it drew, the one nearest to the others.
enum class TeacherTarget { sample, medoid };

struct TeacherConfig {
  int steps = 5;     // of a plan
  int samples = 16;  // plans to choose the medoid of
  TeacherTarget target = TeacherTarget::medoid;
  double temperature = 1;
  StepRule rule = StepRule::renoise;
  std::uint64_t seed = 1;
};

/// `weights`: the teacher's. Throws Error: ERR_CONFIG, ERR_CHECKPOINT_CORRUPT.
model::TargetFactory make_teacher(model::ModelConfig model, const std::vector<model::NamedTensor>& weights,
                                  TeacherConfig config);

}  // namespace wam::align
