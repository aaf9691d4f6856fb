//go:build linux || darwin

// Workers and coroutines. A worker's own stack takes work, and switches to a coroutine that does it: the one that was
// waiting, or an idle one. The coroutine comes back when it waits, when it is done, and when it needs the thread's own
// stack.

#define RTI_MAY_SWITCH
#include "run.h"
#include "strand.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#if defined(__x86_64__) || defined(__aarch64__)
#define COROUTINES 1
RTI_HIDDEN void rti_switch(void **from, void *to);
RTI_HIDDEN void rti_entry(void);
#else
#define COROUTINES 0
static void rti_switch(void **from, void *to) { (void)from, (void)to; }
static void rti_entry(void) {}
#endif
RTI_HIDDEN void rti_coroutine(void);

// ---- The sanitizers are told of stacks, if the program has one ----
#if defined(__linux__)
#define MAYBE __attribute__((weak))
#define SANITIZERS 1
extern MAYBE void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
extern MAYBE void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);
extern MAYBE void *__tsan_get_current_fiber(void);
extern MAYBE void *__tsan_create_fiber(unsigned flags);
extern MAYBE void __tsan_switch_to_fiber(void *fiber, unsigned flags);
extern MAYBE void __tsan_destroy_fiber(void *fiber);
extern MAYBE void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#else
#define SANITIZERS 0
#endif

// on_stack goes from one stack of this thread to another, and returns when somebody comes back. It may then be on another
// thread. done: from will not be come back to.
__attribute__((noinline)) static void on_stack(rti_stack *from, rti_stack *to, bool done) {
  thread *t = rti_me();
  t->on = to;
  t->asker = from;
#if SANITIZERS
  if (__tsan_switch_to_fiber != NULL) {
    if (from->tsan == NULL) from->tsan = __tsan_get_current_fiber();
    if (to->tsan == NULL) to->tsan = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(to->tsan, 0);
  }
  if (__sanitizer_start_switch_fiber != NULL) __sanitizer_start_switch_fiber(done ? NULL : &from->fake, to->bottom, to->size);
#else
  (void)done;
#endif
  rti_switch(&from->sp, to->sp);
#if SANITIZERS
  if (__sanitizer_finish_switch_fiber != NULL) {
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(from->fake, &bottom, &size);
    rti_stack *back = rti_me()->asker;
    if (back != NULL) back->bottom = bottom, back->size = size;
  }
#endif
}

// ---- Strands and their stacks ----
enum { IDS = 1 << 20, CHUNK = 1 << 10, STACK = 256 << 10, SLAB = 16, HOT = 32, DEEP = 100, ROOM = 96 << 10 };

static pthread_mutex_t ids_lock = PTHREAD_MUTEX_INITIALIZER;
static rti_strand **ids[IDS / CHUNK];
static uint32_t last_id;
static rti_strand *free_threads, *free_coroutines;
static size_t free_count, page;
static char *slab;
static size_t slab_left;

static bool number(rti_strand *s) { // under ids_lock
  if (last_id + 1 == IDS) return false;
  uint32_t id = last_id + 1;
  if (ids[id / CHUNK] == NULL && (ids[id / CHUNK] = calloc(CHUNK, sizeof *ids[0])) == NULL) return false;
  s->id = last_id = id;
  __atomic_store_n(&ids[id / CHUNK][id % CHUNK], s, __ATOMIC_RELEASE);
  return true;
}

static rti_strand *strand_of(uint32_t id) { // under ids_lock
  return id == 0 || id > last_id ? NULL : ids[id / CHUNK][id % CHUNK];
}

static rti_strand *now(void) {
  thread *t = rti_me();
  if (t->strand != NULL || t == &rti_poor) return t->strand;
  pthread_mutex_lock(&ids_lock);
  rti_strand *s = free_threads;
  if (s != NULL) {
    free_threads = s->next;
  } else if ((s = calloc(1, sizeof *s)) != NULL && !number(s)) {
    free(s);
    s = NULL;
  }
  pthread_mutex_unlock(&ids_lock);
  t->own = t->strand = s;
  return s;
}

