#pragma once
#include "binding/fields.h"
#include "flow/schedule.h"

namespace wam::binding {

/// A PathSchedule of lib/flow/path-schedule.ts with all fields of its kind. Throws Error: ERR_ARGUMENT, ERR_NOT_FINITE;
/// ERR_CONFIG for one without meaning.
flow::PathSchedule read_path_schedule(const Fields& fields);

}  // namespace wam::binding
