#pragma once
#include <vector>

namespace wam::sim {

/// Savitzky-Golay filter of a series of n samples 0.1 s apart, as SciPy 1.10 applies it in mode "interp": window w, a
/// polynomial of degree p, derivative d. A window longer than the series is cut to it. An even window's fit is evaluated
/// half a step after sample i from its samples i - w/2 + 1 .. i + w/2; outputs near the ends come from the fit to the
/// first or last w samples, at the sample itself.
class SavitzkyGolay {
 public:
  SavitzkyGolay(int samples, int window, int degree, int derivative);

  /// out must not be in. Each value is rounded to 8 decimals, as the devkit's are.
  void apply(const double* in, double* out) const;

 private:
  int samples_, window_, half_;
  std::vector<double> interior_;  // [window]
  std::vector<double> first_;     // [window, half]: outputs 0 .. half - 1
  std::vector<double> last_;      // [window, half]: outputs samples - half ..
};

}  // namespace wam::sim
