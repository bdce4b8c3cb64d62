#include "binding/vision_binding.h"

#include <array>
#include <cstring>
#include <vector>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"
#include "binding/job_thread.h"
#include "vision/letterbox.h"

namespace wam::binding {
namespace {

constexpr std::size_t kQueueLimit = 1024;

/// The thread that prepares pictures for one JavaScript environment.
struct ImageThread {
  static constexpr const char* kHandleName = "image thread";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 9};
  explicit ImageThread(std::shared_ptr<Environment> environment) : jobs(std::move(environment), kQueueLimit) {}
  JobThread jobs;
};

/// What a call is given and gives back.
struct LetterboxWork {
  vision::Pixels pixels;  // `data` is the caller's memory, or `copy`
  std::vector<std::uint8_t> copy;
  int size = 0;
  std::array<std::uint8_t, 3> background{};
  vision::Placement placement;
  std::vector<std::uint8_t> preview;
  std::vector<float> values;

  void run() {
    placement = vision::place(pixels.width, pixels.height, size);
    preview = vision::letterbox(pixels, size, background);
    values.resize(preview.size());
    vision::to_planes(preview.data(), preview.size() / 3, values.data());
  }
};

std::uint8_t read_byte(const Fields& fields, const char* name) {
  return static_cast<std::uint8_t>(fields.integer(name, 0, 255));
}

/// { data, width, height, channels, size, red, green, blue }
std::unique_ptr<LetterboxWork> read_work(Napi::Value value) {
  const Fields fields(value, "picture");
  auto work = std::make_unique<LetterboxWork>();
  vision::Pixels& pixels = work->pixels;
  pixels.width = fields.integer("width", 1, vision::kMaxSide);
  pixels.height = fields.integer("height", 1, vision::kMaxSide);
  pixels.channels = fields.integer("channels", 3, 4);
  work->size = fields.integer("size", 1, vision::kMaxSquare);
  work->background = {read_byte(fields, "red"), read_byte(fields, "green"), read_byte(fields, "blue")};
  const auto data = fields.array_of<std::uint8_t>("data");
  const std::size_t expected = static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height) *
                               static_cast<std::size_t>(pixels.channels);
  if (data.size() != expected) {
    throw Error("ERR_SHAPE", "picture.data: expected " + std::to_string(expected) + " bytes, received " +
                                 std::to_string(data.size()));
  }
  pixels.data = data.data();
  return work;
}

template <class T>
napi_value array_buffer(napi_env env, const std::vector<T>& from) {
  void* data;
  napi_value value;
  if (napi_create_arraybuffer(env, from.size() * sizeof(T), &data, &value) != napi_ok) return nullptr;
  std::memcpy(data, from.data(), from.size() * sizeof(T));
  return value;
}

/// { values, preview: ArrayBuffer; left, top, width, height }; null when the environment is ending.
napi_value to_result(napi_env env, const LetterboxWork& work) {
  napi_value values = array_buffer(env, work.values), preview = array_buffer(env, work.preview);
  if (values == nullptr || preview == nullptr) return nullptr;
  Napi::Object result = Napi::Object::New(env);
  result.Set("values", values);
  result.Set("preview", preview);
  result.Set("left", work.placement.left);
  result.Set("top", work.placement.top);
  result.Set("width", work.placement.width);
  result.Set("height", work.placement.height);
  return result;
}

class LetterboxJob : public Job {
 public:
  LetterboxJob(std::shared_ptr<Environment> environment, std::shared_ptr<ImageThread> thread,
               std::unique_ptr<LetterboxWork> work)
      : Job(std::move(environment), std::move(thread)), work_(std::move(work)) {}

  void run() override { work_->run(); }
  napi_value result(napi_env env) override { return to_result(env, *work_); }

 private:
  std::unique_ptr<LetterboxWork> work_;
};

/// createImageThread()
Napi::Value create_image_thread(const Napi::CallbackInfo& info) {
  return {info.Env(), make_handle(info.Env(), std::make_shared<ImageThread>(Environment::shared(info.Env())))};
}

/// letterbox(thread, picture)
Napi::Value letterbox(const Napi::CallbackInfo& info) {
  const auto& thread = from_handle<ImageThread>(info.Env(), info[0]);
  auto work = read_work(info[1]);
  // The caller's array is free for the next picture when this returns.
  const std::size_t bytes = static_cast<std::size_t>(work->pixels.width) *
                            static_cast<std::size_t>(work->pixels.height) *
                            static_cast<std::size_t>(work->pixels.channels);
  work->copy.assign(work->pixels.data, work->pixels.data + bytes);
  work->pixels.data = work->copy.data();
  auto job = std::make_unique<LetterboxJob>(Environment::shared(info.Env()), thread, std::move(work));
  return {info.Env(), thread->jobs.submit(info.Env(), std::move(job))};
}

/// letterboxSync(picture)
Napi::Value letterbox_sync(const Napi::CallbackInfo& info) {
  const auto work = read_work(info[0]);
  work->run();
  return {info.Env(), to_result(info.Env(), *work)};
}

}  // namespace

void register_vision(Napi::Object exports) {
  define<&create_image_thread>(exports, "createImageThread");
  define<&letterbox>(exports, "letterbox");
  define<&letterbox_sync>(exports, "letterboxSync");
}

}  // namespace wam::binding
