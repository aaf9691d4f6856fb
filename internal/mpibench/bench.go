// Package mpibench measures message passing in the shapes of the OSU micro-benchmarks: the same patterns, sizes, warm-up
// and columns, so that figures can be put side by side with those of C programs on the same library.
package mpibench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// Config says what to measure. The zero value of a number is OSU's.
type Config struct {
	Shape      string
	Min, Max   int // bytes; 1 to 4 MiB, 1 MiB for collective operations
	Iterations int // of each size; 10000 for latencies, 100 for bandwidths, 1000 for collectives, a tenth above 8 KiB
	Window     int // messages under way at once in bandwidths; 64
	Validate   bool
	Alloc      bool // buffers of mpi.Alloc, otherwise Go's heap
}

// Row is what was measured for a size: what is 0 was not.
type Row struct {
	Size       int     `json:"size"`
	Latency    float64 `json:"latencyMicroseconds,omitempty"` // of one message, or the mean of all ranks
	Min        float64 `json:"minMicroseconds,omitempty"`     // of the fastest rank
	Max        float64 `json:"maxMicroseconds,omitempty"`
	Bandwidth  float64 `json:"megabytesPerSecond,omitempty"` // 10^6 bytes, of all pairs
	Rate       float64 `json:"messagesPerSecond,omitempty"`
	Iterations int     `json:"iterations"`
	Valid      *bool   `json:"valid,omitempty"` // nil without Config.Validate
}

// Shape is a pattern of communication.
type Shape struct {
	Name, Help string
	Ranks      int  // that it takes: exactly 2, or at least that many
	Exactly    bool // this many ranks, not more
	columns    []string
	group      bool // a collective operation: every rank's time counts
	floats     bool // of whole float32s
	none       bool // has no size
	iterations int
	run        func(ctx context.Context, j *job, size int) error
}

// Shapes are all shapes, in the order of the manual.
func Shapes() []Shape { return slices.Concat(messages(), collectives(), oneSided()) }

// Find gives a shape by its name; osu_ before it is ignored.
func Find(name string) (Shape, error) {
	all := Shapes()
	i := slices.IndexFunc(all, func(s Shape) bool { return s.Name == strings.TrimPrefix(name, "osu_") })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return Shape{}, fmt.Errorf("mpi bench: no shape %q: %w; there are %s", name, isthmus.ErrNotFound, strings.Join(names, ", "))
	}
	return all[i], nil
}

// large is the size above which fewer iterations do.
const large = 8192

// job is one size on its way.
type job struct {
	Config
	w     *mpi.World
	c     *mpi.Comm
	n     int // iterations
	skip  int // and before them
	bad   bool
	spent time.Duration
	out   []byte // at least size bytes, twice the window where a shape has more under way
	in    []byte
}

// Run measures all sizes, and has each, in rank 0, called with each row. All ranks call it with the same config.
//
// Errors: [isthmus.ErrNotFound] for the shape; [isthmus.ErrInvalid] for a number of ranks that it does not take;
// [isthmus.ErrBounds] for sizes that cannot be; data that is not what was sent is no error but in the rows.
func Run(ctx context.Context, w *mpi.World, cfg Config, each func(Row)) error {
	c := w.Comm()
	s, cfg, err := cfg.on(c.Size())
	if err != nil {
		return err
	}
	for size := cfg.Min; size <= cfg.Max; size = max(1, 2*size) {
		row, err := one(ctx, w, s, cfg, size)
		if err != nil {
			return fmt.Errorf("mpi bench: %s, %d bytes: %w", s.Name, size, err)
		}
		if c.Rank() == 0 && each != nil {
			each(row)
		}
		if s.none {
			break
		}
	}
	return nil
}

// Check says what Run would say of cfg on so many ranks before it measures anything.
func (c Config) Check(ranks int) error {
	_, _, err := c.on(ranks)
	return err
}

// on is the shape that is to be measured on n ranks, and the config with what was left out.
func (c Config) on(n int) (Shape, Config, error) {
	s, err := Find(c.Shape)
	if err != nil {
		return s, c, err
	}
	if n < s.Ranks || s.Exactly && n != s.Ranks || s.Name == "mbw_mr" && n%2 != 0 {
		return s, c, fmt.Errorf("mpi bench: %s with %d ranks, want %d: %w", s.Name, n, s.Ranks, isthmus.ErrInvalid)
	}
	c.Shape = s.Name
	err = c.fill(s)
	return s, c, err
}

// fill puts in what was left out.
func (c *Config) fill(s Shape) error {
	if c.Min < 0 || c.Max < 0 || c.Iterations < 0 || c.Window < 0 || c.Max > 1<<30 || c.Window > 1<<16 {
		return fmt.Errorf("mpi bench: %d to %d bytes, %d times, %d at once: %w", c.Min, c.Max, c.Iterations, c.Window, isthmus.ErrBounds)
	}
	if c.Max == 0 {
		c.Max = 4 << 20
		if s.group {
			c.Max = 1 << 20
		}
	}
	least := 1
	if s.floats {
		least = 4
	}
	if slices.Contains([]string{"fop_latency", "cas_latency"}, s.Name) {
		c.Min, c.Max, least = 8, 8, 8
	}
	c.Min = max(c.Min, least)
	if c.Min > c.Max {
		return fmt.Errorf("mpi bench: %d to %d bytes: %w", c.Min, c.Max, isthmus.ErrBounds)
	}
	if c.Window == 0 {
		c.Window = 64
	}
	return nil
}

