package mpicoll_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpicoll"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
	"github.com/isthmus-ffi/isthmus/pjrt"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{
		"same": same, "shapes": shapes, "devices": devices, "mismatch": mismatch, "fails": fails, "early": early, "deadline": deadline, "order": order,
		"conform": conform,
	}, nil)
}

func TestNil(t *testing.T) { niltest.Methods(t, &mpicoll.Peers{}) }

func TestSameAsOneProcess(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) { mpitest.Run(t, n+1, "same") })
	}
}
func TestShapesOfTheGrid(t *testing.T) { mpitest.Run(t, 4, "shapes") }
func TestDevices(t *testing.T)         { mpitest.Run(t, 3, "devices") }
func TestMismatch(t *testing.T)        { mpitest.Run(t, 3, "mismatch") }
func TestPeerFails(t *testing.T)       { mpitest.Run(t, 3, "fails") }
func TestPeerEndsEarly(t *testing.T)   { mpitest.Run(t, 2, "early") }
func TestDeadline(t *testing.T)        { mpitest.Run(t, 2, "deadline") }
func TestManyRunsInOrder(t *testing.T) { mpitest.Run(t, 3, "order") }

// join makes peers and a client of this rank's device.
func join(ctx context.Context, w *mpi.World, f func(c *pjrt.Client) error) (err error) {
	p, err := mpicoll.New(ctx, w.Comm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	err = with(ctx, device.Options{Peers: p}, f)
	if err != nil { // the others end with what follows from it, perhaps before this rank
		fmt.Fprintf(os.Stderr, "rank %d: %v\n", w.Comm().Rank(), err)
	}
	return err
}

// with makes a client.
func with(ctx context.Context, o device.Options, f func(c *pjrt.Client) error) (err error) {
	plugin, err := embedded.Plugin(o)
	if err != nil {
		return err
	}
	c, err := plugin.NewClient(ctx, pjrt.ClientOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return f(c)
}

// shut closes an executable. After a deadline its last execution may still be on its way to stopping.
func shut(x *pjrt.Executable) error {
	for {
		err := x.Close()
		if !errors.Is(err, isthmus.ErrBusy) {
			return err
		}
		runtime.Gosched()
	}
}

// program is one of replicas and partitions with its arguments, one list a process.
type program struct {
	code                 string
	replicas, partitions int
	typ                  pjrt.Type
	args                 [][]byte
}

// alone runs a program on as many devices of this process.
func (p program) alone(ctx context.Context) (outs [][][]byte, err error) {
	n := p.replicas * p.partitions
	err = with(ctx, device.Options{Devices: n}, func(c *pjrt.Client) (err error) {
		x, err := c.Compile(ctx, pjrt.MLIR([]byte(p.code)), pjrt.CompileOptions{Replicas: p.replicas, Partitions: p.partitions})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shut(x)) }()
		args := make([][]*pjrt.Buffer, n)
		for i, d := range c.Devices() {
			b, err := pjrt.PutBytes(ctx, d, p.typ, p.args[i])
			if err != nil {
				return err
			}
			defer b.Close()
			args[i] = []*pjrt.Buffer{b}
		}
		results, err := x.ExecuteAll(ctx, args, pjrt.ExecuteOptions{})
		if err != nil {
			return err
		}
		for _, list := range results {
			data, err := fetch(ctx, list)
			if err != nil {
				return err
			}
			outs = append(outs, data)
		}
		return nil
	})
	return outs, err
}

// mine runs this process's part.
func (p program) mine(ctx context.Context, c *pjrt.Client, rank int) (_ [][]byte, err error) {
	x, err := c.Compile(ctx, pjrt.MLIR([]byte(p.code)), pjrt.CompileOptions{Replicas: p.replicas, Partitions: p.partitions})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shut(x)) }()
	return p.run(ctx, c, x, p.args[rank])
}

func (p program) run(ctx context.Context, c *pjrt.Client, x *pjrt.Executable, arg []byte) ([][]byte, error) {
	b, err := pjrt.PutBytes(ctx, c.Device(), p.typ, arg)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	outs, err := x.ExecuteAll(ctx, [][]*pjrt.Buffer{{b}}, pjrt.ExecuteOptions{})
	if err != nil {
		return nil, err
	}
	return fetch(ctx, outs[0])
}

