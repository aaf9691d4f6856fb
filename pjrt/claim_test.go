package pjrt_test

import (
	"context"
	"errors"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestP11TakenWhileExecuted takes the memory of an argument while the plugin executes. It is refused, and does not
// wait: who asks may be who the execution waits for.
func TestP11TakenWhileExecuted(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	c := client(t, p)
	d := c.Device()
	entered, leave := make(chan struct{}), make(chan struct{})
	h := handle(t, p, func(*pjrt.HandlerCall) error {
		entered <- struct{}{}
		<-leave
		return nil
	}, pjrt.HandlerOptions{})
	x := compile(t, c, calling(h, "", "tensor<2xf32>", "tensor<2xf32>"))
	b := put(t, c, []float32{1, 2}, 2)
	shape := pjrt.ShapeOf(dtype.F32, 2)
	alias, promise, err := d.Memory().Alias(shape)
	if err != nil {
		t.Fatal(err)
	}
	defer alias.Close()
	defer promise.Close()
	done := make(chan error)
	go func() {
		done <- executes(context.Background(), x, b)
	}()
	<-entered
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"donate after", func() error {
			n, p, err := b.DonateAfter()
			return errors.Join(err, n.Close(), p.Close())
		}},
		{"bitcast", func() error { return closes(b.Bitcast(pjrt.ShapeOf(dtype.I32, 2))) }},
		{"fulfill", func() error { return promise.Fulfill(b) }},
	} {
		if err := c.do(); !errors.Is(err, isthmus.ErrBusy) {
			t.Errorf("%s: %v, want ErrBusy", c.name, err)
		}
	}
	if _, err := b.Bytes(t.Context()); err != nil {
		t.Errorf("reading is no taking: %v", err)
	}
	leave <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The promise has not been used up.
	if err := promise.Fulfill(b); err != nil {
		t.Fatal(err)
	}
	if got := get[float32](t, alias); got[0] != 1 || got[1] != 2 {
		t.Errorf("got %v", got)
	}
}
