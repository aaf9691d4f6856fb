//go:build linux || darwin

// The runtime's start and end, and the child of a fork.

#define RTI_MAY_SWITCH
#include "run.h"

#include <pthread.h>
#include <stdlib.h>

#if defined(__linux__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rt_heap_ **copies; // each executable and library has one
static size_t ncopies;
static bool atfork, half; // half: bodies were under way when rt_shutdown gave up

// mapped says whether p can be written to: a library may have been unloaded with its copy.
static bool mapped(void *p) {
#if defined(__linux__) || defined(__APPLE__)
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)p & ~(page - 1), end = (uintptr_t)p + sizeof(rt_heap_) - 1;
  for (; at <= end; at += page)
    if (msync((void *)at, page, MS_ASYNC) != 0) return false;
#endif
  return true;
}

// In a fork's child there are no other threads, and the locks are as they were: nothing may be waited for, and Go cannot be
// entered. The table becomes the empty one, in which every handle is stale.
static void child(void) {
  if (off_now() != RT_OK) return;
  rti_off = RT_E_FORKED;
  rt_heap_ was = rt_h_, none = {&rt_no_slot_, 0, 0, 0};
  for (size_t i = 0; i < ncopies; i++)
    if (mapped(copies[i]) && memcmp(copies[i], &was, sizeof was) == 0) *copies[i] = none;
  rt_h_ = none;
  thread *t = me(); // its free blocks are below another base
  t->nslots = 0;
  memset(t->nblocks, 0, sizeof t->nblocks);
}

static bool keep(rt_heap_ *heap) { // under the lock
  for (size_t i = 0; i < ncopies; i++)
    if (copies[i] == heap) return true;
  if ((ncopies & (ncopies + 1)) == 0 || copies == NULL) {
    rt_heap_ **p = realloc(copies, 2 * (ncopies + 1) * sizeof *p);
    if (p == NULL) return false;
    copies = p;
  }
  copies[ncopies++] = heap;
  return true;
}

// tell writes where the heap is, once: others may be at it already.
static void tell(rt_heap_ *copy, const rt_heap_ *heap) {
  if (memcmp(copy, heap, sizeof *heap) != 0) *copy = *heap;
}

int32_t rt_start_(uint32_t abi, rt_heap_ *heap) {
  if (abi != RT_ABI_VERSION || heap == NULL) return refused_for(RT_E_STATE);
  if (off_now() == RT_E_FORKED) return refused_for(RT_E_FORKED);
  if (rti_body() != RT_NIL && off_now() != RT_OK) return refused_for(RT_E_STATE);
  pthread_mutex_lock(&lock);
  rt_heap_ found = rt_h_;
  int32_t error = half ? RT_E_STATE : rti_start(&found);
  if (error == RT_OK && !keep(heap)) error = RT_E_MEMORY;
  if (error == RT_OK) {
    if (!atfork) atfork = pthread_atfork(NULL, NULL, child) == 0;
    tell(&rt_h_, &found);
    tell(heap, &found);
    __atomic_store_n(&rti_off, RT_OK, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&lock);
  return error == RT_OK ? RT_OK : refused_for(error);
}

int64_t rt_shutdown(int64_t timeout_ns) {
  if (off_now() == RT_E_FORKED) return nil_for(RT_E_FORKED), -1;
  if (rti_body() != RT_NIL) return nil_for(RT_E_STATE), -1;
  int64_t deadline = rti_deadline(timeout_ns), left = -1;
  pthread_mutex_lock(&lock);
  bool went = off_now() == RT_OK || half;
  if (went) {
    __atomic_store_n(&rti_off, RT_E_STOPPED, __ATOMIC_SEQ_CST);
    rti_lot_stop();
    rti_files_stop();
    half = !rti_sched_stop(deadline);
    left = half ? -2 : rti_clear();
  }
  pthread_mutex_unlock(&lock);
  if (left == -1) me()->error = went ? RT_E_DEFECT : RT_E_STOPPED;
  if (left == -2) me()->error = RT_E_TIMEOUT;
  return left;
}

int32_t isthmus_rt_running(void) { return rti_stopping() == RT_OK; }
