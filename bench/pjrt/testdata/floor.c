// The raw C floor: what the calls of an execution and of transfers cost without any binding. Each function makes n
// rounds with a client, a program and buffers of its own, in the process of the binding that it is compared with.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xla/pjrt/c/pjrt_c_api.h"

static const PJRT_Api *api;
static PJRT_Client *client;
static PJRT_Device *device;
static PJRT_LoadedExecutable *exe;

#define ARGS(type, name) \
  PJRT_##type name;      \
  memset(&name, 0, sizeof name); \
  name.struct_size = PJRT_##type##_STRUCT_SIZE

static int finish(PJRT_Event *e) {
  ARGS(Event_Await_Args, w);
  w.event = e;
  if (api->PJRT_Event_Await(&w)) return 1;
  ARGS(Event_Destroy_Args, d);
  d.event = e;
  return api->PJRT_Event_Destroy(&d) != NULL;
}

static int drop(PJRT_Buffer *b) {
  ARGS(Buffer_Destroy_Args, d);
  d.buffer = b;
  return api->PJRT_Buffer_Destroy(&d) != NULL;
}

static int put(const void *data, int64_t n, PJRT_Buffer **out) {
  ARGS(Client_BufferFromHostBuffer_Args, a);
  a.client = client;
  a.data = data;
  a.type = PJRT_Buffer_Type_F32;
  a.dims = &n;
  a.num_dims = 1;
  a.host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableOnlyDuringCall;
  a.device = device;
  if (api->PJRT_Client_BufferFromHostBuffer(&a)) return 1;
  *out = a.buffer;
  return finish(a.done_with_host_buffer);
}

int floor_setup(const PJRT_Api *p, const char *code, size_t code_size, const char *options, size_t options_size) {
  api = p;
  ARGS(Client_Create_Args, c);
  if (api->PJRT_Client_Create(&c)) return 1;
  client = c.client;
  ARGS(Client_AddressableDevices_Args, d);
  d.client = client;
  if (api->PJRT_Client_AddressableDevices(&d)) return 2;
  device = d.addressable_devices[0];
  ARGS(Program, g);
  g.code = (char *)code;
  g.code_size = code_size;
  g.format = "mlir";
  g.format_size = 4;
  ARGS(Client_Compile_Args, m);
  m.client = client;
  m.program = &g;
  m.compile_options = options;
  m.compile_options_size = options_size;
  if (api->PJRT_Client_Compile(&m)) return 3;
  exe = m.executable;
  return 0;
}

int floor_execute(size_t n) {
  float data[4] = {1, 2, 3, 4};
  PJRT_Buffer *in[2];
  if (put(data, 4, &in[0]) || put(data, 4, &in[1])) return 1;
  for (size_t i = 0; i < n; i++) {
    PJRT_Buffer *const *args[1] = {in};
    PJRT_Buffer *out[1];
    PJRT_Buffer **outs[1] = {out};
    PJRT_Event *ev[1];
    ARGS(ExecuteOptions, o);
    ARGS(LoadedExecutable_Execute_Args, a);
    a.executable = exe;
    a.options = &o;
    a.argument_lists = args;
    a.num_devices = 1;
    a.num_args = 2;
    a.output_lists = outs;
    a.device_complete_events = ev;
    if (api->PJRT_LoadedExecutable_Execute(&a)) return 2;
    if (finish(ev[0]) || drop(out[0])) return 3;
  }
  return drop(in[0]) || drop(in[1]);
}

int floor_put(size_t n, size_t floats) {
  float *data = calloc(floats, 4);
  int bad = 0;
  for (size_t i = 0; i < n && !bad; i++) {
    PJRT_Buffer *b;
    bad = put(data, (int64_t)floats, &b) || drop(b);
  }
  free(data);
  return bad;
}

int floor_get(size_t n, size_t floats) {
  float *data = calloc(floats, 4);
  PJRT_Buffer *b;
  int bad = put(data, (int64_t)floats, &b);
  for (size_t i = 0; i < n && !bad; i++) {
    ARGS(Buffer_ToHostBuffer_Args, a);
    a.src = b;
    a.dst = data;
    a.dst_size = 4 * floats;
    bad = api->PJRT_Buffer_ToHostBuffer(&a) != NULL || finish(a.event);
  }
  free(data);
  return bad || drop(b);
}
