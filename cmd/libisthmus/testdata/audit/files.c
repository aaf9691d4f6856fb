#include "audit.h"
#define AREA "files"

#include <stdlib.h>
#include <unistd.h>

enum { PATH = 512 };

static const char *folder(void) {
  const char *dir = getenv("TMPDIR");
  return dir != NULL ? dir : "/tmp";
}

// A file of its own with the content, or none if that is NULL; its path is a string.
static rt_value a_file(char *path, const char *content) {
  snprintf(path, PATH, "%s/isthmus-audit-XXXXXX", folder());
  int fd = mkstemp(path);
  if (fd < 0) return RT_NIL;
  if (content == NULL) unlink(path);
  else if (write(fd, content, strlen(content)) < 0) unlink(path);
  close(fd);
  return text(path);
}

static rt_value opened(rt_value path, int mode) {
  rt_value f = rt_async_file_create(path, mode, 0);
  EQ(rt_type(f), RT_T_FILE);
  return f;
}

// The result of a future that was asked for just now.
static rt_value result(rt_value future, int32_t *error) {
  rt_value v;
  CHECK(rt_type(future) == RT_T_FUTURE);
  *error = rt_future_await_ex(future, -1, &v);
  rt_release(future);
  return v;
}

static void reads(rt_value f, int64_t offset, int64_t n, const char *want) {
  int32_t error;
  rt_value s = result(rt_async_file_read(f, offset, n), &error);
  EQ(error, 0);
  CHECK(is_text(s, want));
  FREE(s);
}

static void fails(rt_value future, int32_t want) {
  if (rt_type(future) != RT_T_FUTURE) {
    CHECK(rt_type(future) == RT_T_FUTURE);
    return;
  }
  EQ(rt_future_await(future), RT_NIL);
  EQ(rt_last_error(), want);
  CHECK(rt_string_len(rt_future_reason(future)) > 0 || want == RT_E_CANCELLED);
  FREE(future);
}

TEST(test_async_file_create) {
  char path[PATH];
  rt_value p = a_file(path, "Hello, async file!"), f = opened(p, RT_FILE_READ);
  reads(f, 0, 100, "Hello, async file!");
  reads(f, 7, 5, "async");
  reads(f, 18, 5, "");
  EQ(rt_async_file_close(f), 1);
  REFUSED(rt_async_file_close(f), 0, RT_E_CLOSED);
  FREE(f);
  FREE(p);
  unlink(path);
}

TEST(test_async_file_loading_lifecycle) {
  char path[PATH];
  rt_value p = a_file(path, "content");
  int64_t f = native_async_file_create(p, 0, 0);
  CHECK(f != 0);
  native_async_file_start_loading(f);
  EQ(native_async_file_wait(f), rt_int(1));
  EQ(native_async_file_is_ready(f), 1);
  EQ(native_async_file_get_state(f), RT_FILE_READY);
  EQ(rt_async_file_close((rt_value)f), 1);
  EQ(native_async_file_is_ready(f), 0);
  EQ(native_async_file_get_state(f), RT_FILE_FAILED);
  FREE((rt_value)f);
  EQ(native_async_file_get_state(f), RT_FILE_FAILED);
  FREE(p);
  unlink(path);
}

TEST(test_async_file_invalid_path) {
  char path[PATH];
  rt_value p = a_file(path, NULL), f = opened(p, RT_FILE_READ);
  REFUSED(rt_async_file_wait(f), 0, RT_E_NOT_FOUND);
  EQ(rt_async_file_get_state(f), RT_FILE_FAILED);
  fails(rt_async_file_read(f, 0, 1), RT_E_NOT_FOUND);
  fails(rt_async_file_size(f), RT_E_NOT_FOUND);
  EQ(rt_async_file_close(f), 1);
  FREE(f);
  FREE(p);
  rt_value dir = text(folder()), empty = text(""), nul = rt_string_new((const uint8_t *)"a\0b", 3);
  f = opened(dir, RT_FILE_READ);
  REFUSED(rt_async_file_wait(f), 0, RT_E_DIRECTORY);
  FREE(f);
  REFUSED(rt_async_file_create(empty, 0, 0), RT_NIL, RT_E_VALUE);
  REFUSED(rt_async_file_create(nul, 0, 0), RT_NIL, RT_E_VALUE);
  REFUSED(rt_async_file_create(dir, 3, 0), RT_NIL, RT_E_VALUE);
  REFUSED(rt_async_file_create(dir, -1, 0), RT_NIL, RT_E_VALUE);
  FREE(dir);
  FREE(empty);
  FREE(nul);
}

