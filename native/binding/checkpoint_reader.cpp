#include "binding/checkpoint_reader.h"

#include <napi.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/error.h"

namespace wam::binding {
namespace {

constexpr std::size_t kQueueLimit = 1024;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 29;  // values of one call

const char* part_name(vla::TensorPart part) {
  switch (part) {
    case vla::TensorPart::language:
      return "language";
    case vla::TensorPart::vision:
      return "vision";
    case vla::TensorPart::aligner:
      return "aligner";
    case vla::TensorPart::generation:
      return "generation";
    case vla::TensorPart::other:
      return "other";
  }
  return "";
}

Napi::Array texts(Napi::Env env, const std::vector<std::string>& from) {
  Napi::Array to = Napi::Array::New(env, from.size());
  for (std::uint32_t i = 0; i < from.size(); ++i) to.Set(i, Napi::String::New(env, from[i]));
  return to;
}

Napi::Value number(Napi::Env env, double value) { return Napi::Number::New(env, value); }

napi_value undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

}  // namespace

class CheckpointReader::InspectJob : public Job {
 public:
  InspectJob(std::shared_ptr<Environment> environment, std::shared_ptr<CheckpointReader> reader,
             const vla::JanusShape& shape, bool check_values)
      : Job(std::move(environment), reader), reader_(std::move(reader)), shape_(shape), check_values_(check_values) {}

  void run() override {
    const vla::CheckpointFiles& files = reader_->files();
    comparison_ = vla::compare_manifest(files, shape_);
    vla::check_manifest(comparison_, reader_->directory_);
    if (!check_values_) return;
    const std::unordered_set<std::string> unknown(comparison_.unknown.begin(), comparison_.unknown.end());
    std::vector<std::string> used = files.names();
    std::erase_if(used, [&](const std::string& name) { return vla::is_unused(name) || unknown.contains(name); });
    vla::check_finite(files, used, stop);
    if (!stop.load()) files.check_unchanged();
  }

  napi_value result(napi_env raw_env) override {
    if (stop.load()) return undefined(raw_env);
    const Napi::Env env(raw_env);
    const vla::CheckpointFiles& files = *reader_->files_;
    Napi::Object result = Napi::Object::New(env);
    result.Set("vocab", number(env, static_cast<double>(comparison_.vocab)));
    result.Set("tensors", tensors(env, files));
    Napi::Array list = Napi::Array::New(env, files.files().size());
    for (std::uint32_t i = 0; i < files.files().size(); ++i) {
      const vla::CheckpointFiles::File& file = files.files()[i];
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", Napi::String::New(env, file.name));
      entry.Set("bytes", number(env, static_cast<double>(file.bytes)));
      entry.Set("tensors", number(env, static_cast<double>(file.tensors)));
      list.Set(i, entry);
    }
    result.Set("files", list);
    result.Set("unknown", texts(env, comparison_.unknown));
    result.Set("warnings", texts(env, files.warnings()));
    return result;
  }

 private:
  Napi::Array tensors(Napi::Env env, const vla::CheckpointFiles& files) const {
    const std::unordered_set<std::string> unknown(comparison_.unknown.begin(), comparison_.unknown.end());
    const std::vector<std::string> names = files.names();
    Napi::Array result = Napi::Array::New(env, names.size());
    for (std::uint32_t i = 0; i < names.size(); ++i) {
      const Napi::HandleScope scope(env);
      const vla::TensorView& view = *files.find(names[i]);
      Napi::Array shape = Napi::Array::New(env, view.shape.size());
      for (std::uint32_t k = 0; k < view.shape.size(); ++k) {
        shape.Set(k, number(env, static_cast<double>(view.shape[k])));
      }
      Napi::Object tensor = Napi::Object::New(env);
      tensor.Set("name", Napi::String::New(env, names[i]));
      tensor.Set("dtype", Napi::String::New(env, vla::dtype_name(view.dtype)));
      tensor.Set("shape", shape);
      tensor.Set("bytes", number(env, static_cast<double>(view.bytes())));
      tensor.Set("file", Napi::String::New(env, files.files()[files.file_of(names[i])].name));
      tensor.Set("part", Napi::String::New(env, part_name(vla::part_of(names[i]))));
      const bool used = !vla::is_unused(names[i]) && !unknown.contains(names[i]);
      tensor.Set("used", Napi::Boolean::New(env, used));
      result.Set(i, tensor);
    }
    return result;
  }

  std::shared_ptr<CheckpointReader> reader_;
  const vla::JanusShape shape_;
  const bool check_values_;
  vla::Comparison comparison_;
};

class CheckpointReader::ValuesJob : public Job {
 public:
  ValuesJob(std::shared_ptr<Environment> environment, std::shared_ptr<CheckpointReader> reader, std::string name,
            std::int64_t begin, std::int64_t count)
      : Job(std::move(environment), reader),
        reader_(std::move(reader)),
        name_(std::move(name)),
        begin_(begin),
        count_(count) {}

  void run() override {
    const vla::CheckpointFiles& files = reader_->files();
    const vla::TensorView* tensor = files.find(name_);
    if (tensor == nullptr) throw Error("ERR_ARGUMENT", "name: the checkpoint has no tensor " + name_);
    if (count_ < 0) count_ = std::max(tensor->size() - begin_, std::int64_t{0});
    // Before memory is taken for it.
    if (begin_ > tensor->size() || count_ > std::min(kMaxCount, tensor->size() - begin_)) {
      throw Error("ERR_RANGE", name_ + ": " + std::to_string(count_) + " values from " + std::to_string(begin_) +
                                   " on: it has " + std::to_string(tensor->size()) + ", and 2^29 are the most at once");
    }
    values_.resize(static_cast<std::size_t>(count_));
    vla::read_f32(*tensor, begin_, count_, values_.data());
    files.release(name_, begin_, count_);
  }

  napi_value result(napi_env env) override {
    if (stop.load()) return undefined(env);
    void* data;
    napi_value buffer;
    if (napi_create_arraybuffer(env, values_.size() * sizeof(float), &data, &buffer) != napi_ok) return nullptr;
    std::copy(values_.begin(), values_.end(), static_cast<float*>(data));
    return buffer;
  }

 private:
  std::shared_ptr<CheckpointReader> reader_;
  const std::string name_;
  const std::int64_t begin_;
  std::int64_t count_;
  std::vector<float> values_;
};

CheckpointReader::CheckpointReader(std::shared_ptr<Environment> environment, std::string directory)
    : environment_(std::move(environment)), directory_(std::move(directory)), thread_(environment_, kQueueLimit) {}

napi_value CheckpointReader::inspect(napi_env env, const vla::JanusShape& shape, bool check_values) {
  return thread_.submit(env, std::make_unique<InspectJob>(environment_, shared_from_this(), shape, check_values));
}

napi_value CheckpointReader::values(napi_env env, std::string name, std::int64_t begin, std::int64_t count) {
  return thread_.submit(env,
                        std::make_unique<ValuesJob>(environment_, shared_from_this(), std::move(name), begin, count));
}

napi_value CheckpointReader::close(napi_env env) {
  return thread_.close(env, shared_from_this(), [this] { files_.reset(); });
}

const vla::CheckpointFiles& CheckpointReader::files() {
  if (!files_) files_ = std::make_unique<vla::CheckpointFiles>(directory_);
  return *files_;
}

}  // namespace wam::binding