void rti_strand_gone(thread *t) {
  if (t->own == NULL || off_now() == RT_E_FORKED) return;
  pthread_mutex_lock(&ids_lock);
  t->own->next = free_threads;
  free_threads = t->own;
  pthread_mutex_unlock(&ids_lock);
  t->own = t->strand = NULL;
}

// guard makes the lowest page of a stack one that nobody gets to: on new kernels without a mapping of its own.
static bool guard(char *p) {
#ifdef __linux__
  static int refused;
  if (!refused) {
    if (madvise(p, page, 102 /* MADV_GUARD_INSTALL */) == 0) return true;
    refused = 1;
  }
#endif
  return mprotect(p, page, PROT_NONE) == 0;
}

// begin makes s a stack that begins with rti_entry.
static void begin(rti_strand *s) {
#if SANITIZERS
  if (s->stack.tsan != NULL && __tsan_destroy_fiber != NULL) __tsan_destroy_fiber(s->stack.tsan);
  if (__asan_unpoison_memory_region != NULL) __asan_unpoison_memory_region(s->stack.bottom, s->stack.size);
#endif
  s->stack.tsan = s->stack.fake = NULL;
  uintptr_t *sp = (uintptr_t *)(void *)((uintptr_t)s & ~(uintptr_t)15);
#if defined(__aarch64__)
  sp -= 22; // as rti_switch leaves a stack: the link register is where it returns to
  memset(sp, 0, 22 * sizeof *sp);
  sp[11] = (uintptr_t)rti_entry;
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  sp[20] = fpcr;
#else
  sp -= 8; // a word of control, six registers, where to return to
  memset(sp, 0, 8 * sizeof *sp);
  sp[7] = (uintptr_t)rti_entry;
  uint32_t control[2] = {0x1f80, 0x037f};
  memcpy(sp, control, sizeof control);
#endif
  s->stack.sp = sp;
}

static rti_strand *take_coroutine(void) {
  if (!COROUTINES) return NULL;
  pthread_mutex_lock(&ids_lock);
  rti_strand *s = free_coroutines;
  if (s != NULL) {
    free_coroutines = s->next;
    __atomic_store_n(&free_count, free_count - 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&ids_lock);
    return s;
  }
  if (page == 0) page = (size_t)sysconf(_SC_PAGESIZE);
  if (slab_left == 0) {
    int flags = MAP_PRIVATE | MAP_ANON;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
#ifdef MAP_STACK
    flags |= MAP_STACK;
#endif
    char *p = mmap(NULL, (size_t)SLAB * STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p != MAP_FAILED) {
#ifdef MADV_NOHUGEPAGE
      madvise(p, (size_t)SLAB * STACK, MADV_NOHUGEPAGE); // a page is what a waiting body takes
#endif
      slab = p;
      slab_left = SLAB;
    }
  }
  if (slab_left > 0 && guard(slab)) {
    // The strand is at the top of its stack: both in one page.
    s = (rti_strand *)(void *)(slab + STACK - (sizeof *s + 63) / 64 * 64);
    s->stack.bottom = slab + page;
    s->stack.size = (size_t)((char *)s - (slab + page));
    s->coroutine = true;
    if (number(s)) {
      slab += STACK;
      slab_left--;
    } else {
      s = NULL;
    }
  }
  pthread_mutex_unlock(&ids_lock);
  if (s == NULL) return NULL;
  begin(s);
  return s;
}

static void give_coroutine(rti_strand *s) {
#ifdef __linux__
  if (__atomic_load_n(&free_count, __ATOMIC_RELAXED) > HOT) { // what it has written goes back, but for the page that it begins in
    char *from = (char *)(uintptr_t)s->stack.bottom, *to = (char *)((uintptr_t)s->stack.sp & ~(page - 1));
    if (to > from) madvise(from, (size_t)(to - from), MADV_DONTNEED);
  }
#endif
  pthread_mutex_lock(&ids_lock);
  s->next = free_coroutines;
  free_coroutines = s;
  __atomic_store_n(&free_count, free_count + 1, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&ids_lock);
}