func fetch(ctx context.Context, outs []*pjrt.Buffer) (data [][]byte, err error) {
	for _, b := range outs {
		if err == nil {
			var d []byte
			d, err = b.Bytes(ctx)
			data = append(data, d)
		}
		err = errors.Join(err, b.Close())
	}
	return data, err
}

// agree compares what this rank gets with what one process gets for it.
func agree(ctx context.Context, c *pjrt.Client, rank int, p program, what string) error {
	want, err := p.alone(ctx)
	if err != nil {
		return fmt.Errorf("%s, one process: %w\n%s", what, err, p.code)
	}
	got, err := p.mine(ctx, c, rank)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", what, err, p.code)
	}
	for i := range want[rank] {
		if !bytes.Equal(got[i], want[rank][i]) {
			return fmt.Errorf("%s, process %d, result %d: % x, one process gets % x\n%s", what, rank, i, head(got[i]), head(want[rank][i]), p.code)
		}
	}
	return nil
}

func head(b []byte) []byte { return b[:min(len(b), 64)] }

// ints are the arguments of n processes: d numbers each, from -1000 to 1000.
func ints(n, d int) (pjrt.Type, [][]byte) {
	out := make([][]byte, n)
	for i := range out {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		for range d {
			out[i] = binary.LittleEndian.AppendUint32(out[i], uint32(int32(r.IntN(2001)-1000)))
		}
	}
	return pjrt.Type{DType: pjrt.DType[int32](), Dims: []int{d}}, out
}

// every is a program with each collective operation on elements of type t, among n processes in the groups of a channel.
func every(n, d int, t, channel, groups string) string {
	var b strings.Builder
	dn, dpn := d*n, d/n
	typ := func(k int) string { return fmt.Sprintf("tensor<%dx%s>", k, t) }
	var pairs []string
	for i := range n {
		if i+1 < n || n > 2 {
			pairs = append(pairs, fmt.Sprintf("[%d, %d]", i, (i+1)%n))
		}
	}
	results := []string{typ(d), typ(d), typ(dn), typ(d), typ(dpn)}
	combine := func(body string) string {
		return fmt.Sprintf(`({
    ^bb0(%%a: tensor<%[1]s>, %%b: tensor<%[1]s>):
%[2]s      stablehlo.return %%s : tensor<%[1]s>
  })`, t, body)
	}
	kind := "add"
	if t == "i1" {
		kind = "or"
	}
	sum := combine(fmt.Sprintf("      %%s = stablehlo.%s %%a, %%b : tensor<%s>\n", kind, t))
	odd := combine(fmt.Sprintf("      %%o = stablehlo.constant dense<%s> : tensor<%[2]s>\n      %%c = stablehlo.%[3]s %%b, %%o : tensor<%[2]s>\n      %%s = stablehlo.%[4]s %%a, %%c : tensor<%[2]s>\n",
		map[bool]string{true: "true", false: one(t)}[t == "i1"], t, map[bool]string{true: "xor", false: "subtract"}[t == "i1"], map[bool]string{true: "and", false: "add"}[t == "i1"]))
	fmt.Fprintf(&b, "func.func @main(%%i: tensor<%dxi32>) -> (RESULTS) {\n", d)
	if t == "i32" {
		fmt.Fprintf(&b, "  %%x = stablehlo.add %%i, %%i : tensor<%dxi32>\n", d)
	} else {
		fmt.Fprintf(&b, "  %%x = stablehlo.convert %%i : (tensor<%dxi32>) -> %s\n", d, typ(d))
	}
	fmt.Fprintf(&b, "  %%0 = \"stablehlo.all_reduce\"(%%x) %s {replica_groups = %s%s} : (%s) -> %[4]s\n", sum, groups, channel, typ(d))
	fmt.Fprintf(&b, "  %%1 = \"stablehlo.all_reduce\"(%%x) %s {replica_groups = %s%s} : (%s) -> %[4]s\n", odd, groups, channel, typ(d))
	fmt.Fprintf(&b, "  %%2 = \"stablehlo.all_gather\"(%%x) {all_gather_dim = 0 : i64, replica_groups = %s%s} : (%s) -> %s\n", groups, channel, typ(d), typ(dn))
	fmt.Fprintf(&b, "  %%3 = \"stablehlo.all_to_all\"(%%x) {split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = %d : i64, replica_groups = %s} : (%s) -> %[3]s\n", n, groups, typ(d))
	fmt.Fprintf(&b, "  %%4 = \"stablehlo.reduce_scatter\"(%%x) %s {scatter_dimension = 0 : i64, replica_groups = %s%s} : (%s) -> %s\n", sum, groups, channel, typ(d), typ(dpn))
	names := []string{"%0", "%1", "%2", "%3", "%4"}
	if len(pairs) > 0 {
		fmt.Fprintf(&b, "  %%5 = \"stablehlo.collective_permute\"(%%x) {source_target_pairs = dense<[%s]> : tensor<%dx2xi64>} : (%s) -> %[3]s\n", strings.Join(pairs, ", "), len(pairs), typ(d))
		names, results = append(names, "%5"), append(results, typ(d))
	}
	fmt.Fprintf(&b, "  %%6 = \"stablehlo.collective_broadcast\"(%%x) {replica_groups = %s} : (%s) -> %[2]s\n", groups, typ(d))
	fmt.Fprintf(&b, "  %%7 = stablehlo.replica_id : tensor<ui32>\n  %%8 = stablehlo.partition_id : tensor<ui32>\n")
	names, results = append(names, "%6", "%7", "%8"), append(results, typ(d), "tensor<ui32>", "tensor<ui32>")
	types := strings.Join(results, ", ")
	fmt.Fprintf(&b, "  return %s : %s\n}\n", strings.Join(names, ", "), types)
	return strings.Replace(b.String(), "RESULTS", types, 1)
}

