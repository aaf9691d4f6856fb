// Channels and futures of the runtime.

#include "bench.h"
#include "isthmus_rt.h"

#include <pthread.h>

enum { ROOM = 256 };

static double channel_alone(long n) {
  rt_value c = rt_channel_new_cap(ROOM), sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    rt_channel_send(c, rt_int(i));
    sum += rt_channel_recv(c);
  }
  t = cpu() - t;
  KEEP(sum);
  rt_release(c);
  return t / (double)n;
}

static void *drain(void *p) {
  rt_value sum = 0, v, *c = p;
  while (rt_channel_recv_ex(*c, -1, &v) == RT_OK) sum += v;
  KEEP(sum);
  return NULL;
}

static double channel_stream(long n) {
  rt_value c = rt_channel_new_cap(ROOM);
  pthread_t reader;
  double t = wall();
  if (pthread_create(&reader, NULL, drain, &c) != 0) return -1;
  for (long i = 0; i < n; i++) rt_channel_send(c, rt_int(i));
  rt_channel_close(c);
  pthread_join(reader, NULL);
  t = wall() - t;
  rt_release(c);
  return t / (double)n;
}

static rt_value seven(rt_value ctx) { return (void)ctx, rt_int(7); }

static double await_unstarted(long n) {
  rt_value sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    rt_value f = rt_future_new(seven, RT_NIL);
    sum += rt_future_await(f);
    rt_release(f);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double await_ready(long n) {
  rt_value f = rt_future_resolve(rt_int(7)), sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) sum += rt_future_await(f);
  t = cpu() - t;
  KEEP(sum);
  rt_release(f);
  return t / (double)n;
}

const side conc_sides[] = {
    {"channel-send-recv", "exported", channel_alone, 500000},
    {"channel-stream", "exported", channel_stream, 300000},
    {"await-unstarted", "exported", await_unstarted, 200000},
    {"await-ready", "exported", await_ready, 2000000},
    END,
};