rti_strand *rti_coroutine_now(void) {
  rti_strand *s = rti_me()->strand;
  return s != NULL && s->coroutine ? s : NULL;
}

uint32_t rti_strand_id(void) {
  rti_strand *s = now();
  return s != NULL ? s->id : 0;
}

// ---- Work ----
typedef struct work {
  void (*fn)(uint64_t);
  uint64_t arg;
} work;

enum { SEATS = 512, EXTRA = 64, TICK = 2000000, IDLE = 5000000000LL };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t idle, watch, quiet; // of workers without work; the watcher; who stops the runtime
  bool made;
  work *ring; // of work that waits for a worker: n of room, from `first` on
  size_t first, n, room;
  rti_strand *ready, **ready_end;
  uint64_t taken; // ever
  int workers, idlers, most;
  bool watching, watcher_sleeps, waking, quit;
  int64_t busy; // coroutines that are not idle
  int64_t bodies;
  rti_waiter **timers; // a heap, by deadline
  size_t ntimers, timers_room;
  struct seat {
    pthread_t id;
    thread *t;
    long tid;
    rti_strand *kept; // what the watcher saw
    uint32_t streak;
    enum { EMPTY, TAKEN, LEFT } is;
  } seats[SEATS];
  pthread_t watcher;
} sc = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready_end = &sc.ready};

static void make(void) { // under the lock
  if (sc.made) return;
  sc.made = true;
  pthread_condattr_t a;
  pthread_condattr_init(&a);
#ifndef __APPLE__
  pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
#endif
  pthread_cond_init(&sc.idle, &a);
  pthread_cond_init(&sc.watch, &a);
  pthread_cond_init(&sc.quiet, &a);
  pthread_condattr_destroy(&a);
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  sc.most = n < 2 ? 2 : n > SEATS - EXTRA ? SEATS - EXTRA : (int)n;
}

static void wait_until(pthread_cond_t *c, int64_t when) { // negative: until it is signalled
  if (when < 0) {
    pthread_cond_wait(c, &sc.lock);
    return;
  }
#ifdef __APPLE__
  int64_t left = when - rti_now();
  if (left < 0) left = 0;
  struct timespec d = {left / 1000000000, left % 1000000000};
  pthread_cond_timedwait_relative_np(c, &sc.lock, &d);
#else
  struct timespec d = {when / 1000000000, when % 1000000000};
  pthread_cond_timedwait(c, &sc.lock, &d);
#endif
}

static void *worker(void *seat);
static void *watcher(void *);

static bool start_thread(pthread_t *id, void *(*fn)(void *), void *arg) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 1 << 20);
  sigset_t all, old; // signals are for the host's threads
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGBUS);
  sigdelset(&all, SIGFPE);
  sigdelset(&all, SIGILL);
  sigdelset(&all, SIGTRAP);
  sigdelset(&all, SIGABRT);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool ok = pthread_create(id, &a, fn, arg) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&a);
  return ok;
}

static void more_workers(int most) { // under the lock
  if (sc.workers >= most || sc.quit) return;
  for (int i = 0; i < SEATS; i++) {
    struct seat *s = &sc.seats[i];
    if (s->is == TAKEN) continue;
    if (s->is == LEFT) pthread_join(s->id, NULL); // it took no lock since
    s->is = EMPTY;
    s->t = NULL;
    if (start_thread(&s->id, worker, s)) {
      s->is = TAKEN;
      sc.workers++;
    }
    break;
  }
  if (!sc.watching && start_thread(&sc.watcher, watcher, NULL)) sc.watching = true;
}

// rouse_one sees to it that somebody takes what was queued. Under the lock.
static void rouse_one(void) {
  if (sc.idlers == 0) {
    more_workers(sc.most);
  } else if (!sc.waking) { // one at a time: who wakes wakes the next
    sc.waking = true;
    pthread_cond_signal(&sc.idle);
  }
  if (sc.watcher_sleeps) pthread_cond_signal(&sc.watch);
}

