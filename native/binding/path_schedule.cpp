#include "binding/path_schedule.h"

namespace wam::binding {

flow::PathSchedule read_path_schedule(const Fields& fields) {
  using Kind = flow::PathSchedule::Kind;
  flow::PathSchedule s;
  s.kind = fields.choice<Kind>("kind", {{"published", Kind::published}, {"kernel_width", Kind::kernel_width}});
  if (s.kind == Kind::published) {
    s.a = fields.number("a"), s.c = fields.number("c");
  } else {
    s.initial_width = fields.number("initialWidth"), s.final_width = fields.number("finalWidth");
    s.power = fields.number("power");
  }
  s.check();
  return s;
}

}  // namespace wam::binding