// one is a constant of type t.
func one(t string) string {
	switch {
	case strings.HasPrefix(t, "complex"):
		return "(1.5, -0.5)"
	case strings.Contains(t, "f"):
		return "1.5"
	}
	return "1"
}

// dtypes are those that integers convert to.
var dtypes = []string{
	"i1", "i4", "ui4", "i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64", "f8E4M3FN", "f8E5M2", "bf16", "f16", "f32", "f64", "complex<f32>", "complex<f64>",
}

// all is the group of n processes.
func all(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	return fmt.Sprintf("dense<[[%s]]> : tensor<1x%dxi64>", strings.Join(ids, ", "), n)
}

// same compares every operation on every type with one process, small enough to go with the first message and too large for
// that.
func same(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		for _, t := range dtypes {
			for _, d := range []int{2 * n, 8196 * n} {
				if d > 100 && !slices.Contains([]string{"i8", "ui16", "i32", "i64", "bf16", "f32", "complex<f64>", "i1"}, t) {
					continue
				}
				typ, args := ints(n, d)
				p := program{every(n, d, t, "", all(n)), n, 1, typ, args}
				if err := agree(ctx, c, rank, p, fmt.Sprintf("%s, %d elements", t, d)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// shapes forms groups in each of the ways that the specification has.
func shapes(ctx context.Context, w *mpi.World) error {
	rank := w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		channel := ", channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>"
		for _, k := range []struct {
			what                 string
			replicas, partitions int
			op                   string
		}{
			{"two groups of replicas", 4, 1, `"stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64, replica_groups = dense<[[3, 0], [1, 2]]> : tensor<2x2xi64>}`},
			{"replicas, in each partition", 2, 2, `"stablehlo.all_gather"(%x) {all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}`},
			{"partitions, in each replica", 2, 2, `"stablehlo.all_to_all"(%x) {split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = 2 : i64, replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>` + channel + `}`},
			{"replicas and partitions", 2, 2, `"stablehlo.all_reduce"(%x) SUM {replica_groups = dense<[[0], [1]]> : tensor<2x1xi64>` + channel + `}`},
			{"all of both", 2, 2, `"stablehlo.all_reduce"(%x) SUM {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>` + channel + `}`},
			{"flattened", 2, 2, `"stablehlo.all_reduce"(%x) SUM {replica_groups = dense<[[0, 3], [2, 1]]> : tensor<2x2xi64>, use_global_device_ids` + channel + `}`},
			{"a ring", 1, 4, `"stablehlo.collective_permute"(%x) {source_target_pairs = dense<[[0, 1], [1, 2], [2, 3], [3, 0]]> : tensor<4x2xi64>` + channel + `}`},
			{"some stay out", 4, 1, `"stablehlo.collective_permute"(%x) {source_target_pairs = dense<[[2, 0], [1, 1]]> : tensor<2x2xi64>}`},
			{"broadcast in pairs", 4, 1, `"stablehlo.collective_broadcast"(%x) {replica_groups = dense<[[2, 0], [1, 3]]> : tensor<2x2xi64>}`},
		} {
			for _, d := range []int{4, 20000} {
				typ, args := ints(4, d)
				in, out := fmt.Sprintf("tensor<%dxi32>", d), fmt.Sprintf("tensor<%dxi32>", d)
				if strings.Contains(k.op, "all_gather") {
					out = fmt.Sprintf("tensor<%dxi32>", 2*d)
				}
				op := strings.Replace(k.op, "SUM", `({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %s = stablehlo.add %a, %b : tensor<i32>
      stablehlo.return %s : tensor<i32>
  })`, 1)
				code := fmt.Sprintf("func.func @main(%%x: %s) -> %s {\n  %%0 = %s : (%[1]s) -> %[2]s\n  return %%0 : %[2]s\n}\n", in, out, op)
				if err := agree(ctx, c, rank, program{code, k.replicas, k.partitions, typ, args}, k.what); err != nil {
					return err
				}
			}
		}
		// Operations inside a loop, in two groups that go round it at the same time.
		typ, args := ints(4, 6000)
		return agree(ctx, c, rank, program{rounds, 4, 1, typ, args}, "a loop")
	})
}

// rounds adds and passes on, three times.
const rounds = `func.func @main(%x: tensor<6000xi32>) -> tensor<6000xi32> {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %n = stablehlo.constant dense<3> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %0:2 = stablehlo.while(%i = %z, %v = %x) : tensor<i32>, tensor<6000xi32>
   cond {
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %s = "stablehlo.all_reduce"(%v) ({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %t = stablehlo.add %a, %b : tensor<i32>
      stablehlo.return %t : tensor<i32>
    }) {replica_groups = dense<[[0, 2], [3, 1]]> : tensor<2x2xi64>} : (tensor<6000xi32>) -> tensor<6000xi32>
    %p = "stablehlo.collective_permute"(%s) {source_target_pairs = dense<[[0, 1], [1, 2], [2, 3], [3, 0]]> : tensor<4x2xi64>} : (tensor<6000xi32>) -> tensor<6000xi32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %p : tensor<i32>, tensor<6000xi32>
  }
  return %0#1 : tensor<6000xi32>
}
`

// devices looks at what a client shows of the others.
func devices(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		if len(c.AllDevices()) != n || len(c.Devices()) != 1 || c.Device().ID() != rank {
			return fmt.Errorf("%d devices, %d of this process, the first is %v", len(c.AllDevices()), len(c.Devices()), c.Device())
		}
		other := c.AllDevices()[(rank+1)%n]
		if other.Addressable() {
			return fmt.Errorf("%v is another process's", other)
		}
		typ, args := ints(n, 4)
		if _, err := pjrt.PutBytes(ctx, other, typ, args[0]); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("a buffer on another process's device: %v", err)
		}
		// A program of one device needs nobody else.
		code := "func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {\n  %0 = stablehlo.add %x, %x : tensor<4xi32>\n  return %0 : tensor<4xi32>\n}\n"
		got, err := program{code, 1, 1, typ, args}.mine(ctx, c, rank)
		if err != nil {
			return err
		}
		if a, b := binary.LittleEndian.Uint32(got[0]), binary.LittleEndian.Uint32(args[rank]); a != 2*b {
			return fmt.Errorf("got %d of %d", a, b)
		}
		channel := `func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {
  %t = stablehlo.create_token : !stablehlo.token
  %s = "stablehlo.send"(%x, %t) {channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>} : (tensor<4xi32>, !stablehlo.token) -> !stablehlo.token
  return %x : tensor<4xi32>
}
`
		_, err = program{channel, n, 1, typ, args}.mine(ctx, c, rank)
		if err := says(err, nil, "use collective_permute"); err != nil {
			return err
		}
		_, err = c.Compile(ctx, pjrt.MLIR([]byte(code)), pjrt.CompileOptions{Replicas: n + 1})
		if err == nil {
			return errors.New("more replicas than ranks")
		}
		return nil
	})
}