static bool push(work w) { // under the lock
  if (sc.n == sc.room) {
    size_t room = sc.room > 0 ? sc.room * 2 : 256;
    work *r = malloc(room * sizeof *r);
    if (r == NULL) return false;
    for (size_t i = 0; i < sc.n; i++) r[i] = sc.ring[(sc.first + i) % sc.room];
    free(sc.ring);
    sc.ring = r;
    sc.room = room;
    sc.first = 0;
  }
  sc.ring[(sc.first + sc.n++) & (sc.room - 1)] = w;
  return true;
}

bool rti_go(void (*fn)(uint64_t), uint64_t arg) {
  int32_t off = rti_stopping();
  if (off != RT_OK) return no_for(off);
  pthread_mutex_lock(&sc.lock);
  make();
  off = rti_stopping();
  bool ok = off == RT_OK && push((work){fn, arg});
  if (ok) rouse_one();
  bool any = sc.workers > 0;
  if (ok && !any) { // no thread can be had
    sc.n--;
    ok = false;
  }
  pthread_mutex_unlock(&sc.lock);
  return ok ? true : no_for(off != RT_OK ? off : RT_E_MEMORY);
}

void rti_ready(rti_strand *list) {
  thread *t = rti_me();
  // The first is for this worker, which is about to look for work when the coroutine on it waits, as it often does next.
  // The watcher moves it if that takes long.
  if (t->worker && t->strand != t->own && list != NULL) {
    rti_strand *mine = list, *none = NULL;
    list = list->next;
    mine->next = NULL;
    if (!__atomic_compare_exchange_n(&t->next, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      mine->next = list;
      list = mine;
    }
  }
  if (list == NULL) return;
  pthread_mutex_lock(&sc.lock);
  for (; list != NULL; list = list->next) {
    *sc.ready_end = list;
    sc.ready_end = &list->next;
    rouse_one();
    if (list->next == NULL) break;
  }
  *sc.ready_end = NULL;
  pthread_mutex_unlock(&sc.lock);
}

// next_work is what to do next: a coroutine or work. False: the worker's time is over.
static bool next_work(thread *t, work *w, rti_strand **co) {
  *co = __atomic_exchange_n(&t->next, NULL, __ATOMIC_ACQ_REL);
  uint32_t streak = t->streak;
  if (*co != NULL) __atomic_store_n(&t->streak, ++streak, __ATOMIC_RELAXED);
  if (*co != NULL && streak % 64 != 0) return true;
  pthread_mutex_lock(&sc.lock);
  if (*co != NULL) { // two that wake each other leave room for others
    (*co)->next = NULL;
    *sc.ready_end = *co;
    sc.ready_end = &(*co)->next;
    *co = NULL;
  }
  for (int64_t until = 0;;) {
    if (sc.ready != NULL && (sc.n == 0 || sc.taken % 8 != 0)) {
      *co = sc.ready;
      if ((sc.ready = (*co)->next) == NULL) sc.ready_end = &sc.ready;
    } else if (sc.n > 0) {
      *w = sc.ring[sc.first];
      sc.first = (sc.first + 1) & (sc.room - 1);
      sc.n--;
      sc.busy++;
    } else if (sc.quit || (until != 0 && rti_now() >= until)) {
      pthread_mutex_unlock(&sc.lock);
      return false;
    } else {
      if (until == 0) until = rti_now() + IDLE;
      sc.idlers++;
      if (sc.busy == 0) pthread_cond_broadcast(&sc.quiet);
      wait_until(&sc.idle, until);
      sc.idlers--;
      sc.waking = false;
      continue;
    }
    sc.taken++;
    if (sc.idlers > 0 && (sc.n > 0 || sc.ready != NULL)) rouse_one();
    pthread_mutex_unlock(&sc.lock);
    return true;
  }
}

// ---- On a worker ----
enum { ASK_CALL = 1, ASK_PARKED, ASK_DONE, ASK_YIELD };

// ask leaves the strand's stack for the thread's own, which does what is asked.
static void ask(int what) {
  thread *t = rti_me();
  t->ask = what;
  on_stack(t->on, &t->native, false);
}

// visit goes from the thread's own stack to another, and returns when that one asks for what is not a call.
static int visit(rti_stack *to) {
  for (;;) {
    on_stack(&rti_me()->native, to, false);
    thread *t = rti_me();
    t->on = &t->native;
    if (t->ask != ASK_CALL) return t->ask;
    to = t->asker; // before Go, which may visit others from here
    void (*fn)(void *) = t->fn;
    fn(t->arg);
  }
}

void rti_on_thread_stack(void (*fn)(void *), void *arg) {
  thread *t = rti_self;
  if (t == NULL || t->on == NULL || t->on == &t->native) {
    fn(arg);
    return;
  }
  t->fn = fn;
  t->arg = arg;
  ask(ASK_CALL);
}

// rti_coroutine is what a stack begins with: one call of fn after the other.
void rti_coroutine(void) {
#if SANITIZERS
  if (__sanitizer_finish_switch_fiber != NULL) {
    thread *t = rti_me();
    __sanitizer_finish_switch_fiber(NULL, &t->asker->bottom, &t->asker->size);
  }
#endif
  for (;;) {
    thread *t = rti_me();
    rti_strand *co = t->strand->nested != NULL ? t->strand->nested : t->strand;
    co->fn(co->arg);
    if (co->coroutine && co->resumer == NULL) {
      ask(ASK_DONE);
    } else {
      co->ended = true;
      rti_co_yield();
    }
  }
}

static void swap_locals(thread *t, rti_strand *s) {
  locals l = t->l;
  t->l = s->l;
  s->l = l;
}

static void end_locals(locals *l) {
  free(l->scoped);
  free(l->marks);
  *l = (locals){0};
}

static void run(thread *t, rti_strand *co) {
  for (int spins = 0; __atomic_load_n(&co->busy, __ATOMIC_ACQUIRE); spins++) rti_wait(spins); // another worker is leaving it
  __atomic_store_n(&co->busy, true, __ATOMIC_RELAXED);
  t->strand = co;
  swap_locals(t, co);
  int why = visit(co->at);
  swap_locals(t, co);
  t->strand = t->own;
  if (why == ASK_DONE) {
    co->busy = false;
    end_locals(&co->l);
    give_coroutine(co);
    pthread_mutex_lock(&sc.lock);
    if (--sc.busy == 0) pthread_cond_broadcast(&sc.quiet);
    pthread_mutex_unlock(&sc.lock);
    return;
  }
  if (why == ASK_YIELD) {
    pthread_mutex_lock(&sc.lock);
    co->next = NULL;
    *sc.ready_end = co;
    sc.ready_end = &co->next;
    __atomic_store_n(&co->busy, false, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&sc.lock);
    return;
  }
  __atomic_store_n(&co->busy, false, __ATOMIC_RELEASE); // from here on it may be somewhere else
}

static void *worker(void *p) {
  struct seat *seat = p;
  thread *t = rti_me();
  rti_strand *own = now();
  t->worker = true;
  pthread_mutex_lock(&sc.lock);
  seat->t = t;
#ifdef __linux__
  seat->tid = syscall(SYS_gettid);
#endif
  pthread_mutex_unlock(&sc.lock);
  work w;
  rti_strand *co;
  while (own != NULL && next_work(t, &w, &co)) {
    if (co == NULL && (co = take_coroutine()) != NULL) {
      co->fn = w.fn;
      co->arg = w.arg;
      co->at = &co->stack;
      co->resumer = NULL;
    }
    if (co != NULL) {
      run(t, co);
      continue;
    }
    w.fn(w.arg); // no stack can be had: on the thread's own, which then waits as a thread does
    pthread_mutex_lock(&sc.lock);
    if (--sc.busy == 0) pthread_cond_broadcast(&sc.quiet);
    pthread_mutex_unlock(&sc.lock);
  }
  pthread_mutex_lock(&sc.lock);
  seat->t = NULL;
  sc.workers--;
  seat->is = LEFT;
  pthread_cond_broadcast(&sc.quiet);
  pthread_mutex_unlock(&sc.lock);
  return NULL;
}

void rti_yield(void) {
  rti_strand *co = rti_coroutine_now();
  if (co != NULL) {
    co->at = rti_me()->on;
    ask(ASK_YIELD);
  } else {
    sched_yield();
  }
}

// ---- Timers ----
static bool sooner(size_t a, size_t b) { return sc.timers[a]->deadline < sc.timers[b]->deadline; }

static void place(size_t i, rti_waiter *w) {
  sc.timers[i] = w;
  w->timer = (int)i;
}

static void trade(size_t a, size_t b) {
  rti_waiter *w = sc.timers[a];
  place(a, sc.timers[b]);
  place(b, w);
}

static void sift(size_t i) {
  while (i > 0 && sooner(i, (i - 1) / 2)) trade(i, (i - 1) / 2), i = (i - 1) / 2;
  for (;;) {
    size_t m = i;
    for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < sc.ntimers; c++)
      if (sooner(c, m)) m = c;
    if (m == i) return;
    trade(i, m);
    i = m;
  }
}

