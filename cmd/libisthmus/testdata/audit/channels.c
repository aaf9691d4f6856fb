#include "audit.h"
#include <pthread.h>
#define AREA "channels"

TEST(test_channel_new) {
  rt_value ch = rt_channel_new();
  EQ(rt_type(ch), RT_T_CHANNEL);
  EQ(rt_channel_len(ch), 0);
  CHECK(rt_channel_cap(ch) >= 256);
  EQ(rt_channel_is_closed(ch), 0);
  FREE(ch);
}

TEST(test_channel_send_recv) {
  rt_value ch = rt_channel_new(), s = text("sent");
  EQ(rt_channel_send(ch, rt_int(1)), 1);
  EQ(rt_channel_send(ch, s), 1);
  FREE(s);
  EQ(rt_channel_len(ch), 2);
  EQ(rt_channel_recv(ch), rt_int(1));
  s = rt_channel_recv(ch);
  CHECK(is_text(s, "sent"));
  FREE(s);
  FREE(ch);
}

TEST(test_channel_order) {
  rt_value ch = rt_channel_new();
  for (int i = 0; i < 200; i++) EQ(rt_channel_send(ch, rt_int(i)), 1);
  for (int i = 0; i < 200; i++) EQ(rt_channel_recv(ch), rt_int(i));
  FREE(ch);
}

enum { SENDERS = 3, RECEIVERS = 3, EACH = 20000 };
static int64_t sum, count;

static void *sends(void *p) {
  for (int i = 1; i <= EACH; i++)
    if (rt_channel_send((rt_value)(uintptr_t)p, rt_int(i)) != 1) return p;
  return NULL;
}

static void *receives(void *p) {
  rt_value ch = (rt_value)(uintptr_t)p, v;
  while (rt_channel_recv_ex(ch, -1, &v) == RT_OK) {
    __atomic_fetch_add(&sum, rt_as_int(v), __ATOMIC_RELAXED);
    __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

TEST(test_channel_threads) { // and bounded: far more is sent than there is room for
  sum = count = 0;
  rt_value ch = rt_channel_new_cap(8);
  pthread_t s[SENDERS], r[RECEIVERS];
  for (int i = 0; i < RECEIVERS; i++) pthread_create(&r[i], NULL, receives, (void *)(uintptr_t)ch);
  for (int i = 0; i < SENDERS; i++) pthread_create(&s[i], NULL, sends, (void *)(uintptr_t)ch);
  for (int i = 0; i < SENDERS; i++) {
    void *bad;
    pthread_join(s[i], &bad);
    CHECK(bad == NULL);
  }
  CHECK(rt_channel_close(ch));
  for (int i = 0; i < RECEIVERS; i++) pthread_join(r[i], NULL);
  EQ(count, SENDERS * EACH);
  EQ(sum, (int64_t)SENDERS * EACH * (EACH + 1) / 2);
  FREE(ch);
}

TEST(test_channel_close) {
  rt_value ch = rt_channel_new(), v;
  rt_channel_send(ch, rt_int(1));
  CHECK(rt_channel_close(ch));
  CHECK(!rt_channel_close(ch));
  EQ(rt_channel_is_closed(ch), 1);
  REFUSED(rt_channel_send(ch, rt_int(2)), 0, RT_E_CLOSED);
  EQ(rt_channel_recv(ch), rt_int(1)); // what is in it may still be received
  REFUSED(rt_channel_recv(ch), RT_NIL, RT_E_CLOSED);
  EQ(rt_channel_recv_ex(ch, -1, &v), RT_E_CLOSED);
  EQ(rt_channel_try_recv(ch, &v), RT_E_CLOSED);
  FREE(ch);
}

TEST(test_channel_full_and_empty) {
  rt_value ch = rt_channel_new_cap(1), v = RT_TRUE, s = text("stays ours");
  while (rt_channel_try_send(ch, rt_int(1)) == RT_OK) {}
  int64_t n = rt_channel_len(ch);
  CHECK(n >= 1);
  EQ(rt_channel_try_send(ch, s), RT_E_TIMEOUT);
  EQ(rt_channel_send_ex(ch, s, 1000), RT_E_TIMEOUT);
  EQ(rt_count(s), 1);
  while (n-- > 0) EQ(rt_channel_try_recv(ch, &v), RT_OK);
  EQ(rt_channel_try_recv(ch, &v), RT_E_TIMEOUT);
  EQ(v, RT_NIL);
  EQ(rt_channel_recv_ex(ch, 1000, &v), RT_E_TIMEOUT);
  FREE(s);
  FREE(ch);
}

TEST(test_channel_lets_go_of_what_is_left) {
  rt_value ch = rt_channel_new(), s = text("left");
  for (int i = 0; i < 10; i++) rt_channel_send(ch, s);
  EQ(rt_count(s), 11);
  FREE(ch);
  EQ(rt_count(s), 1);
  FREE(s);
}

TEST(test_channel_invalid) {
  rt_value a = rt_array_new(0), ch = rt_channel_new(), v;
  REFUSED(rt_channel_send(a, RT_NIL), 0, RT_E_TYPE);
  REFUSED(rt_channel_recv(a), RT_NIL, RT_E_TYPE);
  REFUSED(rt_channel_send(RT_NIL, RT_NIL), 0, RT_E_HANDLE);
  REFUSED(rt_channel_send(ch, 5), 0, RT_E_VALUE);
  EQ(rt_channel_recv_ex(rt_int(1), -1, &v), RT_E_HANDLE);
  EQ(rt_channel_is_closed(a), 1);
  EQ(rt_channel_len(a), -1);
  REFUSED(rt_channel_new_cap(0), RT_NIL, RT_E_SIZE);
  REFUSED(rt_channel_new_cap(-1), RT_NIL, RT_E_SIZE);
  REFUSED(rt_channel_new_cap(1LL << 62), RT_NIL, RT_E_SIZE);
  FREE(a);
  FREE(ch);
}
