// A client of the library in C: client MODE LIBRARY [LIBRARY]. It prints ok, or says what is wrong.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xla/pjrt/c/pjrt_c_api.h"

#define ARGS(T, v) T v; memset(&v, 0, sizeof v); v.struct_size = T##_STRUCT_SIZE

static void die(const char* what) {
  fprintf(stderr, "%s\n", what);
  _exit(1);
}

static const PJRT_Api* load(const char* path) {
  void* lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) die(dlerror());
  const PJRT_Api* (*get)(void) = (const PJRT_Api* (*)(void))dlsym(lib, "GetPjrtApi");
  if (!get) die("no GetPjrtApi");
  const PJRT_Api* api = get();
  if (!api) die("no table");
  if (api != get()) die("two tables");
  if (api->struct_size != PJRT_Api_STRUCT_SIZE || api->pjrt_api_version.major_version != 0 || api->pjrt_api_version.minor_version != PJRT_API_MINOR)
    die("the table's size or version is wrong");
  for (size_t i = offsetof(PJRT_Api, PJRT_Error_Destroy); i < PJRT_Api_STRUCT_SIZE; i += sizeof(void*))
    if (!*(void**)((char*)api + i)) die("a function is null");
  return api;
}

static void must(const PJRT_Api* api, PJRT_Error* e) {
  if (!e) return;
  ARGS(PJRT_Error_Message_Args, m);
  m.error = e;
  api->PJRT_Error_Message(&m);
  fprintf(stderr, "%.*s\n", (int)m.message_size, m.message);
  _exit(1);
}

static PJRT_Client* create(const PJRT_Api* api) {
  ARGS(PJRT_Client_Create_Args, a);
  must(api, api->PJRT_Client_Create(&a));
  return a.client;
}

static void use(const PJRT_Api* api, PJRT_Client* c) {
  ARGS(PJRT_Client_PlatformName_Args, p);
  p.client = c;
  must(api, api->PJRT_Client_PlatformName(&p));
  if (p.platform_name_size != 3 || memcmp(p.platform_name, "cpu", 3)) die("the platform is not cpu");
  ARGS(PJRT_Client_Devices_Args, d);
  d.client = c;
  must(api, api->PJRT_Client_Devices(&d));
  if (d.num_devices != 1) die("not one device");
  static const char code[] = "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> { %0 = stablehlo.add %a, %a : tensor<4xf32> return %0 : tensor<4xf32> }";
  ARGS(PJRT_Program, prog);
  prog.code = (char*)code, prog.code_size = sizeof code - 1, prog.format = "mlir", prog.format_size = 4;
  ARGS(PJRT_Client_Compile_Args, x);
  x.client = c, x.program = &prog, x.compile_options = "", x.compile_options_size = 0;
  must(api, api->PJRT_Client_Compile(&x));
  float data[4] = {1, 2, 3, 4};
  int64_t dims[1] = {4};
  ARGS(PJRT_Client_BufferFromHostBuffer_Args, b);
  b.client = c, b.data = data, b.type = PJRT_Buffer_Type_F32, b.dims = dims, b.num_dims = 1, b.device = d.devices[0];
  must(api, api->PJRT_Client_BufferFromHostBuffer(&b));
  ARGS(PJRT_Event_Destroy_Args, done);
  done.event = b.done_with_host_buffer;
  must(api, api->PJRT_Event_Destroy(&done));
  PJRT_Buffer *in[1] = {b.buffer}, *out[1] = {0};
  PJRT_Buffer *const *ins[1] = {in};
  PJRT_Buffer** outs[1] = {out};
  ARGS(PJRT_ExecuteOptions, opt);
  ARGS(PJRT_LoadedExecutable_Execute_Args, e);
  e.executable = x.executable, e.options = &opt, e.argument_lists = ins, e.num_devices = 1, e.num_args = 1, e.output_lists = outs;
  must(api, api->PJRT_LoadedExecutable_Execute(&e));
  float got[4] = {0};
  ARGS(PJRT_Buffer_ToHostBuffer_Args, h);
  h.src = out[0], h.dst = got, h.dst_size = sizeof got;
  must(api, api->PJRT_Buffer_ToHostBuffer(&h));
  ARGS(PJRT_Event_Await_Args, w);
  w.event = h.event;
  must(api, api->PJRT_Event_Await(&w));
  done.event = h.event;
  must(api, api->PJRT_Event_Destroy(&done));
  for (int i = 0; i < 4; i++)
    if (got[i] != 2 * data[i]) die("wrong result");
  ARGS(PJRT_Buffer_Destroy_Args, bd);
  bd.buffer = out[0];
  must(api, api->PJRT_Buffer_Destroy(&bd));
  bd.buffer = in[0];
  must(api, api->PJRT_Buffer_Destroy(&bd));
  ARGS(PJRT_LoadedExecutable_Destroy_Args, xd);
  xd.executable = x.executable;
  must(api, api->PJRT_LoadedExecutable_Destroy(&xd));
}