TEST(test_async_file_invalid_handle) {
  rt_value t = rt_tuple_new(1);
  rt_value words[] = {99999, RT_NIL, rt_int(3), ~0ULL, t};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    rt_value w = words[i];
    int32_t why = w == t ? RT_E_TYPE : RT_E_HANDLE;
    EQ(native_async_file_is_ready((int64_t)w), 0);
    EQ(native_async_file_get_state((int64_t)w), RT_FILE_FAILED);
    EQ(native_async_file_wait((int64_t)w), rt_int(0));
    REFUSED(rt_async_file_wait(w), 0, why);
    REFUSED(rt_async_file_close(w), 0, why);
    REFUSED(rt_async_file_read(w, 0, 1), RT_NIL, why);
    REFUSED(rt_async_file_prefault(w, 0, 1), RT_NIL, why);
    REFUSED(rt_async_file_size(w), RT_NIL, why);
    REFUSED(rt_async_file_sync(w), RT_NIL, why);
    REFUSED(rt_async_file_create(w, 0, 0), RT_NIL, why);
    REFUSED(rt_async_file_start_loading(w), false, why);
  }
  FREE(t);
}

TEST(test_async_file_multiple_handles) {
  enum { N = 50 };
  char paths[N][PATH];
  rt_value f[N], done[N];
  for (int i = 0; i < N; i++) {
    rt_value p = a_file(paths[i], "file content");
    f[i] = opened(p, RT_FILE_READ);
    done[i] = rt_async_file_read(f[i], 5, 7);
    FREE(p);
  }
  for (int i = 0; i < N; i++) {
    int32_t error;
    rt_value s = result(done[i], &error);
    EQ(error, 0);
    CHECK(is_text(s, "content"));
    FREE(s);
    FREE(f[i]); // not closed: it is closed behind our back
    unlink(paths[i]);
  }
}

TEST(test_async_file_with_prefault) {
  char path[PATH], content[8193];
  memset(content, 'x', sizeof content - 1);
  content[sizeof content - 1] = 0;
  rt_value p = a_file(path, content), f = rt_async_file_create(p, RT_FILE_READ, 1);
  EQ(rt_async_file_wait(f), 1);
  int32_t error;
  rt_value ok = result(rt_async_file_prefault(f, 4097, 1 << 20), &error);
  EQ(error, 0);
#ifdef __linux__
  EQ(ok, RT_TRUE);
#endif
  (void)ok;
  fails(rt_async_file_prefault(f, -1, 1), RT_E_INDEX);
  EQ(result(rt_async_file_size(f), &error), rt_int(8192));
  FREE(f);
  FREE(p);
  unlink(path);
}

TEST(test_async_file_string_extraction_failure) {
  EQ(native_async_file_create(rt_int(42), 0, 0), 0);
  EQ(native_async_file_create(RT_NIL, 0, 0), 0);
}

TEST(test_async_file_write) {
  char path[PATH];
  rt_value p = a_file(path, NULL), s = text("hello, world"), w = text("there");
  rt_value f = opened(p, RT_FILE_READ_WRITE | RT_FILE_CREATE);
  int32_t error;
  EQ(result(rt_async_file_write(f, 0, s), &error), rt_int(12));
  rt_value late = rt_async_file_write(f, 7, w);
  rt_release(w); // it is counted until it is written
  EQ(result(late, &error), rt_int(5));
  reads(f, 0, 1000, "hello, there");
  EQ(result(rt_async_file_sync(f), &error), RT_TRUE);
  fails(rt_async_file_write(f, -1, s), RT_E_INDEX);
  fails(rt_async_file_read(f, 13, 1), RT_E_INDEX);
  fails(rt_async_file_read(f, -1, 1), RT_E_INDEX);
  fails(rt_async_file_read(f, 0, -1), RT_E_INDEX);
  REFUSED(rt_async_file_write(f, 0, RT_NIL), RT_NIL, RT_E_HANDLE);
  REFUSED(rt_async_file_write(f, 0, f), RT_NIL, RT_E_TYPE);
  EQ(rt_async_file_close(f), 1);
  fails(rt_async_file_read(f, 0, 1), RT_E_CLOSED);
  fails(rt_async_file_write(f, 0, s), RT_E_CLOSED);
  FREE(f);
  f = opened(p, RT_FILE_READ);
  fails(rt_async_file_write(f, 0, s), RT_E_PERMISSION);
  FREE(f);
  FREE(s);
  FREE(p);
  unlink(path);
}