// branch is a program in which processes with a positive number do one thing, the others another.
const branch = `func.func @main(%x: tensor<1xi32>) -> tensor<1xi32> {
  %r = stablehlo.reshape %x : (tensor<1xi32>) -> tensor<i32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %p = stablehlo.compare GT, %r, %z : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %0 = "stablehlo.if"(%p) ({
    %1 = THEN
    stablehlo.return %1 : tensor<1xi32>
  }, {
    %2 = ELSE
    stablehlo.return %2 : tensor<1xi32>
  }) : (tensor<i1>) -> tensor<1xi32>
  return %0 : tensor<1xi32>
}
`

func group(n int, kind string) string {
	sum := `({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %s = stablehlo.add %a, %b : tensor<i32>
      stablehlo.return %s : tensor<i32>
  })`
	switch kind {
	case "reduce":
		return `"stablehlo.all_reduce"(%x) ` + sum + ` {replica_groups = ` + all(n) + `} : (tensor<1xi32>) -> tensor<1xi32>`
	case "broadcast":
		return `"stablehlo.collective_broadcast"(%x) {replica_groups = ` + all(n) + `} : (tensor<1xi32>) -> tensor<1xi32>`
	}
	return "stablehlo.add %x, %x : tensor<1xi32>"
}

func branches(n int, then, other string) program {
	p := program{code: strings.NewReplacer("THEN", group(n, then), "ELSE", group(n, other)).Replace(branch), replicas: n, partitions: 1}
	p.typ, _ = ints(n, 1)
	return p
}

