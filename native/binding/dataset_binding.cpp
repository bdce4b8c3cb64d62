#include "binding/dataset_binding.h"

#include <cmath>
#include <limits>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handles.h"
#include "model/trainer.h"

namespace wam::binding {
namespace {

constexpr int kMaxInt = std::numeric_limits<int>::max();
constexpr int kLastLight = static_cast<int>(scene::Light::unknown);
constexpr int kLastCommand = static_cast<int>(scene::Command::unknown);

/// Throws ERR_SHAPE on another length than `steps`, ERR_NOT_FINITE.
std::vector<double> read_column(const Fields& fields, const char* name, std::size_t steps) {
  const auto values = fields.array_of<double>(name);
  if (values.size() != steps) {
    throw Error("ERR_SHAPE", fields.path(name) + ": expected as many entries as x, " + std::to_string(steps));
  }
  for (const double value : values) {
    if (!std::isfinite(value)) throw Error("ERR_NOT_FINITE", fields.path(name) + ": expected finite numbers");
  }
  return {values.begin(), values.end()};
}

scene::Track read_track(Napi::Value value, const std::string& path) {
  const Fields fields(value, path);
  scene::Track track;
  track.length = fields.number("length");
  track.width = fields.number("width");
  track.start = fields.integer("start", 0, kMaxInt / 2);
  const std::size_t steps = fields.array_of<double>("x").size();
  if (steps == 0) throw Error("ERR_SHAPE", path + ": expected at least one step");
  track.x = read_column(fields, "x", steps);
  track.y = read_column(fields, "y", steps);
  track.heading = read_column(fields, "heading", steps);
  track.vx = read_column(fields, "vx", steps);
  track.vy = read_column(fields, "vy", steps);
  return track;
}

scene::Signal read_signal(Napi::Value value, const std::string& path) {
  const Fields fields(value, path);
  scene::Signal signal;
  const auto lanes = fields.array_of<std::int32_t>("lanes");
  signal.lanes.assign(lanes.begin(), lanes.end());
  const auto states = fields.array_of<std::int32_t>("states");
  if (states.size() % 3 != 0) throw Error("ERR_SHAPE", path + ".states: expected rows of 3");
  for (std::size_t i = 0; i < states.size(); i += 3) {
    if (states[i + 2] < 0 || states[i + 2] > kLastLight) throw Error("ERR_ARGUMENT", path + ".states: light code");
    signal.states.push_back({states[i], states[i + 1], static_cast<scene::Light>(states[i + 2])});
  }
  return signal;
}

/// The data set of the first argument, for changing it.
scene::Dataset& open_dataset(const Napi::CallbackInfo& info) {
  const auto& handle = from_handle<DatasetHandle>(info.Env(), info[0]);
  if (handle->readers > 0) throw Error("ERR_ARGUMENT", "the data set is in use by a trainer; close that first");
  return *handle->data;
}

const scene::Dataset& dataset_of(const Napi::CallbackInfo& info) {
  return *from_handle<DatasetHandle>(info.Env(), info[0])->data;
}

/// createDataset()
Napi::Value create_dataset(const Napi::CallbackInfo& info) {
  return {info.Env(), make_handle(info.Env(), std::make_shared<DatasetHandle>())};
}

/// addRecording(dataset, map, recording)
Napi::Value add_recording(const Napi::CallbackInfo& info) {
  scene::Dataset& data = open_dataset(info);
  const Fields fields(info[2], "recording");
  scene::Recording recording;
  recording.map = from_handle<MapHandle>(info.Env(), info[1])->map;
  recording.dt = fields.number("dt");
  if (!(recording.dt > 0)) throw Error("ERR_RANGE", "recording.dt: expected a positive number of seconds");
  const Napi::Array tracks = fields.array("tracks");
  const auto drivers = fields.array_of<std::uint8_t>("drivers");
  if (drivers.size() != tracks.Length()) throw Error("ERR_SHAPE", "recording.drivers: expected an entry a track");
  for (std::uint32_t i = 0; i < tracks.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    recording.tracks.push_back(read_track(tracks.Get(i), fields.path("tracks") + "[" + std::to_string(i) + "]"));
    recording.tracks.back().driver = drivers[i] != 0;
  }
  const Napi::Array signals = fields.array("signals");
  for (std::uint32_t i = 0; i < signals.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    recording.signals.push_back(read_signal(signals.Get(i), fields.path("signals") + "[" + std::to_string(i) + "]"));
  }
  return Napi::Number::New(info.Env(), data.add_recording(std::move(recording)));
}

/// addWindow(dataset, window)
Napi::Value add_window(const Napi::CallbackInfo& info) {
  scene::Dataset& data = open_dataset(info);
  const Fields fields(info[1], "window");
  scene::Window window;
  window.recording = fields.integer("recording", 0, kMaxInt);
  window.ego = fields.integer("ego", 0, kMaxInt);
  window.present = fields.integer("present", 0, kMaxInt / 2);
  window.future = fields.integer("future", 0, kMaxInt / 2);
  window.command = static_cast<scene::Command>(fields.integer("command", 0, kLastCommand));
  const auto route = fields.array_of<std::int32_t>("route");
  window.route.assign(route.begin(), route.end());
  window.weight = fields.number("weight");
  const auto expert = fields.array_of<double>("expert");
  window.expert.assign(expert.begin(), expert.end());
  data.add_window(std::move(window));
  return info.Env().Undefined();
}

/// cutWindows(dataset, recording, options)
Napi::Value cut_windows(const Napi::CallbackInfo& info) {
  scene::Dataset& data = open_dataset(info);
  const auto recording = static_cast<int>(integer_value(info[1], "recording", 0, data.recordings() - 1));
  const Fields fields(info[2], "options");
  scene::CutOptions options;
  options.stride_s = fields.number("strideS");
  options.standing_stride_s = fields.number("standingStrideS");
  options.min_future_s = fields.number("minFutureS");
  options.min_history_s = fields.number("minHistoryS");
  options.weight = fields.number("weight");
  options.standing_weight = fields.number("standingWeight");
  return Napi::Number::New(info.Env(), data.cut_windows(recording, options));
}

/// datasetSize(dataset)
Napi::Value dataset_size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), dataset_of(info).size());
}

