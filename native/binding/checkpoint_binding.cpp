#include "binding/checkpoint_binding.h"

#include <limits>

#include "binding/checkpoint_reader.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"

namespace wam::binding {
namespace {

constexpr std::int64_t kMaxSize = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxIndex = std::int64_t{1} << 52;

vla::JanusShape read_shape(Napi::Value value) {
  const Fields fields(value, "shape");
  const auto size = [&](const char* name) { return fields.integer64(name, 1, kMaxSize); };
  vla::JanusShape shape;
  shape.vocab = size("vocab");
  shape.hidden = size("hidden");
  shape.mlp_hidden = size("mlpHidden");
  shape.layers = size("layers");
  shape.heads = size("heads");
  shape.kv_heads = size("kvHeads");
  shape.head_dim = size("headDim");
  shape.attention_bias = fields.boolean("attentionBias");
  shape.mlp_bias = fields.boolean("mlpBias");
  shape.tied_head = fields.boolean("tiedHead");
  shape.vision_width = size("visionWidth");
  shape.vision_mlp_hidden = size("visionMlpHidden");
  shape.vision_layers = size("visionLayers");
  shape.patch = size("patch");
  shape.image_tokens = size("imageTokens");
  shape.aligner_depth = size("alignerDepth");
  return shape;
}

std::string string_value(Napi::Value value, const char* name) {
  if (!value.IsString()) throw Error("ERR_ARGUMENT", std::string(name) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

CheckpointReader& reader_of(const Napi::CallbackInfo& info) {
  return *from_handle<CheckpointReader>(info.Env(), info[0]);
}

/// createCheckpointReader(directory)
Napi::Value create_checkpoint_reader(const Napi::CallbackInfo& info) {
  return {info.Env(), make_handle(info.Env(), std::make_shared<CheckpointReader>(Environment::shared(info.Env()),
                                                                                 string_value(info[0], "directory")))};
}

/// inspectCheckpoint(reader, shape, checkValues)
Napi::Value inspect_checkpoint(const Napi::CallbackInfo& info) {
  CheckpointReader& reader = reader_of(info);
  if (!info[2].IsBoolean()) throw Error("ERR_ARGUMENT", "checkValues: expected a boolean");
  return {info.Env(), reader.inspect(info.Env(), read_shape(info[1]), info[2].As<Napi::Boolean>().Value())};
}

/// checkpointValues(reader, name, begin, count)
Napi::Value checkpoint_values(const Napi::CallbackInfo& info) {
  CheckpointReader& reader = reader_of(info);
  const std::int64_t begin = integer_value(info[2], "begin", 0, kMaxIndex);
  const std::int64_t count = integer_value(info[3], "count", -1, kMaxIndex);
  return {info.Env(), reader.values(info.Env(), string_value(info[1], "name"), begin, count)};
}

/// stopCheckpointReader(reader)
Napi::Value stop_checkpoint_reader(const Napi::CallbackInfo& info) {
  reader_of(info).stop(info.Env());
  return info.Env().Undefined();
}

/// closeCheckpointReader(reader)
Napi::Value close_checkpoint_reader(const Napi::CallbackInfo& info) {
  return {info.Env(), reader_of(info).close(info.Env())};
}

}  // namespace

void register_checkpoint(Napi::Object exports) {
  define<&create_checkpoint_reader>(exports, "createCheckpointReader");
  define<&inspect_checkpoint>(exports, "inspectCheckpoint");
  define<&checkpoint_values>(exports, "checkpointValues");
  define<&stop_checkpoint_reader>(exports, "stopCheckpointReader");
  define<&close_checkpoint_reader>(exports, "closeCheckpointReader");
}

}  // namespace wam::binding
