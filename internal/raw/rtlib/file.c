//go:build linux || darwin

// Files. Go does the work, on a pool of its own (internal/rtfile); what is asked for here ends in a future. So no thread of
// C's, and no coroutine, waits for a disk unless it awaits.

#define RTI_MAY_SWITCH
#include "run.h"

int32_t rtgo_file_create(rt_value path, int32_t mode, int32_t prefault, rt_value *file);
void rtgo_file(int32_t what, rt_value file, rt_value text, int64_t offset, int64_t n, rt_value promise);
int32_t rtgo_file_state(rt_value file);
void rtgo_file_end(uint64_t id);
void rtgo_files_stop(void);

// What Go is asked to do: file.go has the same.
enum { READ, WRITE, PREFAULT, SIZE, SYNC, WAIT, CLOSE };

typedef struct question {
  int32_t what;
  rt_value file, text, promise;
  int64_t offset, n;
  int32_t r;
} question;

static void create(void *arg) {
  question *q = arg;
  q->r = rtgo_file_create(q->text, q->what, (int32_t)q->n, &q->file);
}

static void ask(void *arg) {
  question *q = arg;
  rtgo_file(q->what, q->file, q->text, q->offset, q->n, q->promise);
}

static void look(void *arg) {
  question *q = arg;
  q->r = rtgo_file_state(q->file);
}

static void end(void *arg) { rtgo_file_end((uint64_t)((question *)arg)->offset); }
static void stop(void *arg) {
  (void)arg;
  rtgo_files_stop();
}

void rti_file_end(uint64_t id) {
  if (off_now() != RT_E_FORKED) rti_on_thread_stack(end, &(question){.offset = (int64_t)id});
}
void rti_files_stop(void) { rti_on_thread_stack(stop, NULL); }

static bool is_file(rt_value file) {
  if (rt_live_(rt_slot_of_(file), file, RT_T_FILE)) {
    int32_t off = rti_stopping();
    return off == RT_OK || no_for(off);
  }
  rt_refuse_(file, 0);
  return false;
}

// promised asks Go: a future that nobody's scope knows of.
static rt_value promised(int what, rt_value file, rt_value text, int64_t offset, int64_t n) {
  if (!is_file(file)) return RT_NIL;
  rt_value f = rti_future_waiting();
  if (f == RT_NIL) return RT_NIL;
  question q = {.what = what, .file = file, .text = text, .offset = offset, .n = n, .promise = f};
  rti_on_thread_stack(ask, &q);
  return f;
}

static rt_value asked(int what, rt_value file, rt_value text, int64_t offset, int64_t n) {
  rt_value f = promised(what, file, text, offset, n);
  return f != RT_NIL ? rti_own(f) : RT_NIL;
}

// waited asks Go and waits: 0, or why not.
static int32_t waited(int what, rt_value file) {
  rt_value f = promised(what, file, RT_NIL, 0, 0), v;
  if (f == RT_NIL) return me()->error;
  int32_t error = rt_future_await_ex(f, -1, &v);
  rt_release(f);
  return error;
}

rt_value rt_async_file_create(rt_value path, int32_t mode, int32_t prefault) {
  if (!rti_hold(path, RT_T_STRING)) return RT_NIL;
  question q = {.what = mode, .text = path, .n = prefault, .file = RT_NIL, .r = rti_stopping()};
  if (q.r == RT_OK) rti_on_thread_stack(create, &q);
  rt_release(path);
  return q.r == RT_OK ? rti_own(q.file) : nil_for(q.r);
}

rt_value rt_async_file_read(rt_value file, int64_t offset, int64_t n) { return asked(READ, file, RT_NIL, offset, n); }

rt_value rt_async_file_write(rt_value file, int64_t offset, rt_value text) {
  if (!rti_hold(text, RT_T_STRING)) return RT_NIL;
  rt_value f = asked(WRITE, file, text, offset, 0);
  rt_release(text); // Go counts it until it is written
  return f;
}

rt_value rt_async_file_prefault(rt_value file, int64_t offset, int64_t n) { return asked(PREFAULT, file, RT_NIL, offset, n); }
rt_value rt_async_file_size(rt_value file) { return asked(SIZE, file, RT_NIL, 0, 0); }
rt_value rt_async_file_sync(rt_value file) { return asked(SYNC, file, RT_NIL, 0, 0); }

int64_t rt_async_file_close(rt_value file) { return waited(CLOSE, file) == RT_OK; }
int64_t rt_async_file_wait(rt_value file) { return waited(WAIT, file) == RT_OK; }
bool rt_async_file_start_loading(rt_value file) { return is_file(file); }

int32_t rt_async_file_get_state(rt_value file) {
  if (!is_file(file)) return RT_FILE_FAILED;
  question q = {.file = file, .r = RT_FILE_FAILED};
  rti_on_thread_stack(look, &q);
  return q.r;
}

int64_t rt_async_file_is_ready(rt_value file) { return rt_async_file_get_state(file) == RT_FILE_READY; }

// The original's names. It had numbers for files, 0 for none; here a file is its value.
int64_t native_async_file_create(rt_value path, int32_t mode, int32_t prefault) {
  rt_value file = rt_async_file_create(path, mode, prefault);
  return file == RT_NIL ? 0 : (int64_t)file;
}
void native_async_file_start_loading(int64_t file) { rt_async_file_start_loading((rt_value)file); }
int32_t native_async_file_is_ready(int64_t file) { return (int32_t)rt_async_file_is_ready((rt_value)file); }
int32_t native_async_file_get_state(int64_t file) { return rt_async_file_get_state((rt_value)file); }
rt_value native_async_file_wait(int64_t file) { return rt_int(rt_async_file_wait((rt_value)file)); }
