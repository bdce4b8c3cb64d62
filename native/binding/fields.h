#pragma once
// Reading plain JavaScript objects with type checks, for calls that are made rarely. Every error names the field.

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace wam::binding {

/// Elements of a typed array of type T (double, float, int32_t), where they lie. Throws Error(ERR_ARGUMENT) naming
/// `name` when `value` is something else. The memory may be shared; it is valid until JavaScript runs again.
template <class T>
std::span<T> typed_array(napi_env env, napi_value value, const char* name);

/// A finite number. Throws ERR_ARGUMENT or ERR_NOT_FINITE.
double number_value(Napi::Value value, const std::string& name);
/// An integer of [min, max]. Throws ERR_ARGUMENT or ERR_RANGE.
std::int64_t integer_value(Napi::Value value, const std::string& name, std::int64_t min, std::int64_t max);

class Fields {
 public:
  Fields(Napi::Value value, std::string path);

  double number(const char* name) const { return number_value(get(name), path(name)); }
  int integer(const char* name, int min, int max) const {
    return static_cast<int>(integer_value(get(name), path(name), min, max));
  }
  std::int64_t integer64(const char* name, std::int64_t min, std::int64_t max) const {
    return integer_value(get(name), path(name), min, max);
  }
  bool boolean(const char* name) const;
  std::string string(const char* name) const;
  /// An array of finite numbers.
  std::vector<double> numbers(const char* name) const;
  template <class T>
  std::span<T> array_of(const char* name) const {
    return typed_array<T>(value_.Env(), get(name), path(name).c_str());
  }
  Fields object(const char* name) const { return Fields(get(name), path(name)); }
  Napi::Array array(const char* name) const;

  template <class E>
  E choice(const char* name, std::initializer_list<std::pair<const char*, E>> values) const {
    const std::string text = string(name);
    std::string known;
    for (const auto& [word, value] : values) {
      if (text == word) return value;
      known += std::string(known.empty() ? "" : ", ") + word;
    }
    throw Error("ERR_ARGUMENT", path(name) + ": expected one of " + known + ", received \"" + text + "\"");
  }

  Napi::Value get(const char* name) const { return value_.Get(name); }
  std::string path(const char* name) const { return path_ + "." + name; }

 private:
  Napi::Object value_;
  std::string path_;
};

}  // namespace wam::binding