static void timer_off(rti_waiter *w) {
  if (w->timer < 0) return;
  size_t i = (size_t)w->timer;
  w->timer = -1;
  if (i != --sc.ntimers) {
    place(i, sc.timers[sc.ntimers]);
    sift(i);
  }
}

static bool timer_on(rti_waiter *w) {
  if (sc.ntimers == sc.timers_room) {
    size_t room = sc.timers_room > 0 ? sc.timers_room * 2 : 64;
    rti_waiter **p = realloc(sc.timers, room * sizeof *p);
    if (p == NULL) return false;
    sc.timers = p;
    sc.timers_room = room;
  }
  place(sc.ntimers++, w);
  sift(sc.ntimers - 1);
  return true;
}

void rti_suspend(rti_waiter *w, int64_t deadline) {
  w->deadline = deadline;
  bool timed = deadline >= 0;
  if (timed) {
    pthread_mutex_lock(&sc.lock);
    if (timer_on(w) && w->timer == 0 && sc.watching) pthread_cond_signal(&sc.watch);
    pthread_mutex_unlock(&sc.lock);
  }
  rti_strand *co = w->co;
  co->at = rti_me()->on;
  ask(ASK_PARKED);
  if (timed) {
    pthread_mutex_lock(&sc.lock);
    timer_off(w);
    pthread_mutex_unlock(&sc.lock);
  }
}

