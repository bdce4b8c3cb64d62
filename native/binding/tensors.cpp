#include "binding/tensors.h"

#include <algorithm>
#include <string>

#include "binding/fields.h"

namespace wam::binding {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

model::NamedTensor read_tensor(Napi::Value value, const std::string& path) {
  const Fields fields(value, path);
  model::NamedTensor tensor;
  tensor.name = fields.string("name");
  std::int64_t count = 1;
  const Napi::Array shape = fields.array("shape");
  for (std::uint32_t i = 0; i < shape.Length(); ++i) {
    const std::int64_t size =
        integer_value(shape.Get(i), fields.path("shape") + "[" + std::to_string(i) + "]", 0, kMaxElements);
    if (size != 0 && count > kMaxElements / size) throw Error("ERR_RANGE", path + ".shape: too many elements");
    count *= size;
    tensor.shape.push_back(size);
  }
  const auto data = fields.array_of<float>("data");
  if (static_cast<std::int64_t>(data.size()) != count) {
    throw Error("ERR_SHAPE", path + ".data: expected " + std::to_string(count) + " elements by its shape, received " +
                                 std::to_string(data.size()));
  }
  tensor.data.assign(data.begin(), data.end());
  return tensor;
}

}  // namespace

std::vector<model::NamedTensor> read_tensors(Napi::Value value) {
  if (!value.IsArray()) throw Error("ERR_ARGUMENT", "tensors: expected an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<model::NamedTensor> tensors;
  tensors.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(value.Env());
    tensors.push_back(read_tensor(array.Get(i), "tensors[" + std::to_string(i) + "]"));
  }
  return tensors;
}

Napi::Value write_tensors(Napi::Env env, const std::vector<model::NamedTensor>& tensors) {
  Napi::Array array = Napi::Array::New(env, tensors.size());
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const Napi::HandleScope scope(env);
    const model::NamedTensor& tensor = tensors[i];
    Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
    for (std::uint32_t k = 0; k < tensor.shape.size(); ++k) {
      shape.Set(k, Napi::Number::New(env, static_cast<double>(tensor.shape[k])));
    }
    auto data = Napi::Float32Array::New(env, tensor.data.size());
    std::copy(tensor.data.begin(), tensor.data.end(), data.Data());
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", Napi::String::New(env, tensor.name));
    object.Set("shape", shape);
    object.Set("data", data);
    array.Set(i, object);
  }
  return array;
}

}  // namespace wam::binding
