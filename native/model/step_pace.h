#pragma once
// How long refinement steps take, learned from those that ran: what a deadline is kept with. All times are microseconds.

#include <vector>

namespace wam::model {

class StepPace {
 public:
  StepPace(int layers, int max_samples);

  /// Whether a step of `samples` plans is likely to end within `left`, with time to decode its plan. `last`: what the
  /// step before took, for `last_samples`; it stands in for a step that never ran. A refusal wears the estimate down, so
  /// that one slow step does not refuse others for ever.
  bool worth_beginning(int samples, double left, double last, int last_samples);

  /// The same within a step, before one of its layers, `elapsed` after it began: at the pace of its layers so far.
  bool can_finish(int samples, int layer, double elapsed, double left);

  void step_ran(int samples, double took);
  void decode_ran(int samples, double took);

 private:
  struct Record {
    double step = 0, decode = 0;  // 0: never ran
  };
  double decode_of(const Record& r) const;

  std::vector<Record> records_;  // by samples
  std::vector<double> reached_;  // part of a step's time that is over before each layer
  std::vector<double> elapsed_;  // the same of the step that runs, microseconds
};

}  // namespace wam::model
