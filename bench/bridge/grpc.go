//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bytesCodec sends bytes as they are: what is compared is the way, not protobuf.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }
func (bytesCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no *[]byte", v)
	}
	return *b, nil
}

func (bytesCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is no *[]byte", v)
	}
	*b = append((*b)[:0], data...)
	return nil
}

var service = grpc.ServiceDesc{
	ServiceName: "bench", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "echo", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var b []byte
		if err := decode(&b); err != nil {
			return nil, err
		}
		if len(b) == 1 {
			b[0] = 1 // a Pong
		}
		return &b, nil
	}}},
}

// serve is the server, in a process of its own.
func serve(ctx context.Context, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := grpc.NewServer(grpc.ForceServerCodec(bytesCodec{}))
	s.RegisterService(&service, nil)
	go func() {
		<-ctx.Done()
		s.Stop()
	}()
	return s.Serve(l)
}

// client is the other end, in Go.
type client struct {
	conn *grpc.ClientConn
	cmd  *exec.Cmd
}

func dial(ctx context.Context, self, socket string) (*client, error) {
	c := &client{cmd: exec.CommandContext(ctx, self, "-serve", socket)}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	var err error
	c.conn, err = grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.WaitForReady(true)))
	if err == nil {
		_, err = c.measure(ctx, row{callers: 1}, 1)
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *client) stop() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// measure is the nanoseconds of a call, of as many callers as the row has.
func (c *client) measure(ctx context.Context, r row, n int) (float64, error) {
	message := []byte{0}
	if r.large {
		message = make([]byte, 9+65536)
	}
	var wg sync.WaitGroup
	errs := make([]error, r.callers)
	began := time.Now()
	for i := range r.callers {
		wg.Go(func() {
			var reply []byte
			for range n / r.callers {
				if err := c.conn.Invoke(ctx, "/bench/echo", &message, &reply); err != nil {
					errs[i] = err
					return
				}
				if len(reply) != len(message) {
					errs[i] = fmt.Errorf("a reply of %d bytes", len(reply))
				}
			}
		})
	}
	wg.Wait()
	return float64(time.Since(began).Nanoseconds()) / float64(n/r.callers*r.callers), errors.Join(errs...)
}
