#pragma once
// A minimal test runner. TEST(name) { ... } registers a test; checks inside it report and count, they do not stop it.
//   test_program [filter]   runs the tests whose name contains `filter`; exit code 1 when a check failed.

#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>

namespace wam::test {

using Body = void (*)();
/// Called by TEST before main.
struct Registration {
  Registration(const char* name, const char* file, Body body);
};

/// Records one check; prints "file:line: test: text" when it failed.
void report(bool passed, const char* file, int line, const std::string& text);
/// Leaves the running test, counted as skipped, with the reason printed.
[[noreturn]] void skip(const std::string& reason);

/// What the checks of this scope are about, shown with their failures: `const Context at("m=3 n=401");`
class Context {
 public:
  explicit Context(const std::string& text);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

template <class A, class B>
void check_equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
  if (actual == expected) return report(true, file, line, "");
  std::ostringstream s;
  s.precision(17);
  s << text << ": " << actual << ", expected " << expected;
  report(false, file, line, s.str());
}

/// |actual - expected| <= tolerance; NaN fails.
inline void check_near(double actual, double expected, double tolerance, const char* text, const char* file, int line) {
  if (std::abs(actual - expected) <= tolerance || actual == expected) return report(true, file, line, "");
  char s[256];
  std::snprintf(s, sizeof s, ": %.9g, expected %.9g +- %.2g (off by %.3g)", actual, expected, tolerance,
                actual - expected);
  report(false, file, line, text + std::string(s));
}

/// All of actual[0..n) near expected[0..n): |difference| <= tolerance * (1 + |expected|). One check; reports the worst.
template <class A, class B>
void check_all_near(const A* actual, const B* expected, long n, double tolerance, const char* text, const char* file,
                    int line) {
  long worst = -1;
  double excess = 0;
  for (long i = 0; i < n; ++i) {
    const double a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (a == e) continue;
    const double off = std::abs(a - e) - tolerance * (1 + std::abs(e));
    if (!(off <= excess)) worst = i, excess = std::isnan(off) ? HUGE_VAL : off;
  }
  if (worst < 0) return report(true, file, line, "");
  const double a = static_cast<double>(actual[worst]), e = static_cast<double>(expected[worst]);
  char s[256];
  std::snprintf(s, sizeof s, "[%ld]: %.9g, expected %.9g +- %.2g (1 + |expected|), off by %.3g", worst, a, e, tolerance,
                a - e);
  report(false, file, line, text + std::string(s));
}

/// actual[0..n) bit for bit expected[0..n) (so NaN equals itself and 0 differs from -0). One check.
void check_same_bytes(const void* actual, const void* expected, std::size_t n, std::size_t size, const char* text,
                      const char* file, int line);

}  // namespace wam::test

#define WAM_TEST_JOIN_(a, b) a##b
#define WAM_TEST_JOIN(a, b) WAM_TEST_JOIN_(a, b)
/// TEST(attention_rows_do_not_depend_on_the_batch) { ... }
#define TEST(name)                                                                                   \
  static void name();                                                                                \
  static const ::wam::test::Registration WAM_TEST_JOIN(name, _registration)(#name, __FILE__, &name); \
  static void name()

#define CHECK(condition) ::wam::test::report(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(actual, expected) ::wam::test::check_equal((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_NEAR(actual, expected, tolerance)                                                                       \
  ::wam::test::check_near(static_cast<double>(actual), static_cast<double>(expected), (tolerance), #actual, __FILE__, \
                          __LINE__)
#define CHECK_ALL_NEAR(actual, expected, n, tolerance) \
  ::wam::test::check_all_near((actual), (expected), (n), (tolerance), #actual, __FILE__, __LINE__)
#define CHECK_SAME_BITS(actual, expected, n)                                                                  \
  ::wam::test::check_same_bytes((actual), (expected), static_cast<std::size_t>(n), sizeof *(actual), #actual, \
                                __FILE__, __LINE__)
#define CHECK_THROWS(expression, Exception)                                                 \
  do {                                                                                      \
    bool wam_thrown = false;                                                                \
    try {                                                                                   \
      expression;                                                                           \
    } catch (const Exception&) {                                                            \
      wam_thrown = true;                                                                    \
    }                                                                                       \
    ::wam::test::report(wam_thrown, __FILE__, __LINE__, #expression " throws " #Exception); \
  } while (false)