func number(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// says checks an error and what it says.
func says(err error, is error, texts ...string) error {
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			return fmt.Errorf("error %v, want one that says %q", err, text)
		}
	}
	if err == nil || is != nil && !errors.Is(err, is) {
		return fmt.Errorf("error %v, want %v", err, is)
	}
	return nil
}

// mismatch has one rank broadcast while the others reduce: all get an error, and the next execution is well.
func mismatch(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		p := branches(n, "reduce", "broadcast")
		for range 3 {
			x, err := c.Compile(ctx, pjrt.MLIR([]byte(p.code)), pjrt.CompileOptions{Replicas: n})
			if err != nil {
				return err
			}
			_, err = p.run(ctx, c, x, number(int32(rank)))
			if err == nil {
				return errors.New("nothing was noticed")
			}
			if !strings.Contains(err.Error(), "another process") {
				if err := says(err, nil, "collective operations differ", "all_reduce", "collective_broadcast"); err != nil {
					return err
				}
			}
			got, err := p.run(ctx, c, x, number(5))
			if err != nil {
				return fmt.Errorf("after an execution that failed: %w", err)
			}
			if v := binary.LittleEndian.Uint32(got[0]); v != uint32(5*n) {
				return fmt.Errorf("after an execution that failed: %d", v)
			}
			if err := shut(x); err != nil {
				return err
			}
		}
		return nil
	})
}

// fails has an execution of one rank stopped by its deadline while the others wait for it.
func fails(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		p := program{code: loop + group(n, "reduce") + "\n  return %y : tensor<1xi32>\n}\n", replicas: n, partitions: 1}
		p.typ, _ = ints(n, 1)
		x, err := c.Compile(ctx, pjrt.MLIR([]byte(p.code)), pjrt.CompileOptions{Replicas: n})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shut(x)) }()
		if rank == 1 {
			short, stop := context.WithTimeout(ctx, 2*time.Second) // it has to begin before that
			defer stop()
			_, err := p.run(short, c, x, number(1))
			return says(err, context.DeadlineExceeded)
		}
		_, err = p.run(ctx, c, x, number(0))
		return says(err, nil, "another process failed: process 1")
	})
}

// loop goes on for ever where its argument is not 0.
const loop = `func.func @main(%i: tensor<1xi32>) -> tensor<1xi32> {
  %z = stablehlo.constant dense<0> : tensor<1xi32>
  %x = "stablehlo.while"(%i) ({
  ^bb0(%a: tensor<1xi32>):
    %c = stablehlo.compare NE, %a, %z : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi1>
    %d = stablehlo.reshape %c : (tensor<1xi1>) -> tensor<i1>
    stablehlo.return %d : tensor<i1>
  }, {
  ^bb0(%a: tensor<1xi32>):
    %b = stablehlo.abs %a : tensor<1xi32>
    stablehlo.return %b : tensor<1xi32>
  }) : (tensor<1xi32>) -> tensor<1xi32>
  %y = `

// early has one rank end its program without the operation that the other waits in.
func early(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		p := branches(n, "reduce", "none")
		p.args = [][]byte{number(1), number(0)}
		_, err = p.mine(ctx, c, rank)
		if rank == 1 {
			return err
		}
		return says(err, nil, "has ended its execution: process 1", "process 0 waits for it in all_reduce")
	})
}