// asleep says whether a worker that has work is blocked in C; of one that computes there is no use in another.
static bool asleep(const struct seat *s) {
#ifdef __linux__
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", s->tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n > 0) {
    text[n] = 0;
    const char *state = strrchr(text, ')');
    return state != NULL && state[1] == ' ' && state[2] != 'R';
  }
#else
  (void)s;
#endif
  return true;
}

static bool all_asleep(void) { // under the lock
  int awake = 0;
  for (int i = 0; i < SEATS; i++)
    if (sc.seats[i].t != NULL && !asleep(&sc.seats[i])) awake++;
  return awake < sc.most;
}

// The watcher wakes what has waited long enough, moves coroutines that a worker keeps for itself, and adds a worker when
// nothing moves: bodies are computing, or blocked in C.
static void *watcher(void *unused) {
  (void)unused;
  pthread_mutex_lock(&sc.lock);
  uint64_t seen = 0;
  int still = 0, sleepy = 0, lazy = 0;
  while (!sc.quit) {
    int64_t at = rti_now();
    rti_strand *ready = NULL;
    while (sc.ntimers > 0 && sc.timers[0]->deadline <= at) {
      rti_waiter *w = sc.timers[0];
      timer_off(w);
      rti_timer_fired(w, &ready);
    }
    for (int i = 0; i < SEATS; i++) { // a coroutine that a worker has kept for a tick, doing something else
      struct seat *seat = &sc.seats[i];
      thread *t = seat->t;
      rti_strand *co = t != NULL ? __atomic_load_n(&t->next, __ATOMIC_ACQUIRE) : NULL;
      uint32_t streak = t != NULL ? __atomic_load_n(&t->streak, __ATOMIC_RELAXED) : 0;
      bool old = co != NULL && seat->kept == co && seat->streak == streak;
      seat->kept = co;
      seat->streak = streak;
      if (old && (co = __atomic_exchange_n(&t->next, NULL, __ATOMIC_ACQ_REL)) != NULL) co->next = ready, ready = co;
    }
    for (rti_strand *co = ready, *next; co != NULL; co = next) {
      next = co->next;
      co->next = NULL;
      *sc.ready_end = co;
      sc.ready_end = &co->next;
      rouse_one();
    }
    bool waits = sc.n > 0 || sc.ready != NULL;
    still = seen == sc.taken ? still + 1 : 1;
    seen = sc.taken;
    sleepy = waits && sc.idlers == 0 && still > 1 && all_asleep() ? sleepy + 1 : 0; // a lock is not for long
    if (waits && sc.idlers == 0 && (sleepy == 4 || still % 100 == 99)) {
      more_workers(sc.most + EXTRA);
      sleepy = 0;
    }
    lazy = sc.idlers == sc.workers && !waits ? lazy + 1 : 0;
    int64_t until = lazy > 20 ? -1 : at + TICK;
    if (sc.ntimers > 0 && (until < 0 || sc.timers[0]->deadline < until)) until = sc.timers[0]->deadline;
    sc.watcher_sleeps = until < 0 || until > at + TICK;
    wait_until(&sc.watch, until);
    if (sc.watcher_sleeps) lazy = 0;
    sc.watcher_sleeps = false;
  }
  pthread_mutex_unlock(&sc.lock);
  return NULL;
}

