#pragma once
// The kinds of handles that hold an engine object and nothing else.

#include <node_api.h>

#include <memory>
#include <utility>

#include "binding/counters.h"
#include "binding/handle.h"
#include "model/model.h"
#include "scene/dataset.h"
#include "scene/road_map.h"

namespace wam::binding {

struct MapHandle {
  static constexpr const char* kHandleName = "map";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 1};
  explicit MapHandle(std::shared_ptr<const scene::RoadMap> object) : map(std::move(object)) {}
  std::shared_ptr<const scene::RoadMap> map;
  Counted<Count::maps> counted;
};

struct ModelHandle {
  static constexpr const char* kHandleName = "model";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 2};
  explicit ModelHandle(std::shared_ptr<const model::Model> object) : model(std::move(object)) {}
  std::shared_ptr<const model::Model> model;
  Counted<Count::models> counted;
};

struct DatasetHandle {
  static constexpr const char* kHandleName = "data set";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 3};
  std::shared_ptr<scene::Dataset> data = std::make_shared<scene::Dataset>();
  /// Open trainers: they read without a lock, so nothing may be added while there are any.
  int readers = 0;
  Counted<Count::datasets> counted;
};

}  // namespace wam::binding
