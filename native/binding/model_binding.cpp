#include "binding/model_binding.h"

#include <limits>

#include "binding/config_reader.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handles.h"
#include "binding/tensors.h"

namespace wam::binding {
namespace {

constexpr int kMaxInt = std::numeric_limits<int>::max();

std::vector<int> to_vector(std::span<const std::int32_t> values) { return {values.begin(), values.end()}; }

scene::Lane read_lane(Napi::Value value, const std::string& path) {
  const Fields fields(value, path);
  scene::Lane lane;
  const auto center = fields.array_of<double>("center");
  for (std::size_t i = 0; i + 1 < center.size(); i += 2) lane.center.push_back({center[i], center[i + 1]});
  lane.successors = to_vector(fields.array_of<std::int32_t>("successors"));
  lane.predecessors = to_vector(fields.array_of<std::int32_t>("predecessors"));
  lane.left = fields.integer("left", -1, kMaxInt);
  lane.right = fields.integer("right", -1, kMaxInt);
  lane.width = fields.number("width");
  lane.speed_limit = fields.number("speedLimit");
  lane.stop_line = fields.boolean("stopLine");
  return lane;
}

/// createMap(lanes)
Napi::Value create_map(const Napi::CallbackInfo& info) {
  if (!info[0].IsArray()) throw Error("ERR_ARGUMENT", "lanes: expected an array");
  const Napi::Array array = info[0].As<Napi::Array>();
  std::vector<scene::Lane> lanes;
  lanes.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    lanes.push_back(read_lane(array.Get(i), "lanes[" + std::to_string(i) + "]"));
  }
  auto map = std::make_shared<const scene::RoadMap>(std::move(lanes));
  return {info.Env(), make_handle(info.Env(), std::make_shared<MapHandle>(std::move(map)))};
}

/// validateConfig(config)
Napi::Value validate_config(const Napi::CallbackInfo& info) {
  read_model_config(info[0]);
  return info.Env().Undefined();
}

/// parameterLayout(config)
Napi::Value parameter_layout(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const model::ParameterLayout layout = model::parameter_layout(read_model_config(info[0]));
  Napi::Array array = Napi::Array::New(env, layout.tensors().size());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const model::TensorSpec& tensor = layout.tensors()[i];
    Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
    for (std::uint32_t k = 0; k < tensor.shape.size(); ++k) {
      shape.Set(k, Napi::Number::New(env, static_cast<double>(tensor.shape[k])));
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", Napi::String::New(env, tensor.name));
    object.Set("shape", shape);
    object.Set("decay", Napi::Boolean::New(env, tensor.decay));
    object.Set("trained", Napi::Boolean::New(env, tensor.trained));
    array.Set(i, object);
  }
  return array;
}

/// createModel(config, tensors)
Napi::Value create_model(const Napi::CallbackInfo& info) {
  model::ModelConfig config = read_model_config(info[0]);
  auto model = std::make_shared<const model::Model>(std::move(config), read_tensors(info[1]));
  return {info.Env(), make_handle(info.Env(), std::make_shared<ModelHandle>(std::move(model)))};
}

}  // namespace

void register_model(Napi::Object exports) {
  define<&create_map>(exports, "createMap");
  define<&validate_config>(exports, "validateConfig");
  define<&parameter_layout>(exports, "parameterLayout");
  define<&create_model>(exports, "createModel");
}

}  // namespace wam::binding