// rti_sched_stop waits until no body is under way, and ends the threads.
bool rti_sched_stop(int64_t deadline) {
  pthread_mutex_lock(&sc.lock);
  make();
  while (sc.busy > 0 || sc.n > 0 || sc.ready != NULL || __atomic_load_n(&sc.bodies, __ATOMIC_ACQUIRE) > 0 || rti_lot_inside() > 0) {
    if (deadline >= 0 && rti_now() >= deadline) {
      pthread_mutex_unlock(&sc.lock);
      return false;
    }
    int64_t soon = rti_now() + TICK; // the host's threads do not tell
    wait_until(&sc.quiet, deadline >= 0 && deadline < soon ? deadline : soon);
    pthread_mutex_unlock(&sc.lock);
    rti_lot_stop(); // who had not seen that the runtime stops, and went to sleep
    pthread_mutex_lock(&sc.lock);
  }
  sc.quit = true;
  pthread_cond_broadcast(&sc.idle);
  pthread_cond_broadcast(&sc.watch);
  while (sc.workers > 0) wait_until(&sc.quiet, -1);
  bool watching = sc.watching;
  pthread_mutex_unlock(&sc.lock);
  for (int i = 0; i < SEATS; i++) {
    if (sc.seats[i].is == LEFT) pthread_join(sc.seats[i].id, NULL);
    sc.seats[i].is = EMPTY;
  }
  if (watching) pthread_join(sc.watcher, NULL);
  pthread_mutex_lock(&sc.lock);
  sc.watching = sc.waking = sc.quit = false;
  free(sc.ring);
  sc.ring = NULL;
  sc.first = sc.n = sc.room = 0;
  pthread_mutex_unlock(&sc.lock);
  return true;
}

