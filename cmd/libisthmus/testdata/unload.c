// A host that loads the library by itself, and unloads it whenever it likes: Go stays where it is, so what runs goes on.
#define RT_NO_INLINE
#include "check.h"

#include <dlfcn.h>

#define FUNCTIONS(F) \
  F(rt_init) F(rt_shutdown) F(rt_array_new) F(rt_array_len) F(rt_channel_new) F(rt_channel_send) F(rt_channel_recv_ex) F(rt_release) \
  F(rt_count) F(rt_objects) F(rt_last_error) F(rt_error_text)

#define F(name) static __typeof__(&name) at_##name;
FUNCTIONS(F)
#undef F
#define rt_last_error at_rt_last_error
#define rt_error_text at_rt_error_text

static void *load(const char *path) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (lib == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
#define F(name) *(void **)&at_##name = dlsym(lib, #name);
  FUNCTIONS(F)
#undef F
  CHECK(at_rt_init != NULL);
  return lib;
}

static rt_value ch;

static void *waits(void *p) {
  (void)p;
  rt_value v;
  int32_t e = at_rt_channel_recv_ex(ch, -1, &v);
  CHECK(e == RT_OK ? v == rt_int(1) : e == RT_E_STOPPED);
  CHECK(e != RT_OK || at_rt_channel_recv_ex(ch, -1, &v) == RT_E_STOPPED);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  for (int round = 0; round < 5; round++) {
    void *lib = load(argv[1]);
    if (round == 0) CHECK(at_rt_array_new(1) == RT_NIL && dlclose(lib) == 0); // nothing was started
    lib = load(argv[1]);
    CHECK(at_rt_init() == RT_OK);
    ch = at_rt_channel_new();
    pthread_t t[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, waits, NULL) == 0);
    EVENTUALLY(at_rt_count(ch) == 5); // who waits counts
    CHECK(dlclose(lib) == 0);         // they are in it
    CHECK(at_rt_channel_send(ch, rt_int(1)) == 1);
    CHECK(at_rt_array_len(at_rt_array_new(1)) == 0 && at_rt_objects() == 2);
    void *again = load(argv[1]); // where it was, with what it had
    CHECK(at_rt_objects() == 2 && dlclose(again) == 0);
    CHECK(at_rt_shutdown(-1) == 2 && at_rt_array_new(1) == RT_NIL && at_rt_last_error() == RT_E_STOPPED);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(!at_rt_release(ch));
  }
  puts("ok");
  return 0;
}