// deadline has one rank wait for another that does not come in time.
func deadline(ctx context.Context, w *mpi.World) error {
	n, rank := w.Comm().Size(), w.Comm().Rank()
	err := join(ctx, w, func(c *pjrt.Client) (err error) {
		if rank == 1 {
			_, err := mpi.Recv(ctx, w.Comm(), make([]byte, 1), 0, 5) // rank 0 has given up
			return err
		}
		p := branches(n, "reduce", "reduce")
		p.args = [][]byte{number(1), number(1)}
		short, stop := context.WithTimeout(ctx, 2*time.Second) // it has to begin before that
		defer stop()
		_, err = p.mine(short, c, rank)
		return errors.Join(says(err, context.DeadlineExceeded), mpi.Send(ctx, w.Comm(), []byte{1}, 1, 5))
	})
	return err
}

// order executes many times, each with what the one before gave, without looking at it.
func order(ctx context.Context, w *mpi.World) error {
	n := w.Comm().Size()
	return join(ctx, w, func(c *pjrt.Client) (err error) {
		p := branches(n, "reduce", "broadcast")
		x, err := c.Compile(ctx, pjrt.MLIR([]byte(p.code)), pjrt.CompileOptions{Replicas: n})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shut(x)) }()
		last, err := pjrt.PutBytes(ctx, c.Device(), p.typ, number(1))
		if err != nil {
			return err
		}
		made := []*pjrt.Buffer{last}
		const runs = 12 // of 3 ranks: 3 to the twelfth fits
		for range runs {
			outs, err := x.ExecuteAll(ctx, [][]*pjrt.Buffer{{last}}, pjrt.ExecuteOptions{})
			if err != nil {
				return err
			}
			last = outs[0][0]
			made = append(made, last)
		}
		data, err := fetch(ctx, made)
		if err != nil {
			return err
		}
		want := uint32(1)
		for i := range runs {
			want *= uint32(n)
			if v := binary.LittleEndian.Uint32(data[i+1]); v != want {
				return fmt.Errorf("execution %d: %d, want %d", i, v, want)
			}
		}
		return nil
	})
}

// TestConformance runs the programs of the StableHLO project that run in parallel, each on as many ranks as it has
// processes.
func TestConformance(t *testing.T) {
	file := conformance.Archive(t)
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		for n := 1; n <= 5; n++ {
			if out, err := l.Start(t.Context(), n, "conform", "ISTHMUS_TESTDATA="+file); err != nil {
				t.Errorf("%d ranks: %v\n%s", n, err, out)
			}
		}
	})
}

// processes is how many processes the module's interpreter.run_parallel has, 0 without.
func processes(src []byte) int {
	_, rest, ok := bytes.Cut(src, []byte("programs"))
	if !ok || bytes.Contains(src, []byte("stablehlo.send")) || bytes.Contains(src, []byte("stablehlo.infeed")) || bytes.Contains(src, []byte("stablehlo.outfeed")) {
		return 0
	}
	list, _, _ := bytes.Cut(rest, []byte("]]"))
	return bytes.Count(list, []byte("@"))
}

// conform runs the programs of as many processes as there are ranks.
func conform(ctx context.Context, w *mpi.World) (err error) {
	programs, err := conformance.Load(os.Getenv("ISTHMUS_TESTDATA"))
	if err != nil {
		return err
	}
	p, err := mpicoll.New(ctx, w.Comm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	n := w.Comm().Size()
	ran := 0
	for _, prog := range programs {
		if prog.Set != "interpret" || len(prog.Parts) != 1 || processes(prog.Parts[0]) != n {
			continue
		}
		m, err := stablehlo.Parse(prog.Parts[0], stablehlo.Options{TestOps: true})
		if err != nil {
			return fmt.Errorf("%s: %w", prog.Name, err)
		}
		link := p.Begin(prog.Name)
		in, err := link.Enter(ctx)
		if err != nil {
			return err
		}
		in = eval.Join(in, eval.Place{Replicas: n, Partitions: 1, Process: p.Process(), Link: link})
		_, err = eval.Run(in, m, m.Main(), nil, eval.Options{})
		link.End(err)
		if err != nil {
			return fmt.Errorf("%s: %w", prog.Name, err)
		}
		ran++
	}
	if least := []int{0, 0, 20, 1, 6, 1}[n]; ran < least {
		return fmt.Errorf("only %d programs of %d processes", ran, n)
	}
	if p.Process() == 0 {
		fmt.Printf("conform: %d programs of %d processes\n", ran, n)
	}
	return nil
}
