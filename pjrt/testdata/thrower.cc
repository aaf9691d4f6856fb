// A plugin that throws: it stands before the function table of another one, and any of its functions throws on request,
// before it does its work or after it.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>
#include <unwind.h>

namespace { namespace thrower {
static std::atomic<int64_t> alive{0}, thrown{0};
struct Own {
  Own() { alive++; }
  Own(const Own &) { alive++; }
  ~Own() { alive--; }
};
constexpr int max_slots = 256;
using fn = void *(*)(void *);
static fn real[max_slots];
static std::atomic<int64_t> armed{-1}, kind{0}, after{0};
static char table[1 << 14];

static void gone(_Unwind_Reason_Code, _Unwind_Exception *e) {
  alive--;
  free(e);
}

[[noreturn]] static void raise() {
  Own local;
  thrown++;
  switch (kind.load()) {
  case 1: throw std::runtime_error("out of cheese");
  case 2: throw 42;
  case 3: throw std::bad_alloc();
  case 4: throw Own();
  }
  void *p = nullptr;
  if (posix_memalign(&p, 64, sizeof(_Unwind_Exception))) abort();
  auto *e = new (p) _Unwind_Exception();
  memcpy(&e->exception_class, "\0TSUR" "ZOM", 8);
  e->exception_cleanup = gone;
  alive++;
  _Unwind_RaiseException(e);
  abort();
}

template <int N> void *stub(void *args) {
  Own local;
  const bool now = armed.load(std::memory_order_relaxed) == N;
  if (now && !after) raise();
  void *e = real[N](args);
  if (now) raise();
  return e;
}

template <int... N> void fill(void **to, std::integer_sequence<int, N...>) {
  static const fn stubs[] = {stub<N>...};
  for (int i = 0; i < max_slots; i++)
    if (real[i]) to[i] = (void *)stubs[i];
}
}}  // namespace thrower

extern "C" {
// thrower_before copies the table at api, of n functions from offset first.
void *thrower_before(const char *api, int64_t first, int64_t n) {
  using namespace thrower;
  uint64_t size;
  memcpy(&size, api, sizeof size);
  if (size > sizeof table || n > max_slots) return nullptr;
  memcpy(table, api, size);
  memset(real, 0, sizeof real);
  memcpy(real, api + first, n * sizeof(void *));
  fill((void **)(table + first), std::make_integer_sequence<int, max_slots>());
  return table;
}
void thrower_arm(int64_t slot, int64_t k, int64_t late) { thrower::kind = k, thrower::after = late, thrower::armed = slot; }
int64_t thrower_alive(void) { return thrower::alive; }
int64_t thrower_thrown(void) { return thrower::thrown; }
}
