package gen

import (
	_ "embed"
	"strings"

	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

//go:embed client.h
var clientH string

// clientC writes what opens the bridge, and the functions of methods.
func (w *writer) clientC() {
	s := w.s
	w.p(`
/* Opens the bridge for a client that is all zero, whose error says what went wrong. br_client_close ends it. */
static inline int32_t %s_open(br_client *c) {
  br_init_args a = %s_init_args();
  BR_SET(c->error);
  return br_init(&a, &c->error, &c->generation);
}
`, s.Name, s.Name)
	for i := range s.Methods {
		m := &s.Methods[i]
		w.p("\n")
		w.commentC("", w.methodDoc(m))
		name, id := s.Name+"_"+snake(m.Name), strings.ToUpper(s.Name)+"_"+constant(m.Name)
		message := "const " + pad(w.typeC(m.In)) + "*message"
		if strings.HasSuffix(w.typeC(m.In), "*") {
			message = constC(w.typeC(m.In)) + "*message"
		}
		write := "  " + w.funcC("write", m.In) + "(br_client_write(c), message);\n"
		switch m.Kind {
		case schema.Call:
			w.callC(m, name, id, message, write)
		case schema.Cast:
			w.p("static inline int32_t %s_cast(br_client *c, %s) {\n%s  return br_client_cast(c, %s);\n}\n", name, message, write, id)
		case schema.Event:
			w.p(`static inline int32_t %s_subscribe(br_client *c, uint32_t capacity, uint64_t *subscription) {
  return br_client_subscribe(c, %s, capacity, subscription);
}
`, name, id)
			w.p(`
/* The next event, or BR_E_NONE. lost may be NULL. */
static inline int32_t %s_next(br_client *c, uint64_t subscription, %s*event, uint64_t *lost) {
  br_event *e = NULL;
  int32_t rc = br_client_next(c, subscription, &e);
  if (rc != BR_OK) return rc;
  if (lost != NULL) *lost = e->lost;
  br_reader r = br_read(e->data, e->len, &c->arena);
  %s(&r, event);
  rc = br_client_read(c, &r, NULL);
  br_event_free(e);
  return rc;
}
`, name, pad(w.typeC(m.In)), w.funcC("read", m.In))
		}
	}
}

func (w *writer) callC(m *schema.Method, name, id, message, write string) {
	w.p("static inline int32_t %s_call(br_client *c, %s, %s*reply, uint64_t deadline_ns) {\n  br_slot *s = NULL;\n%s", name, message, pad(w.typeC(m.Out)), write)
	from := "s->reply, s->reply_len"
	if m.Inline {
		w.p("  uint8_t room[512];\n  size_t len = sizeof room;\n  int32_t rc = br_client_inline(c, %s, deadline_ns, room, &len, &s);\n", id)
		from = "s != NULL ? s->reply : room, s != NULL ? s->reply_len : len"
	} else {
		w.p("  int32_t rc = br_client_call(c, %s, deadline_ns, &s);\n", id)
	}
	w.p("  if (rc != BR_OK) return rc;\n  br_reader r = br_read(%s, &c->arena);\n  %s(&r, reply);\n  return br_client_read(c, &r, s);\n}\n", from, w.funcC("read", m.Out))
}
