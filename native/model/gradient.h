#pragma once
// Where a backward pass adds the gradients of a block of weights: to a block of the same layout, or to a sink that keeps
// those alone that are trained.

#include <cstdint>

#include "core/real.h"
#include "model/stack.h"

namespace wam::model {

class GradientSink {
 public:
  virtual ~GradientSink() = default;
  /// Memory [out, in] that the gradient of the map's weight is added to before `end` is called; null where nobody wants it.
  virtual real* begin(const Linear& linear) = 0;
  virtual void end(const Linear& linear) = 0;
  /// Of the norm or bias at this offset of the block.
  virtual real* vector(std::int64_t offset) = 0;
};

/// Cheap to copy; what it was made of must outlive it.
class Gradient {
 public:
  Gradient(real* block) : block_(block) {}
  Gradient(GradientSink& sink) : sink_(&sink) {}

  real* begin(const Linear& linear) const { return sink_ != nullptr ? sink_->begin(linear) : block_ + linear.weight; }
  void end(const Linear& linear) const {
    if (sink_ != nullptr) sink_->end(linear);
  }
  real* vector(std::int64_t offset) const { return sink_ != nullptr ? sink_->vector(offset) : block_ + offset; }

 private:
  real* block_ = nullptr;
  GradientSink* sink_ = nullptr;
};

}  // namespace wam::model