TEST(test_async_file_disk_full) {
  rt_value p = text("/dev/full"), s = text("more"), f = opened(p, RT_FILE_WRITE);
  if (rt_async_file_wait(f) == 1) fails(rt_async_file_write(f, 0, s), RT_E_DISK_FULL);
  FREE(f);
  FREE(s);
  FREE(p);
}

TEST(test_async_file_atomic) {
  char path[PATH];
  rt_value p = a_file(path, "old"), s = text("new"), f = opened(p, RT_FILE_WRITE | RT_FILE_ATOMIC), old;
  int32_t error;
  EQ(result(rt_async_file_write(f, 0, s), &error), rt_int(3));
  old = opened(p, RT_FILE_READ);
  reads(old, 0, 10, "old");
  EQ(rt_async_file_close(f), 1);
  reads(old, 0, 10, "old"); // who had it open has it
  FREE(old);
  old = opened(p, RT_FILE_READ);
  reads(old, 0, 10, "new");
  FREE(old);
  FREE(f);
  FREE(s);
  FREE(p);
  unlink(path);
}

// Writes that nobody waited for are done when the file is closed, in order.
TEST(test_async_file_close_behind_writes) {
  char path[PATH];
  rt_value p = a_file(path, NULL), f = opened(p, RT_FILE_WRITE | RT_FILE_CREATE | RT_FILE_APPEND);
  for (int i = 0; i < 1000; i++) {
    rt_value s = text("0123456789");
    FREE(rt_async_file_write(f, 0, s));
    FREE(s);
  }
  EQ(rt_async_file_close(f), 1);
  FREE(f);
  f = opened(p, RT_FILE_READ);
  int32_t error;
  EQ(result(rt_async_file_size(f), &error), rt_int(10000));
  reads(f, 9990, 10, "0123456789");
  FREE(f);
  FREE(p);
  unlink(path);
}

// What is made for a scope goes with it: files, futures and strings.
TEST(test_async_file_in_a_scope) {
  char path[PATH];
  rt_scope_push();
  rt_value p = a_file(path, "in a scope"), f = opened(p, RT_FILE_READ), v = rt_future_await(rt_async_file_read(f, 3, 7));
  CHECK(is_text(v, "a scope"));
  EQ(rt_async_file_close(f), 1);
  rt_scope_pop(RT_NIL);
  EQ(rt_type(f), RT_T_NONE);
  unlink(path);
}

// A coroutine of the library's waits for files, and its worker does not: many at once on few threads.
static rt_value copies(rt_value path) {
  rt_value f = rt_async_file_create(path, RT_FILE_READ, 0), future = rt_async_file_read(f, 0, 100), s = rt_future_await(future);
  rt_release(future);
  rt_async_file_close(f);
  rt_release(f);
  return s;
}

TEST(test_async_file_in_bodies) {
  char path[PATH];
  enum { N = 200 };
  rt_value p = a_file(path, "read by many"), all = rt_array_new(N);
  for (int i = 0; i < N; i++) {
    rt_value f = rt_future_new(copies, p);
    rt_array_push(all, f);
    rt_release(f);
  }
  rt_value results = rt_future_all(all);
  EQ(rt_array_len(results), N);
  for (int i = 0; i < N; i++) CHECK(is_text(rt_array_get(results, i), "read by many"));
  FREE(results);
  FREE(all);
  FREE(p);
  unlink(path);
}
