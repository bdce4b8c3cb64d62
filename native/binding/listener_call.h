#pragma once
#include <node_api.h>

#include <cstddef>
#include <vector>

#include "binding/environment.h"

namespace wam::binding {

/// A report on its way to a JavaScript listener while its job goes on: listener(numbers, count).
class ListenerCall : public Delivery {
 public:
  /// Copies. `listener` belongs to the job, which is delivered after all of its reports.
  ListenerCall(const napi_ref& listener, const float* numbers, std::size_t size, int count);
  ListenerCall(const napi_ref& listener, const double* numbers, std::size_t size, int count);
  void deliver(napi_env env) override;

 private:
  const napi_ref& listener_;
  napi_typedarray_type type_;
  std::size_t size_;
  int count_;
  std::vector<std::byte> bytes_;
};

}  // namespace wam::binding