static void destroy(const PJRT_Api* api, PJRT_Client* c) {
  ARGS(PJRT_Client_Destroy_Args, a);
  a.client = c;
  must(api, api->PJRT_Client_Destroy(&a));
}

// joined waits for a child and passes its failure on.
static void joined(pid_t pid) {
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) die("the child failed");
}

static const PJRT_Api* shared_api;
static PJRT_Client* shared_client;
static void* worker(void* arg) {
  for (int i = 0; i < 200; i++) use(shared_api, shared_client);
  return arg;
}

int main(int argc, char** argv) {
  if (argc < 3) die("usage: client MODE LIBRARY [LIBRARY]");
  const char* mode = argv[1];
  if (!strcmp(mode, "fork-first")) {  // the child loads for itself
    pid_t pid = fork();
    const PJRT_Api* api = load(argv[2]);
    PJRT_Client* c = create(api);
    use(api, c);
    destroy(api, c);
    if (pid == 0) _exit(0);
    joined(pid);
    puts("ok");
    return 0;
  }
  const PJRT_Api* api = load(argv[2]);
  PJRT_Client* c = create(api);
  use(api, c);
  if (!strcmp(mode, "fork")) {  // the child has no Go threads: errors, no hang
    pid_t pid = fork();
    if (pid == 0) {
      alarm(20);
      ARGS(PJRT_Client_Create_Args, a);
      PJRT_Error* e = api->PJRT_Client_Create(&a);
      if (!e) die("no error after the fork");
      ARGS(PJRT_Error_Message_Args, m);
      m.error = e;
      api->PJRT_Error_Message(&m);
      ARGS(PJRT_Error_GetCode_Args, g);
      g.error = e;
      if (api->PJRT_Error_GetCode(&g) || g.code != PJRT_Error_Code_FAILED_PRECONDITION) die("the wrong code");
      if (!memmem(m.message, m.message_size, "fork", 4)) die("the wrong text");
      ARGS(PJRT_Error_Destroy_Args, d);
      d.error = e;
      api->PJRT_Error_Destroy(&d);
      ARGS(PJRT_Client_Destroy_Args, cd);
      cd.client = c;
      if (!api->PJRT_Client_Destroy(&cd)) die("a client was destroyed after the fork");
      exit(0);  // with the exit handlers
    }
    joined(pid);
  } else if (!strcmp(mode, "twice")) {
    const PJRT_Api* other = load(argv[3]);
    if (other == api) die("one library under two names");
    PJRT_Client* d = create(other);
    use(other, d);
    use(api, c);
    destroy(other, d);
  } else if (!strcmp(mode, "clients")) {
    PJRT_Client* d = create(api);
    use(api, d);
    destroy(api, c);
    use(api, d);
    c = d;
  } else if (!strcmp(mode, "threads")) {
    shared_api = api, shared_client = c;
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
      if (pthread_create(&t[i], NULL, worker, NULL)) die("no thread");
    for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
  } else {
    die("unknown mode");
  }
  use(api, c);
  destroy(api, c);
  puts("ok");
  return 0;
}