// one measures a size.
func one(ctx context.Context, w *mpi.World, s Shape, cfg Config, size int) (row Row, err error) {
	j := &job{Config: cfg, w: w, c: w.Comm(), n: cfg.Iterations}
	if j.n == 0 {
		if j.n = s.iterations; size > large {
			j.n /= 10
		}
	}
	j.skip = max(1, j.n/10)
	if err := mpi.Barrier(ctx, j.c); err != nil {
		return row, err
	}
	if err := s.run(ctx, j, size); err != nil {
		return row, err
	}
	bad := []int64{0}
	if j.bad {
		bad[0] = 1
	}
	worst := []int64{0}
	if err := mpi.Allreduce(ctx, j.c, bad, worst, mpi.Max); err != nil {
		return row, err
	}
	each := make([]float64, j.c.Size())
	if err := mpi.Allgather(ctx, j.c, []float64{j.spent.Seconds()}, each); err != nil {
		return row, err
	}
	row = j.row(s, size, each)
	if cfg.Validate && !s.none {
		good := worst[0] == 0
		row.Valid = &good
	}
	return row, nil
}

// row makes the figures of what the ranks have spent.
func (j *job) row(s Shape, size int, each []float64) Row {
	r := Row{Size: size, Iterations: j.n}
	n := float64(j.n)
	pairs := float64(max(1, len(each)/2))
	switch {
	case s.none:
		r.Size = 0
		fallthrough
	case s.group:
		sum := 0.0
		for _, t := range each {
			sum += t
		}
		r.Latency, r.Min, r.Max = sum/float64(len(each))/n*1e6, slices.Min(each)/n*1e6, slices.Max(each)/n*1e6
	case strings.HasSuffix(s.Name, "bw") || s.Name == "mbw_mr":
		messages := n * float64(j.Window)
		switch s.Name {
		case "bibw":
			messages *= 2
		case "mbw_mr":
			messages *= pairs
		}
		spent := slices.Max(each)
		r.Bandwidth = messages * float64(size) / spent / 1e6
		if s.Name == "mbw_mr" {
			r.Rate = messages / spent
		}
	default:
		first := each[:len(each)/2]
		sum := 0.0
		for _, t := range first {
			sum += t
		}
		r.Latency = sum / float64(len(first)) / n * 1e6
		if strings.HasSuffix(s.Name, "lat") || s.Name == "latency" {
			r.Latency /= 2 // there and back
		}
	}
	return r
}

// Header is the head of the table, as OSU prints it.
func (s Shape) Header(cfg Config, library string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# isthmus mpi bench %s: %s\n# %s\n", s.Name, s.Help, library)
	if !s.none {
		fmt.Fprintf(&b, "%-10s", "# Size")
	}
	for _, c := range s.columns {
		fmt.Fprintf(&b, "%18s", c)
	}
	if cfg.Validate && !s.none {
		fmt.Fprintf(&b, "%18s", "Validation")
	}
	return b.String()
}

// Line is a row of the table.
func (s Shape) Line(r Row) string {
	var b strings.Builder
	if !s.none {
		fmt.Fprintf(&b, "%-10d", r.Size)
	}
	for _, c := range s.columns {
		v := map[string]float64{
			"Latency (us)": r.Latency, "Avg Latency(us)": r.Latency, "Min Latency(us)": r.Min, "Max Latency(us)": r.Max,
			"Bandwidth (MB/s)": r.Bandwidth, "MB/s": r.Bandwidth, "Messages/s": r.Rate, "Iterations": float64(r.Iterations),
		}[c]
		if c == "Iterations" {
			fmt.Fprintf(&b, "%18d", r.Iterations)
		} else {
			fmt.Fprintf(&b, "%18.2f", v)
		}
	}
	if r.Valid != nil {
		fmt.Fprintf(&b, "%18s", map[bool]string{true: "Pass", false: "Fail"}[*r.Valid])
	}
	return b.String()
}

// buffer is memory for a job, and what ends it.
func (j *job) buffer(n int) ([]byte, func(), error) {
	if !j.Alloc {
		return make([]byte, n), func() {}, nil
	}
	b, err := mpi.Alloc[byte](max(1, n))
	if err != nil {
		return nil, nil, err
	}
	s, err := b.Slice()
	if err != nil {
		return nil, nil, err
	}
	return s[:n], func() { _ = b.Close() }, nil
}

// buffers makes those to send and to receive.
func (j *job) buffers(out, in int) (func(), error) {
	a, end, err := j.buffer(out)
	if err != nil {
		return nil, err
	}
	b, end2, err := j.buffer(in)
	if err != nil {
		end()
		return nil, err
	}
	j.out, j.in = a, b
	return func() { end(); end2() }, nil
}

// pattern is byte i of what the rank sends in an iteration.
func pattern(i, iteration, rank int) byte { return byte(i*7 + iteration*13 + rank*31 + i>>8) }

// stamp writes what is sent, and check compares what has arrived.
func (j *job) stamp(b []byte, iteration, rank int) {
	if j.Validate {
		for i := range b {
			b[i] = pattern(i, iteration, rank)
		}
	}
}

func (j *job) check(b []byte, iteration, rank int) {
	if !j.Validate {
		return
	}
	for i, v := range b {
		if v != pattern(i, iteration, rank) {
			j.bad = true
			return
		}
	}
}

// loop runs f for the warm-up and then against the clock. before and after f are what is not measured: they are nil
// without validation.
func (j *job) loop(before, f, after func(i int) error) error {
	if !j.Validate {
		before, after = nil, nil
	}
	for i := range j.skip + j.n {
		if before != nil {
			if err := before(i); err != nil {
				return err
			}
		}
		start := time.Now()
		if err := f(i); err != nil {
			return err
		}
		if i >= j.skip {
			j.spent += time.Since(start)
		}
		if after != nil {
			if err := after(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// float is whole numbers that float32 holds exactly, for reductions.
func float(i, iteration, rank int) float32 {
	return float32(math.Mod(float64(i+3*iteration), 50)) + float32(rank)
}