// ---- Bodies ----
void rti_enter(rti_frame *f, rt_value object) {
  thread *t = rti_me();
  rti_strand *s = now();
  f->object = object;
  f->saved = t->l;
  t->l = (locals){0};
  __atomic_fetch_add(&sc.bodies, 1, __ATOMIC_RELAXED);
  f->up = NULL;
  if (s == NULL) return;
  f->up = s->frames;
  s->frames = f;
  s->bodies++;
}

void rti_leave(rti_frame *f) {
  thread *t = rti_me();
  while (t->depth > 0) { // its releases may switch to Go and back, but wait for nothing
    rt_scope_pop(RT_NIL);
    t = rti_me();
  }
  free(t->scoped);
  free(t->marks);
  t->l = f->saved;
  if (t->strand != NULL) {
    t->strand->frames = f->up;
    t->strand->bodies--;
  }
  __atomic_fetch_sub(&sc.bodies, 1, __ATOMIC_RELEASE);
}

bool rti_within(rt_value object) {
  rti_strand *s = rti_me()->strand;
  for (rti_frame *f = s != NULL ? s->frames : NULL; f != NULL; f = f->up)
    if (f->object == object) return true;
  return false;
}

rt_value rti_body(void) {
  rti_strand *s = rti_me()->strand;
  return s != NULL && s->frames != NULL ? s->frames->object : RT_NIL;
}

bool rti_deep(void) {
  thread *t = rti_me();
  rti_strand *s = t->strand;
  if (s == NULL) return false;
  if (t->on != NULL && t->on != &t->native) return (uintptr_t)__builtin_frame_address(0) - (uintptr_t)t->on->bottom < ROOM;
  return s->bodies > DEEP;
}

// ---- Who waits for whom ----
bool rti_waits_for(rt_value object, uint32_t runs) {
  rti_strand *s = now();
  if (s == NULL) return true;
  pthread_mutex_lock(&ids_lock);
  bool ok = true;
  uint32_t at = runs != 0 ? runs : rti_future_runner(object);
  for (int steps = 0; ok && at != 0 && steps < 1000; steps++) {
    rti_strand *p = strand_of(at);
    ok = p != s;
    at = p == NULL || p->waits_for == 0 ? 0 : p->runs != 0 ? p->runs : rti_future_runner(p->waits_for);
  }
  if (ok) {
    s->waits_for = object;
    s->runs = runs;
  }
  pthread_mutex_unlock(&ids_lock);
  return ok;
}

void rti_waits_no_more(void) {
  rti_strand *s = now();
  if (s == NULL) return;
  pthread_mutex_lock(&ids_lock);
  s->waits_for = 0;
  pthread_mutex_unlock(&ids_lock);
}

// ---- Nested coroutines ----
rti_co *rti_co_new(void (*fn)(uint64_t), uint64_t arg) {
  rti_strand *co = take_coroutine();
  if (co == NULL) return NULL;
  co->fn = fn;
  co->arg = arg;
  co->ended = false;
  co->at = &co->stack;
  co->l = (locals){0};
  co->resumer = &co->stack; // not NULL: it is nested
  return co;
}

bool rti_co_resume(rti_co *co) {
  thread *t = rti_me();
  rti_strand *s = now();
  if (s == NULL || co->ended) return false;
  co->outer = s->nested;
  s->nested = co;
  swap_locals(t, co);
  if (t->on == NULL || t->on == &t->native) {
    t->on = &t->native;
    co->resumer = &t->native;
    visit(co->at);
  } else {
    co->resumer = t->on;
    on_stack(t->on, co->at, false);
  }
  swap_locals(rti_me(), co);
  return !co->ended;
}

void rti_co_yield(void) {
  thread *t = rti_me();
  rti_strand *s = t->strand, *co = s->nested;
  s->nested = co->outer;
  co->at = t->on;
  t->ask = ASK_DONE;
  on_stack(t->on, co->resumer, false);
}

void rti_co_free(rti_co *co) {
  end_locals(&co->l);
  if (!co->ended) begin(co); // its stack is in the middle of something
  co->ended = false;
  give_coroutine(co);
}
