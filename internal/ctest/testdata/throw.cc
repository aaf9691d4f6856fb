// What throws, for tests of the barrier. Everything is on request by a number.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <unwind.h>

namespace boat {
static std::atomic<int64_t> alive{0};

// Counts itself, copies too: an exception that is not destroyed, or twice, shows.
struct Capsized {
  Capsized() { alive++; }
  Capsized(const Capsized &) { alive++; }
  ~Capsized() { alive--; }
};
struct Sunk : virtual std::exception, Capsized {
  std::string text = "sunk at 54\xc2\xb0N";
  const char *what() const noexcept override { return text.c_str(); }
};
struct Guard {  // a destructor that unwinding must run
  std::atomic<int64_t> *n;
  explicit Guard(std::atomic<int64_t> *n) : n(n) { (*n)++; }
  ~Guard() { (*n)--; }
};
}  // namespace boat

static std::atomic<int64_t> frames{0}, foreign{0};

extern "C" {
void throw_foreign_gone(_Unwind_Reason_Code, _Unwind_Exception *e) {
  foreign--;
  free(e);
}

__attribute__((noinline)) int64_t throw_kind(int64_t kind) {
  boat::Guard g(&frames);
  switch (kind) {
  case 1: throw std::runtime_error("the plugin is \xff tired");
  case 2: throw 42;
  case 3: throw std::bad_alloc();
  case 4: throw boat::Capsized();
  case 5: throw boat::Sunk();
  case 6: {
    void *p = nullptr;
    if (posix_memalign(&p, 64, sizeof(_Unwind_Exception))) abort();
    auto *e = new (p) _Unwind_Exception();
    memcpy(&e->exception_class, "\0TSUR" "ZOM", 8);
    e->exception_cleanup = throw_foreign_gone;
    foreign++;
    _Unwind_RaiseException(e);
    abort();
  }
  case 7: throw std::runtime_error(std::string(100000, 'x'));
  case 8: {  // thrown again from another exception pointer
    std::exception_ptr p;
    try { throw boat::Sunk(); } catch (...) { p = std::current_exception(); }
    std::rethrow_exception(p);
  }
  case 9:  // inside a handler
    try { throw boat::Sunk(); } catch (...) { throw_kind(1); }
  case 10: throw "a pointer";
  }
  return kind;
}

int64_t throw_left(void) { return boat::alive + frames + foreign; }
int64_t throw_uncaught(void) { return std::uncaught_exceptions(); }

int64_t throw_six(int64_t kind, int64_t, int64_t, int64_t, int64_t, int64_t) { return throw_kind(kind); }
void *throw_slot(int64_t *kind) { throw_kind(*kind); return nullptr; }
int throw_step(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f, int64_t g, int64_t h, int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t kind) {
  return a + b + c + d + e + f + g + h + i + j + k + l + m == 78 ? (throw_kind(kind), 0) : 1;
}

// Calls back, and throws when that returns: C++, Go, C++, and an exception in each.
int64_t throw_around(int64_t (*f)(int64_t, int64_t), int64_t kind, int64_t user) {
  boat::Guard g(&frames);
  int64_t inner = 0;
  try { inner = f(kind, user); } catch (...) { return -1; }
  throw std::runtime_error(inner == kind ? "after the callback" : "the callback did not come back");
}
}
