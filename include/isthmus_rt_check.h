/* isthmus_rt_check.h: the calls of isthmus_rt.h with the validation layer before them. isthmus_rt.h includes it where
 * RT_CHECK is defined. Made from internal/raw/rtlayer/rt.spec: go test ./internal/raw/rtlib -run TestCheckHeader -update. */
#ifndef ISTHMUS_RT_CHECK_H
#define ISTHMUS_RT_CHECK_H

static inline int64_t rt_checked_shutdown_(int64_t timeout_ns, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_check_("rt_shutdown", w_, 0, file_, line_, 0);
  int64_t r_ = rt_shutdown(timeout_ns);
  rt_check_("rt_shutdown", w_, 0, file_, line_, (r_ >= 0) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_retain_(rt_value v, const char *file_, int line_) {
  uint64_t w_[1] = {v};
  rt_check_("rt_retain", w_, 1, file_, line_, 0);
  bool r_ = rt_retain(v);
  rt_check_("rt_retain", w_, 1, file_, line_, (r_) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_release_(rt_value v, const char *file_, int line_) {
  uint64_t w_[1] = {v};
  rt_check_("rt_release", w_, 1, file_, line_, 0);
  bool r_ = rt_release(v);
  rt_check_("rt_release", w_, 1, file_, line_, (r_) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_freeze_(rt_value v, const char *file_, int line_) {
  uint64_t w_[1] = {v};
  rt_check_("rt_freeze", w_, 1, file_, line_, 0);
  bool r_ = rt_freeze(v);
  return r_;
}

static inline rt_value rt_checked_scope_pop_(rt_value result, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_scope_pop(result);
  w_[0] = r_;
  rt_check_("rt_scope_pop", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_array_new_(int64_t cap, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_array_new(cap);
  w_[0] = r_;
  rt_check_("rt_array_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_array_len_(rt_value a, const char *file_, int line_) {
  uint64_t w_[1] = {a};
  rt_check_("rt_array_len", w_, 1, file_, line_, 0);
  int64_t r_ = rt_array_len(a);
  return r_;
}

static inline rt_value rt_checked_array_get_(rt_value a, int64_t i, const char *file_, int line_) {
  uint64_t w_[2] = {a, 0};
  rt_check_("rt_array_get", w_, 2, file_, line_, 0);
  rt_value r_ = rt_array_get(a, i);
  w_[1] = r_;
  rt_check_("rt_array_get", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_array_set_(rt_value a, int64_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {a, v};
  rt_check_("rt_array_set", w_, 2, file_, line_, 0);
  bool r_ = rt_array_set(a, i, v);
  return r_;
}

static inline bool rt_checked_array_push_(rt_value a, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {a, v};
  rt_check_("rt_array_push", w_, 2, file_, line_, 0);
  bool r_ = rt_array_push(a, v);
  return r_;
}

static inline rt_value rt_checked_array_pop_(rt_value a, const char *file_, int line_) {
  uint64_t w_[2] = {a, 0};
  rt_check_("rt_array_pop", w_, 2, file_, line_, 0);
  rt_value r_ = rt_array_pop(a);
  w_[1] = r_;
  rt_check_("rt_array_pop", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_array_clear_(rt_value a, const char *file_, int line_) {
  uint64_t w_[1] = {a};
  rt_check_("rt_array_clear", w_, 1, file_, line_, 0);
  bool r_ = rt_array_clear(a);
  return r_;
}

static inline rt_value rt_checked_tuple_new_(uint64_t n, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_tuple_new(n);
  w_[0] = r_;
  rt_check_("rt_tuple_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_tuple_len_(rt_value t, const char *file_, int line_) {
  uint64_t w_[1] = {t};
  rt_check_("rt_tuple_len", w_, 1, file_, line_, 0);
  int64_t r_ = rt_tuple_len(t);
  return r_;
}

static inline rt_value rt_checked_tuple_get_(rt_value t, uint64_t i, const char *file_, int line_) {
  uint64_t w_[2] = {t, 0};
  rt_check_("rt_tuple_get", w_, 2, file_, line_, 0);
  rt_value r_ = rt_tuple_get(t, i);
  w_[1] = r_;
  rt_check_("rt_tuple_get", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_tuple_set_(rt_value t, uint64_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {t, v};
  rt_check_("rt_tuple_set", w_, 2, file_, line_, 0);
  bool r_ = rt_tuple_set(t, i, v);
  return r_;
}

static inline rt_value rt_checked_string_new_(const uint8_t *p, uint64_t n, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_string_new(p, n);
  w_[0] = r_;
  rt_check_("rt_string_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_string_len_(rt_value s, const char *file_, int line_) {
  uint64_t w_[1] = {s};
  rt_check_("rt_string_len", w_, 1, file_, line_, 0);
  int64_t r_ = rt_string_len(s);
  return r_;
}

static inline const uint8_t *rt_checked_string_data_(rt_value s, const char *file_, int line_) {
  uint64_t w_[1] = {s};
  rt_check_("rt_string_data", w_, 1, file_, line_, 0);
  const uint8_t *r_ = rt_string_data(s);
  return r_;
}

static inline rt_value rt_checked_string_concat_(rt_value a, rt_value b, const char *file_, int line_) {
  uint64_t w_[3] = {a, b, 0};
  rt_check_("rt_string_concat", w_, 3, file_, line_, 0);
  rt_value r_ = rt_string_concat(a, b);
  w_[2] = r_;
  rt_check_("rt_string_concat", w_, 3, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_dict_new_(int64_t cap, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_dict_new(cap);
  w_[0] = r_;
  rt_check_("rt_dict_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_dict_len_(rt_value d, const char *file_, int line_) {
  uint64_t w_[1] = {d};
  rt_check_("rt_dict_len", w_, 1, file_, line_, 0);
  int64_t r_ = rt_dict_len(d);
  return r_;
}

static inline rt_value rt_checked_dict_get_(rt_value d, rt_value k, const char *file_, int line_) {
  uint64_t w_[3] = {d, k, 0};
  rt_check_("rt_dict_get", w_, 3, file_, line_, 0);
  rt_value r_ = rt_dict_get(d, k);
  w_[2] = r_;
  rt_check_("rt_dict_get", w_, 3, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_dict_set_(rt_value d, rt_value k, rt_value v, const char *file_, int line_) {
  uint64_t w_[3] = {d, k, v};
  rt_check_("rt_dict_set", w_, 3, file_, line_, 0);
  bool r_ = rt_dict_set(d, k, v);
  return r_;
}

static inline bool rt_checked_dict_has_(rt_value d, rt_value k, const char *file_, int line_) {
  uint64_t w_[2] = {d, k};
  rt_check_("rt_dict_has", w_, 2, file_, line_, 0);
  bool r_ = rt_dict_has(d, k);
  return r_;
}

static inline bool rt_checked_dict_remove_(rt_value d, rt_value k, const char *file_, int line_) {
  uint64_t w_[2] = {d, k};
  rt_check_("rt_dict_remove", w_, 2, file_, line_, 0);
  bool r_ = rt_dict_remove(d, k);
  return r_;
}

static inline bool rt_checked_dict_clear_(rt_value d, const char *file_, int line_) {
  uint64_t w_[1] = {d};
  rt_check_("rt_dict_clear", w_, 1, file_, line_, 0);
  bool r_ = rt_dict_clear(d);
  return r_;
}

static inline bool rt_checked_dict_next_(rt_value d, uint64_t *cursor, rt_value *k, rt_value *v, const char *file_, int line_) {
  uint64_t w_[3] = {d, 0, 0};
  rt_check_("rt_dict_next", w_, 3, file_, line_, 0);
  bool r_ = rt_dict_next(d, cursor, k, v);
  w_[1] = k != NULL ? *k : RT_NIL;
  w_[2] = v != NULL ? *v : RT_NIL;
  rt_check_("rt_dict_next", w_, 3, file_, line_, (r_) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_object_new_(uint32_t class_id, uint32_t n, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_object_new(class_id, n);
  w_[0] = r_;
  rt_check_("rt_object_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_object_field_get_(rt_value o, uint32_t i, const char *file_, int line_) {
  uint64_t w_[2] = {o, 0};
  rt_check_("rt_object_field_get", w_, 2, file_, line_, 0);
  rt_value r_ = rt_object_field_get(o, i);
  w_[1] = r_;
  rt_check_("rt_object_field_get", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_object_field_set_(rt_value o, uint32_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {o, v};
  rt_check_("rt_object_field_set", w_, 2, file_, line_, 0);
  bool r_ = rt_object_field_set(o, i, v);
  return r_;
}

static inline int64_t rt_checked_object_class_id_(rt_value o, const char *file_, int line_) {
  uint64_t w_[1] = {o};
  rt_check_("rt_object_class_id", w_, 1, file_, line_, 0);
  int64_t r_ = rt_object_class_id(o);
  return r_;
}

static inline int64_t rt_checked_object_field_count_(rt_value o, const char *file_, int line_) {
  uint64_t w_[1] = {o};
  rt_check_("rt_object_field_count", w_, 1, file_, line_, 0);
  int64_t r_ = rt_object_field_count(o);
  return r_;
}

static inline rt_value rt_checked_closure_new_(const void *fn, uint32_t n, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_closure_new(fn, n);
  w_[0] = r_;
  rt_check_("rt_closure_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_closure_set_capture_(rt_value c, uint32_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {c, v};
  rt_check_("rt_closure_set_capture", w_, 2, file_, line_, 0);
  bool r_ = rt_closure_set_capture(c, i, v);
  return r_;
}

static inline rt_value rt_checked_closure_get_capture_(rt_value c, uint32_t i, const char *file_, int line_) {
  uint64_t w_[2] = {c, 0};
  rt_check_("rt_closure_get_capture", w_, 2, file_, line_, 0);
  rt_value r_ = rt_closure_get_capture(c, i);
  w_[1] = r_;
  rt_check_("rt_closure_get_capture", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline const void *rt_checked_closure_func_ptr_(rt_value c, const char *file_, int line_) {
  uint64_t w_[1] = {c};
  rt_check_("rt_closure_func_ptr", w_, 1, file_, line_, 0);
  const void *r_ = rt_closure_func_ptr(c);
  return r_;
}

static inline rt_value rt_checked_enum_new_(uint32_t enum_id, uint32_t discriminant, rt_value payload, const char *file_, int line_) {
  uint64_t w_[2] = {payload, 0};
  rt_check_("rt_enum_new", w_, 2, file_, line_, 0);
  rt_value r_ = rt_enum_new(enum_id, discriminant, payload);
  w_[1] = r_;
  rt_check_("rt_enum_new", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_enum_discriminant_(rt_value e, const char *file_, int line_) {
  uint64_t w_[1] = {e};
  rt_check_("rt_enum_discriminant", w_, 1, file_, line_, 0);
  int64_t r_ = rt_enum_discriminant(e);
  return r_;
}

static inline int64_t rt_checked_enum_id_(rt_value e, const char *file_, int line_) {
  uint64_t w_[1] = {e};
  rt_check_("rt_enum_id", w_, 1, file_, line_, 0);
  int64_t r_ = rt_enum_id(e);
  return r_;
}

static inline rt_value rt_checked_enum_payload_(rt_value e, const char *file_, int line_) {
  uint64_t w_[2] = {e, 0};
  rt_check_("rt_enum_payload", w_, 2, file_, line_, 0);
  rt_value r_ = rt_enum_payload(e);
  w_[1] = r_;
  rt_check_("rt_enum_payload", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_unique_new_(rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {v, 0};
  rt_check_("rt_unique_new", w_, 2, file_, line_, 0);
  rt_value r_ = rt_unique_new(v);
  w_[1] = r_;
  rt_check_("rt_unique_new", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_unique_get_(rt_value u, const char *file_, int line_) {
  uint64_t w_[2] = {u, 0};
  rt_check_("rt_unique_get", w_, 2, file_, line_, 0);
  rt_value r_ = rt_unique_get(u);
  w_[1] = r_;
  rt_check_("rt_unique_get", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_unique_set_(rt_value u, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {u, v};
  rt_check_("rt_unique_set", w_, 2, file_, line_, 0);
  rt_value r_ = rt_unique_set(u, v);
  rt_check_("rt_unique_set", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_future_new_(rt_value (*body)(rt_value ctx), rt_value ctx, const char *file_, int line_) {
  uint64_t w_[2] = {ctx, 0};
  rt_check_("rt_future_new", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_new(body, ctx);
  w_[1] = r_;
  rt_check_("rt_future_new", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_future_await_(rt_value f, const char *file_, int line_) {
  uint64_t w_[2] = {f, 0};
  rt_check_("rt_future_await", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_await(f);
  w_[1] = r_;
  rt_check_("rt_future_await", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_future_await_ex_(rt_value f, int64_t timeout_ns, rt_value *out, const char *file_, int line_) {
  uint64_t w_[2] = {f, 0};
  rt_check_("rt_future_await_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_future_await_ex(f, timeout_ns, out);
  w_[1] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_future_await_ex", w_, 2, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_future_is_ready_(rt_value f, const char *file_, int line_) {
  uint64_t w_[1] = {f};
  rt_check_("rt_future_is_ready", w_, 1, file_, line_, 0);
  int64_t r_ = rt_future_is_ready(f);
  return r_;
}

static inline rt_value rt_checked_future_resolve_(rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {v, 0};
  rt_check_("rt_future_resolve", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_resolve(v);
  w_[1] = r_;
  rt_check_("rt_future_resolve", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_future_all_(rt_value array, const char *file_, int line_) {
  uint64_t w_[2] = {array, 0};
  rt_check_("rt_future_all", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_all(array);
  w_[1] = r_;
  rt_check_("rt_future_all", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_future_all_ex_(rt_value array, int64_t timeout_ns, rt_value *out, const char *file_, int line_) {
  uint64_t w_[2] = {array, 0};
  rt_check_("rt_future_all_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_future_all_ex(array, timeout_ns, out);
  w_[1] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_future_all_ex", w_, 2, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_future_race_(rt_value array, const char *file_, int line_) {
  uint64_t w_[2] = {array, 0};
  rt_check_("rt_future_race", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_race(array);
  w_[1] = r_;
  rt_check_("rt_future_race", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_future_race_ex_(rt_value array, int64_t timeout_ns, rt_value *out, const char *file_, int line_) {
  uint64_t w_[2] = {array, 0};
  rt_check_("rt_future_race_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_future_race_ex(array, timeout_ns, out);
  w_[1] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_future_race_ex", w_, 2, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_future_start_(rt_value f, const char *file_, int line_) {
  uint64_t w_[1] = {f};
  rt_check_("rt_future_start", w_, 1, file_, line_, 0);
  bool r_ = rt_future_start(f);
  return r_;
}

static inline bool rt_checked_future_complete_(rt_value f, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {f, v};
  rt_check_("rt_future_complete", w_, 2, file_, line_, 0);
  bool r_ = rt_future_complete(f, v);
  return r_;
}

static inline bool rt_checked_future_fail_(rt_value f, rt_value reason, const char *file_, int line_) {
  uint64_t w_[2] = {f, reason};
  rt_check_("rt_future_fail", w_, 2, file_, line_, 0);
  bool r_ = rt_future_fail(f, reason);
  return r_;
}

static inline bool rt_checked_future_cancel_(rt_value f, const char *file_, int line_) {
  uint64_t w_[1] = {f};
  rt_check_("rt_future_cancel", w_, 1, file_, line_, 0);
  bool r_ = rt_future_cancel(f);
  return r_;
}

static inline rt_value rt_checked_future_reason_(rt_value f, const char *file_, int line_) {
  uint64_t w_[2] = {f, 0};
  rt_check_("rt_future_reason", w_, 2, file_, line_, 0);
  rt_value r_ = rt_future_reason(f);
  w_[1] = r_;
  rt_check_("rt_future_reason", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_channel_new_(const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_channel_new();
  w_[0] = r_;
  rt_check_("rt_channel_new", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_channel_new_cap_(int64_t cap, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_channel_new_cap(cap);
  w_[0] = r_;
  rt_check_("rt_channel_new_cap", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_channel_send_(rt_value ch, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {ch, v};
  rt_check_("rt_channel_send", w_, 2, file_, line_, 0);
  int64_t r_ = rt_channel_send(ch, v);
  return r_;
}

static inline int32_t rt_checked_channel_send_ex_(rt_value ch, rt_value v, int64_t timeout_ns, const char *file_, int line_) {
  uint64_t w_[2] = {ch, v};
  rt_check_("rt_channel_send_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_channel_send_ex(ch, v, timeout_ns);
  return r_;
}

static inline int32_t rt_checked_channel_try_send_(rt_value ch, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {ch, v};
  rt_check_("rt_channel_try_send", w_, 2, file_, line_, 0);
  int32_t r_ = rt_channel_try_send(ch, v);
  return r_;
}

static inline rt_value rt_checked_channel_recv_(rt_value ch, const char *file_, int line_) {
  uint64_t w_[2] = {ch, 0};
  rt_check_("rt_channel_recv", w_, 2, file_, line_, 0);
  rt_value r_ = rt_channel_recv(ch);
  w_[1] = r_;
  rt_check_("rt_channel_recv", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_channel_recv_ex_(rt_value ch, int64_t timeout_ns, rt_value *out, const char *file_, int line_) {
  uint64_t w_[2] = {ch, 0};
  rt_check_("rt_channel_recv_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_channel_recv_ex(ch, timeout_ns, out);
  w_[1] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_channel_recv_ex", w_, 2, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_channel_try_recv_(rt_value ch, rt_value *out, const char *file_, int line_) {
  uint64_t w_[2] = {ch, 0};
  rt_check_("rt_channel_try_recv", w_, 2, file_, line_, 0);
  int32_t r_ = rt_channel_try_recv(ch, out);
  w_[1] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_channel_try_recv", w_, 2, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_channel_close_(rt_value ch, const char *file_, int line_) {
  uint64_t w_[1] = {ch};
  rt_check_("rt_channel_close", w_, 1, file_, line_, 0);
  bool r_ = rt_channel_close(ch);
  return r_;
}

static inline int64_t rt_checked_channel_is_closed_(rt_value ch, const char *file_, int line_) {
  uint64_t w_[1] = {ch};
  rt_check_("rt_channel_is_closed", w_, 1, file_, line_, 0);
  int64_t r_ = rt_channel_is_closed(ch);
  return r_;
}

static inline int64_t rt_checked_channel_len_(rt_value ch, const char *file_, int line_) {
  uint64_t w_[1] = {ch};
  rt_check_("rt_channel_len", w_, 1, file_, line_, 0);
  int64_t r_ = rt_channel_len(ch);
  return r_;
}

static inline int64_t rt_checked_channel_cap_(rt_value ch, const char *file_, int line_) {
  uint64_t w_[1] = {ch};
  rt_check_("rt_channel_cap", w_, 1, file_, line_, 0);
  int64_t r_ = rt_channel_cap(ch);
  return r_;
}

static inline rt_value rt_checked_generator_new_(rt_value (*body)(rt_value gen), int64_t slots, rt_value ctx, const char *file_, int line_) {
  uint64_t w_[2] = {ctx, 0};
  rt_check_("rt_generator_new", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_new(body, slots, ctx);
  w_[1] = r_;
  rt_check_("rt_generator_new", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_generator_new_co_(rt_value (*body)(rt_value gen), int64_t slots, rt_value ctx, const char *file_, int line_) {
  uint64_t w_[2] = {ctx, 0};
  rt_check_("rt_generator_new_co", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_new_co(body, slots, ctx);
  w_[1] = r_;
  rt_check_("rt_generator_new_co", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_generator_next_(rt_value gen, const char *file_, int line_) {
  uint64_t w_[2] = {gen, 0};
  rt_check_("rt_generator_next", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_next(gen);
  w_[1] = r_;
  rt_check_("rt_generator_next", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_generator_yield_(rt_value gen, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {gen, v};
  rt_check_("rt_generator_yield", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_yield(gen, v);
  return r_;
}

static inline rt_value rt_checked_generator_get_slot_(rt_value gen, int64_t i, const char *file_, int line_) {
  uint64_t w_[2] = {gen, 0};
  rt_check_("rt_generator_get_slot", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_get_slot(gen, i);
  w_[1] = r_;
  rt_check_("rt_generator_get_slot", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_generator_set_slot_(rt_value gen, int64_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {gen, v};
  rt_check_("rt_generator_set_slot", w_, 2, file_, line_, 0);
  bool r_ = rt_generator_set_slot(gen, i, v);
  return r_;
}

static inline int64_t rt_checked_generator_is_done_(rt_value gen, const char *file_, int line_) {
  uint64_t w_[1] = {gen};
  rt_check_("rt_generator_is_done", w_, 1, file_, line_, 0);
  int64_t r_ = rt_generator_is_done(gen);
  return r_;
}

static inline int64_t rt_checked_generator_get_state_(rt_value gen, const char *file_, int line_) {
  uint64_t w_[1] = {gen};
  rt_check_("rt_generator_get_state", w_, 1, file_, line_, 0);
  int64_t r_ = rt_generator_get_state(gen);
  return r_;
}

static inline bool rt_checked_generator_set_state_(rt_value gen, int64_t state, const char *file_, int line_) {
  uint64_t w_[1] = {gen};
  rt_check_("rt_generator_set_state", w_, 1, file_, line_, 0);
  bool r_ = rt_generator_set_state(gen, state);
  return r_;
}

static inline rt_value rt_checked_generator_get_ctx_(rt_value gen, const char *file_, int line_) {
  uint64_t w_[2] = {gen, 0};
  rt_check_("rt_generator_get_ctx", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_get_ctx(gen);
  w_[1] = r_;
  rt_check_("rt_generator_get_ctx", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_generator_mark_done_(rt_value gen, const char *file_, int line_) {
  uint64_t w_[1] = {gen};
  rt_check_("rt_generator_mark_done", w_, 1, file_, line_, 0);
  bool r_ = rt_generator_mark_done(gen);
  return r_;
}

static inline rt_value rt_checked_generator_load_slot_(rt_value gen, int64_t i, const char *file_, int line_) {
  uint64_t w_[2] = {gen, 0};
  rt_check_("rt_generator_load_slot", w_, 2, file_, line_, 0);
  rt_value r_ = rt_generator_load_slot(gen, i);
  w_[1] = r_;
  rt_check_("rt_generator_load_slot", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline bool rt_checked_generator_store_slot_(rt_value gen, int64_t i, rt_value v, const char *file_, int line_) {
  uint64_t w_[2] = {gen, v};
  rt_check_("rt_generator_store_slot", w_, 2, file_, line_, 0);
  bool r_ = rt_generator_store_slot(gen, i, v);
  return r_;
}

static inline rt_value rt_checked_actor_spawn_(void (*body)(rt_value ctx), rt_value ctx, const char *file_, int line_) {
  uint64_t w_[2] = {ctx, 0};
  rt_check_("rt_actor_spawn", w_, 2, file_, line_, 0);
  rt_value r_ = rt_actor_spawn(body, ctx);
  w_[1] = r_;
  rt_check_("rt_actor_spawn", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_actor_spawn_cap_(void (*body)(rt_value ctx), rt_value ctx, int64_t capacity, const char *file_, int line_) {
  uint64_t w_[2] = {ctx, 0};
  rt_check_("rt_actor_spawn_cap", w_, 2, file_, line_, 0);
  rt_value r_ = rt_actor_spawn_cap(body, ctx, capacity);
  w_[1] = r_;
  rt_check_("rt_actor_spawn_cap", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_actor_spawn_handler_(void (*handler)(rt_value state, rt_value msg), rt_value state, const char *file_, int line_) {
  uint64_t w_[2] = {state, 0};
  rt_check_("rt_actor_spawn_handler", w_, 2, file_, line_, 0);
  rt_value r_ = rt_actor_spawn_handler(handler, state);
  w_[1] = r_;
  rt_check_("rt_actor_spawn_handler", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_actor_spawn_handler_cap_(void (*handler)(rt_value state, rt_value msg), rt_value state, int64_t capacity, const char *file_, int line_) {
  uint64_t w_[2] = {state, 0};
  rt_check_("rt_actor_spawn_handler_cap", w_, 2, file_, line_, 0);
  rt_value r_ = rt_actor_spawn_handler_cap(handler, state, capacity);
  w_[1] = r_;
  rt_check_("rt_actor_spawn_handler_cap", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_actor_send_(rt_value actor, rt_value msg, const char *file_, int line_) {
  uint64_t w_[2] = {actor, msg};
  rt_check_("rt_actor_send", w_, 2, file_, line_, 0);
  int64_t r_ = rt_actor_send(actor, msg);
  return r_;
}

static inline int32_t rt_checked_actor_send_ex_(rt_value actor, rt_value msg, int64_t timeout_ns, const char *file_, int line_) {
  uint64_t w_[2] = {actor, msg};
  rt_check_("rt_actor_send_ex", w_, 2, file_, line_, 0);
  int32_t r_ = rt_actor_send_ex(actor, msg, timeout_ns);
  return r_;
}

static inline int32_t rt_checked_actor_try_send_(rt_value actor, rt_value msg, const char *file_, int line_) {
  uint64_t w_[2] = {actor, msg};
  rt_check_("rt_actor_try_send", w_, 2, file_, line_, 0);
  int32_t r_ = rt_actor_try_send(actor, msg);
  return r_;
}

static inline rt_value rt_checked_actor_recv_(const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_actor_recv();
  w_[0] = r_;
  rt_check_("rt_actor_recv", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_actor_recv_ex_(int64_t timeout_ns, rt_value *out, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  int32_t r_ = rt_actor_recv_ex(timeout_ns, out);
  w_[0] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_actor_recv_ex", w_, 1, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline int32_t rt_checked_actor_try_recv_(rt_value *out, const char *file_, int line_) {
  uint64_t w_[1] = {0};
  int32_t r_ = rt_actor_try_recv(out);
  w_[0] = out != NULL ? *out : RT_NIL;
  rt_check_("rt_actor_try_recv", w_, 1, file_, line_, (1) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_actor_self_(const char *file_, int line_) {
  uint64_t w_[1] = {0};
  rt_value r_ = rt_actor_self();
  w_[0] = r_;
  rt_check_("rt_actor_self", w_, 1, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_actor_join_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_join", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_join(actor);
  return r_;
}

static inline int32_t rt_checked_actor_join_ex_(rt_value actor, int64_t timeout_ns, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_join_ex", w_, 1, file_, line_, 0);
  int32_t r_ = rt_actor_join_ex(actor, timeout_ns);
  return r_;
}

static inline int64_t rt_checked_actor_stop_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_stop", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_stop(actor);
  return r_;
}

static inline int64_t rt_checked_actor_id_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_id", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_id(actor);
  return r_;
}

static inline int64_t rt_checked_actor_is_alive_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_is_alive", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_is_alive(actor);
  return r_;
}

static inline int64_t rt_checked_actor_death_reason_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_death_reason", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_death_reason(actor);
  return r_;
}

static inline int64_t rt_checked_actor_pending_(rt_value actor, const char *file_, int line_) {
  uint64_t w_[1] = {actor};
  rt_check_("rt_actor_pending", w_, 1, file_, line_, 0);
  int64_t r_ = rt_actor_pending(actor);
  return r_;
}

static inline rt_value rt_checked_async_file_create_(rt_value path, int32_t mode, int32_t prefault, const char *file_, int line_) {
  uint64_t w_[2] = {path, 0};
  rt_check_("rt_async_file_create", w_, 2, file_, line_, 0);
  rt_value r_ = rt_async_file_create(path, mode, prefault);
  w_[1] = r_;
  rt_check_("rt_async_file_create", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_async_file_close_(rt_value file, const char *file_, int line_) {
  uint64_t w_[1] = {file};
  rt_check_("rt_async_file_close", w_, 1, file_, line_, 0);
  int64_t r_ = rt_async_file_close(file);
  return r_;
}

static inline rt_value rt_checked_async_file_read_(rt_value file, int64_t offset, int64_t n, const char *file_, int line_) {
  uint64_t w_[2] = {file, 0};
  rt_check_("rt_async_file_read", w_, 2, file_, line_, 0);
  rt_value r_ = rt_async_file_read(file, offset, n);
  w_[1] = r_;
  rt_check_("rt_async_file_read", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_async_file_write_(rt_value file, int64_t offset, rt_value text, const char *file_, int line_) {
  uint64_t w_[3] = {file, text, 0};
  rt_check_("rt_async_file_write", w_, 3, file_, line_, 0);
  rt_value r_ = rt_async_file_write(file, offset, text);
  w_[2] = r_;
  rt_check_("rt_async_file_write", w_, 3, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_async_file_prefault_(rt_value file, int64_t offset, int64_t n, const char *file_, int line_) {
  uint64_t w_[2] = {file, 0};
  rt_check_("rt_async_file_prefault", w_, 2, file_, line_, 0);
  rt_value r_ = rt_async_file_prefault(file, offset, n);
  w_[1] = r_;
  rt_check_("rt_async_file_prefault", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_async_file_size_(rt_value file, const char *file_, int line_) {
  uint64_t w_[2] = {file, 0};
  rt_check_("rt_async_file_size", w_, 2, file_, line_, 0);
  rt_value r_ = rt_async_file_size(file);
  w_[1] = r_;
  rt_check_("rt_async_file_size", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline rt_value rt_checked_async_file_sync_(rt_value file, const char *file_, int line_) {
  uint64_t w_[2] = {file, 0};
  rt_check_("rt_async_file_sync", w_, 2, file_, line_, 0);
  rt_value r_ = rt_async_file_sync(file);
  w_[1] = r_;
  rt_check_("rt_async_file_sync", w_, 2, file_, line_, (r_ != RT_NIL && r_ != RT_FALSE) ? 3 : 1);
  return r_;
}

static inline int64_t rt_checked_async_file_wait_(rt_value file, const char *file_, int line_) {
  uint64_t w_[1] = {file};
  rt_check_("rt_async_file_wait", w_, 1, file_, line_, 0);
  int64_t r_ = rt_async_file_wait(file);
  return r_;
}

static inline bool rt_checked_async_file_start_loading_(rt_value file, const char *file_, int line_) {
  uint64_t w_[1] = {file};
  rt_check_("rt_async_file_start_loading", w_, 1, file_, line_, 0);
  bool r_ = rt_async_file_start_loading(file);
  return r_;
}

static inline int64_t rt_checked_async_file_is_ready_(rt_value file, const char *file_, int line_) {
  uint64_t w_[1] = {file};
  rt_check_("rt_async_file_is_ready", w_, 1, file_, line_, 0);
  int64_t r_ = rt_async_file_is_ready(file);
  return r_;
}

static inline int32_t rt_checked_async_file_get_state_(rt_value file, const char *file_, int line_) {
  uint64_t w_[1] = {file};
  rt_check_("rt_async_file_get_state", w_, 1, file_, line_, 0);
  int32_t r_ = rt_async_file_get_state(file);
  return r_;
}

#define rt_shutdown(timeout_ns) rt_checked_shutdown_((timeout_ns), __FILE__, __LINE__)
#define rt_retain(v) rt_checked_retain_((v), __FILE__, __LINE__)
#define rt_release(v) rt_checked_release_((v), __FILE__, __LINE__)
#define rt_freeze(v) rt_checked_freeze_((v), __FILE__, __LINE__)
#define rt_scope_pop(result) rt_checked_scope_pop_((result), __FILE__, __LINE__)
#define rt_array_new(cap) rt_checked_array_new_((cap), __FILE__, __LINE__)
#define rt_array_len(a) rt_checked_array_len_((a), __FILE__, __LINE__)
#define rt_array_get(a, i) rt_checked_array_get_((a), (i), __FILE__, __LINE__)
#define rt_array_set(a, i, v) rt_checked_array_set_((a), (i), (v), __FILE__, __LINE__)
#define rt_array_push(a, v) rt_checked_array_push_((a), (v), __FILE__, __LINE__)
#define rt_array_pop(a) rt_checked_array_pop_((a), __FILE__, __LINE__)
#define rt_array_clear(a) rt_checked_array_clear_((a), __FILE__, __LINE__)
#define rt_tuple_new(n) rt_checked_tuple_new_((n), __FILE__, __LINE__)
#define rt_tuple_len(t) rt_checked_tuple_len_((t), __FILE__, __LINE__)
#define rt_tuple_get(t, i) rt_checked_tuple_get_((t), (i), __FILE__, __LINE__)
#define rt_tuple_set(t, i, v) rt_checked_tuple_set_((t), (i), (v), __FILE__, __LINE__)
#define rt_string_new(p, n) rt_checked_string_new_((p), (n), __FILE__, __LINE__)
#define rt_string_len(s) rt_checked_string_len_((s), __FILE__, __LINE__)
#define rt_string_data(s) rt_checked_string_data_((s), __FILE__, __LINE__)
#define rt_string_concat(a, b) rt_checked_string_concat_((a), (b), __FILE__, __LINE__)
#define rt_dict_new(cap) rt_checked_dict_new_((cap), __FILE__, __LINE__)
#define rt_dict_len(d) rt_checked_dict_len_((d), __FILE__, __LINE__)
#define rt_dict_get(d, k) rt_checked_dict_get_((d), (k), __FILE__, __LINE__)
#define rt_dict_set(d, k, v) rt_checked_dict_set_((d), (k), (v), __FILE__, __LINE__)
#define rt_dict_has(d, k) rt_checked_dict_has_((d), (k), __FILE__, __LINE__)
#define rt_dict_remove(d, k) rt_checked_dict_remove_((d), (k), __FILE__, __LINE__)
#define rt_dict_clear(d) rt_checked_dict_clear_((d), __FILE__, __LINE__)
#define rt_dict_next(d, cursor, k, v) rt_checked_dict_next_((d), (cursor), (k), (v), __FILE__, __LINE__)
#define rt_object_new(class_id, n) rt_checked_object_new_((class_id), (n), __FILE__, __LINE__)
#define rt_object_field_get(o, i) rt_checked_object_field_get_((o), (i), __FILE__, __LINE__)
#define rt_object_field_set(o, i, v) rt_checked_object_field_set_((o), (i), (v), __FILE__, __LINE__)
#define rt_object_class_id(o) rt_checked_object_class_id_((o), __FILE__, __LINE__)
#define rt_object_field_count(o) rt_checked_object_field_count_((o), __FILE__, __LINE__)
#define rt_closure_new(fn, n) rt_checked_closure_new_((fn), (n), __FILE__, __LINE__)
#define rt_closure_set_capture(c, i, v) rt_checked_closure_set_capture_((c), (i), (v), __FILE__, __LINE__)
#define rt_closure_get_capture(c, i) rt_checked_closure_get_capture_((c), (i), __FILE__, __LINE__)
#define rt_closure_func_ptr(c) rt_checked_closure_func_ptr_((c), __FILE__, __LINE__)
#define rt_enum_new(enum_id, discriminant, payload) rt_checked_enum_new_((enum_id), (discriminant), (payload), __FILE__, __LINE__)
#define rt_enum_discriminant(e) rt_checked_enum_discriminant_((e), __FILE__, __LINE__)
#define rt_enum_id(e) rt_checked_enum_id_((e), __FILE__, __LINE__)
#define rt_enum_payload(e) rt_checked_enum_payload_((e), __FILE__, __LINE__)
#define rt_unique_new(v) rt_checked_unique_new_((v), __FILE__, __LINE__)
#define rt_unique_get(u) rt_checked_unique_get_((u), __FILE__, __LINE__)
#define rt_unique_set(u, v) rt_checked_unique_set_((u), (v), __FILE__, __LINE__)
#define rt_future_new(body, ctx) rt_checked_future_new_((body), (ctx), __FILE__, __LINE__)
#define rt_future_await(f) rt_checked_future_await_((f), __FILE__, __LINE__)
#define rt_future_await_ex(f, timeout_ns, out) rt_checked_future_await_ex_((f), (timeout_ns), (out), __FILE__, __LINE__)
#define rt_future_is_ready(f) rt_checked_future_is_ready_((f), __FILE__, __LINE__)
#define rt_future_resolve(v) rt_checked_future_resolve_((v), __FILE__, __LINE__)
#define rt_future_all(array) rt_checked_future_all_((array), __FILE__, __LINE__)
#define rt_future_all_ex(array, timeout_ns, out) rt_checked_future_all_ex_((array), (timeout_ns), (out), __FILE__, __LINE__)
#define rt_future_race(array) rt_checked_future_race_((array), __FILE__, __LINE__)
#define rt_future_race_ex(array, timeout_ns, out) rt_checked_future_race_ex_((array), (timeout_ns), (out), __FILE__, __LINE__)
#define rt_future_start(f) rt_checked_future_start_((f), __FILE__, __LINE__)
#define rt_future_complete(f, v) rt_checked_future_complete_((f), (v), __FILE__, __LINE__)
#define rt_future_fail(f, reason) rt_checked_future_fail_((f), (reason), __FILE__, __LINE__)
#define rt_future_cancel(f) rt_checked_future_cancel_((f), __FILE__, __LINE__)
#define rt_future_reason(f) rt_checked_future_reason_((f), __FILE__, __LINE__)
#define rt_channel_new() rt_checked_channel_new_(__FILE__, __LINE__)
#define rt_channel_new_cap(cap) rt_checked_channel_new_cap_((cap), __FILE__, __LINE__)
#define rt_channel_send(ch, v) rt_checked_channel_send_((ch), (v), __FILE__, __LINE__)
#define rt_channel_send_ex(ch, v, timeout_ns) rt_checked_channel_send_ex_((ch), (v), (timeout_ns), __FILE__, __LINE__)
#define rt_channel_try_send(ch, v) rt_checked_channel_try_send_((ch), (v), __FILE__, __LINE__)
#define rt_channel_recv(ch) rt_checked_channel_recv_((ch), __FILE__, __LINE__)
#define rt_channel_recv_ex(ch, timeout_ns, out) rt_checked_channel_recv_ex_((ch), (timeout_ns), (out), __FILE__, __LINE__)
#define rt_channel_try_recv(ch, out) rt_checked_channel_try_recv_((ch), (out), __FILE__, __LINE__)
#define rt_channel_close(ch) rt_checked_channel_close_((ch), __FILE__, __LINE__)
#define rt_channel_is_closed(ch) rt_checked_channel_is_closed_((ch), __FILE__, __LINE__)
#define rt_channel_len(ch) rt_checked_channel_len_((ch), __FILE__, __LINE__)
#define rt_channel_cap(ch) rt_checked_channel_cap_((ch), __FILE__, __LINE__)
#define rt_generator_new(body, slots, ctx) rt_checked_generator_new_((body), (slots), (ctx), __FILE__, __LINE__)
#define rt_generator_new_co(body, slots, ctx) rt_checked_generator_new_co_((body), (slots), (ctx), __FILE__, __LINE__)
#define rt_generator_next(gen) rt_checked_generator_next_((gen), __FILE__, __LINE__)
#define rt_generator_yield(gen, v) rt_checked_generator_yield_((gen), (v), __FILE__, __LINE__)
#define rt_generator_get_slot(gen, i) rt_checked_generator_get_slot_((gen), (i), __FILE__, __LINE__)
#define rt_generator_set_slot(gen, i, v) rt_checked_generator_set_slot_((gen), (i), (v), __FILE__, __LINE__)
#define rt_generator_is_done(gen) rt_checked_generator_is_done_((gen), __FILE__, __LINE__)
#define rt_generator_get_state(gen) rt_checked_generator_get_state_((gen), __FILE__, __LINE__)
#define rt_generator_set_state(gen, state) rt_checked_generator_set_state_((gen), (state), __FILE__, __LINE__)
#define rt_generator_get_ctx(gen) rt_checked_generator_get_ctx_((gen), __FILE__, __LINE__)
#define rt_generator_mark_done(gen) rt_checked_generator_mark_done_((gen), __FILE__, __LINE__)
#define rt_generator_load_slot(gen, i) rt_checked_generator_load_slot_((gen), (i), __FILE__, __LINE__)
#define rt_generator_store_slot(gen, i, v) rt_checked_generator_store_slot_((gen), (i), (v), __FILE__, __LINE__)
#define rt_actor_spawn(body, ctx) rt_checked_actor_spawn_((body), (ctx), __FILE__, __LINE__)
#define rt_actor_spawn_cap(body, ctx, capacity) rt_checked_actor_spawn_cap_((body), (ctx), (capacity), __FILE__, __LINE__)
#define rt_actor_spawn_handler(handler, state) rt_checked_actor_spawn_handler_((handler), (state), __FILE__, __LINE__)
#define rt_actor_spawn_handler_cap(handler, state, capacity) rt_checked_actor_spawn_handler_cap_((handler), (state), (capacity), __FILE__, __LINE__)
#define rt_actor_send(actor, msg) rt_checked_actor_send_((actor), (msg), __FILE__, __LINE__)
#define rt_actor_send_ex(actor, msg, timeout_ns) rt_checked_actor_send_ex_((actor), (msg), (timeout_ns), __FILE__, __LINE__)
#define rt_actor_try_send(actor, msg) rt_checked_actor_try_send_((actor), (msg), __FILE__, __LINE__)
#define rt_actor_recv() rt_checked_actor_recv_(__FILE__, __LINE__)
#define rt_actor_recv_ex(timeout_ns, out) rt_checked_actor_recv_ex_((timeout_ns), (out), __FILE__, __LINE__)
#define rt_actor_try_recv(out) rt_checked_actor_try_recv_((out), __FILE__, __LINE__)
#define rt_actor_self() rt_checked_actor_self_(__FILE__, __LINE__)
#define rt_actor_join(actor) rt_checked_actor_join_((actor), __FILE__, __LINE__)
#define rt_actor_join_ex(actor, timeout_ns) rt_checked_actor_join_ex_((actor), (timeout_ns), __FILE__, __LINE__)
#define rt_actor_stop(actor) rt_checked_actor_stop_((actor), __FILE__, __LINE__)
#define rt_actor_id(actor) rt_checked_actor_id_((actor), __FILE__, __LINE__)
#define rt_actor_is_alive(actor) rt_checked_actor_is_alive_((actor), __FILE__, __LINE__)
#define rt_actor_death_reason(actor) rt_checked_actor_death_reason_((actor), __FILE__, __LINE__)
#define rt_actor_pending(actor) rt_checked_actor_pending_((actor), __FILE__, __LINE__)
#define rt_async_file_create(path, mode, prefault) rt_checked_async_file_create_((path), (mode), (prefault), __FILE__, __LINE__)
#define rt_async_file_close(file) rt_checked_async_file_close_((file), __FILE__, __LINE__)
#define rt_async_file_read(file, offset, n) rt_checked_async_file_read_((file), (offset), (n), __FILE__, __LINE__)
#define rt_async_file_write(file, offset, text) rt_checked_async_file_write_((file), (offset), (text), __FILE__, __LINE__)
#define rt_async_file_prefault(file, offset, n) rt_checked_async_file_prefault_((file), (offset), (n), __FILE__, __LINE__)
#define rt_async_file_size(file) rt_checked_async_file_size_((file), __FILE__, __LINE__)
#define rt_async_file_sync(file) rt_checked_async_file_sync_((file), __FILE__, __LINE__)
#define rt_async_file_wait(file) rt_checked_async_file_wait_((file), __FILE__, __LINE__)
#define rt_async_file_start_loading(file) rt_checked_async_file_start_loading_((file), __FILE__, __LINE__)
#define rt_async_file_is_ready(file) rt_checked_async_file_is_ready_((file), __FILE__, __LINE__)
#define rt_async_file_get_state(file) rt_checked_async_file_get_state_((file), __FILE__, __LINE__)

#endif /* ISTHMUS_RT_CHECK_H */
