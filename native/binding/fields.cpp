#include "binding/fields.h"

#include <cmath>
#include <type_traits>

namespace wam::binding {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;

[[noreturn]] void refuse(const std::string& name, const std::string& expected) {
  throw Error("ERR_ARGUMENT", name + ": expected " + expected);
}

template <class T>
constexpr napi_typedarray_type element_type() {
  if constexpr (std::is_same_v<T, double>) return napi_float64_array;
  if constexpr (std::is_same_v<T, float>) return napi_float32_array;
  if constexpr (std::is_same_v<T, std::int32_t>) return napi_int32_array;
  if constexpr (std::is_same_v<T, std::uint8_t>) return napi_uint8_array;
}

template <class T>
constexpr const char* element_name() {
  if constexpr (std::is_same_v<T, double>) return "a Float64Array";
  if constexpr (std::is_same_v<T, float>) return "a Float32Array";
  if constexpr (std::is_same_v<T, std::int32_t>) return "an Int32Array";
  if constexpr (std::is_same_v<T, std::uint8_t>) return "a Uint8Array";
}

}  // namespace

template <class T>
std::span<T> typed_array(napi_env env, napi_value value, const char* name) {
  bool is_typed = false;
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok || !is_typed ||
      napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != element_type<T>()) {
    refuse(name, element_name<T>());
  }
  // A detached array has length 0 and no memory.
  return {static_cast<T*>(data), data == nullptr ? 0 : length};
}

template std::span<double> typed_array(napi_env, napi_value, const char*);
template std::span<float> typed_array(napi_env, napi_value, const char*);
template std::span<std::int32_t> typed_array(napi_env, napi_value, const char*);
template std::span<std::uint8_t> typed_array(napi_env, napi_value, const char*);

double number_value(Napi::Value value, const std::string& name) {
  if (!value.IsNumber()) refuse(name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) throw Error("ERR_NOT_FINITE", name + ": expected a finite number");
  return number;
}

std::int64_t integer_value(Napi::Value value, const std::string& name, std::int64_t min, std::int64_t max) {
  const double number = number_value(value, name);
  if (number != std::floor(number) || std::abs(number) > kMaxSafeInteger) refuse(name, "an integer");
  const auto integer = static_cast<std::int64_t>(number);
  if (integer < min || integer > max) {
    throw Error("ERR_RANGE", name + ": expected " + std::to_string(min) + " to " + std::to_string(max) + ", received " +
                                 std::to_string(integer));
  }
  return integer;
}

Fields::Fields(Napi::Value value, std::string path) : path_(std::move(path)) {
  if (!value.IsObject()) refuse(path_, "an object");
  value_ = value.As<Napi::Object>();
}

bool Fields::boolean(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBoolean()) refuse(path(name), "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string Fields::string(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsString()) refuse(path(name), "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array Fields::array(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsArray()) refuse(path(name), "an array");
  return value.As<Napi::Array>();
}

std::vector<double> Fields::numbers(const char* name) const {
  const Napi::Array values = array(name);
  std::vector<double> numbers(values.Length());
  for (std::uint32_t i = 0; i < values.Length(); ++i) {
    numbers[i] = number_value(values.Get(i), path(name) + "[" + std::to_string(i) + "]");
  }
  return numbers;
}

}  // namespace wam::binding