/// datasetWindow(dataset, index)
Napi::Value dataset_window(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const scene::Dataset& data = dataset_of(info);
  const auto index = static_cast<int>(integer_value(info[1], "index", 0, data.size() - 1));
  const scene::Window& window = data.window(index);
  const scene::Future future = data.future(index);
  auto route = Napi::Int32Array::New(env, window.route.size());
  for (std::size_t i = 0; i < window.route.size(); ++i) route[i] = window.route[i];
  auto poses = Napi::Float64Array::New(env, 3 * scene::kWaypoints);
  Napi::Array valid = Napi::Array::New(env, scene::kWaypoints);
  for (std::uint32_t i = 0; i < scene::kWaypoints; ++i) {
    poses[3 * i] = future.x[i];
    poses[3 * i + 1] = future.y[i];
    poses[3 * i + 2] = future.heading[i];
    valid.Set(i, Napi::Boolean::New(env, future.valid[i]));
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("recording", Napi::Number::New(env, window.recording));
  result.Set("ego", Napi::Number::New(env, window.ego));
  result.Set("present", Napi::Number::New(env, window.present));
  result.Set("future", Napi::Number::New(env, window.future));
  result.Set("command", Napi::Number::New(env, static_cast<int>(window.command)));
  result.Set("route", route);
  result.Set("weight", Napi::Number::New(env, window.weight));
  auto expert = Napi::Float64Array::New(env, window.expert.size());
  for (std::size_t i = 0; i < window.expert.size(); ++i) expert[i] = window.expert[i];
  result.Set("expert", expert);
  result.Set("poses", poses);
  result.Set("valid", valid);
  return result;
}

/// datasetObservation(dataset, index)
Napi::Value dataset_observation(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const scene::Dataset& data = dataset_of(info);
  scene::Observation observation;
  data.observe(static_cast<int>(integer_value(info[1], "index", 0, data.size() - 1)), observation);
  const scene::PackedObservation packed = scene::pack_observation(observation);
  const auto integers = [env](const std::vector<std::int32_t>& from) {
    auto to = Napi::Int32Array::New(env, from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
    return to;
  };
  auto values = Napi::Float64Array::New(env, packed.values.size());
  for (std::size_t i = 0; i < packed.values.size(); ++i) values[i] = packed.values[i];
  Napi::Object result = Napi::Object::New(env);
  result.Set("meta", integers(packed.meta));
  result.Set("values", values);
  result.Set("lanes", integers(packed.lanes));
  return result;
}

/// measureSlotScale(dataset)
Napi::Value measure_slot_scale(const Napi::CallbackInfo& info) {
  const std::vector<double> scale = model::measure_slot_scale(dataset_of(info));
  auto result = Napi::Float64Array::New(info.Env(), scale.size());
  for (std::size_t i = 0; i < scale.size(); ++i) result[i] = scale[i];
  return result;
}

}  // namespace

void register_dataset(Napi::Object exports) {
  define<&create_dataset>(exports, "createDataset");
  define<&add_recording>(exports, "addRecording");
  define<&add_window>(exports, "addWindow");
  define<&cut_windows>(exports, "cutWindows");
  define<&dataset_size>(exports, "datasetSize");
  define<&dataset_window>(exports, "datasetWindow");
  define<&dataset_observation>(exports, "datasetObservation");
  define<&measure_slot_scale>(exports, "measureSlotScale");
}

}  // namespace wam::binding
