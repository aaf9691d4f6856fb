package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// summary describes an array in a line. Of complex numbers it describes the magnitudes.
type summary struct {
	Count  int64    `json:"count"`
	Min    *number  `json:"min,omitempty"` // nil where there is no number
	Max    *number  `json:"max,omitempty"`
	Mean   *number  `json:"mean,omitempty"`
	NaN    int64    `json:"nan,omitempty"`
	Inf    int64    `json:"inf,omitempty"`
	Values []string `json:"values"` // the first few
}

// number is a float that JSON can hold: what is not finite becomes text.
type number float64

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsInf(f, 0) || math.IsNaN(f) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

const shown = 6 // values of a result that a report shows

func summarize(a npy.Array) summary {
	size := a.DType.Size()
	n := len(a.Data) / size
	s := summary{Count: int64(n), Values: []string{}}
	lo, hi, sum, finite := math.Inf(1), math.Inf(-1), 0.0, 0
	for i := range n {
		e := a.Data[i*size : (i+1)*size]
		if i < shown {
			s.Values = append(s.Values, format(a.DType, e))
		}
		x := magnitude(a.DType, e)
		switch {
		case math.IsNaN(x):
			s.NaN++
			continue
		case math.IsInf(x, 0):
			s.Inf++
		default:
			sum += x
			finite++
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	if lo <= hi {
		l, h := number(lo), number(hi)
		s.Min, s.Max = &l, &h
	}
	if finite > 0 {
		m := number(sum / float64(finite))
		s.Mean = &m
	}
	return s
}

// bits is an element of up to eight bytes as a number without a sign.
func bits(e []byte) uint64 {
	var b [8]byte
	copy(b[:], e)
	return binary.LittleEndian.Uint64(b[:])
}

// magnitude is an element as a float, of a complex number its absolute value.
func magnitude(t dtype.Type, e []byte) float64 {
	switch t.Kind() {
	case dtype.Bool, dtype.Unsigned:
		return float64(bits(e))
	case dtype.Signed:
		return float64(signed(e))
	case dtype.Complex:
		h := len(e) / 2
		return math.Hypot(dtype.ToFloat64(t.Real(), bits(e[:h])), dtype.ToFloat64(t.Real(), bits(e[h:])))
	}
	return dtype.ToFloat64(t, bits(e))
}

func signed(e []byte) int64 {
	shift := 64 - 8*len(e)
	return int64(bits(e)<<shift) >> shift
}

func format(t dtype.Type, e []byte) string {
	switch t.Kind() {
	case dtype.Bool:
		return strconv.FormatBool(e[0] != 0)
	case dtype.Unsigned:
		return strconv.FormatUint(bits(e), 10)
	case dtype.Signed:
		return strconv.FormatInt(signed(e), 10)
	case dtype.Complex:
		h := len(e) / 2
		im := format(t.Real(), e[h:])
		if !strings.HasPrefix(im, "-") && !strings.HasPrefix(im, "+") {
			im = "+" + im
		}
		return format(t.Real(), e[:h]) + im + "i"
	}
	precision := 7
	if t == dtype.F64 {
		precision = 10
	}
	return strconv.FormatFloat(dtype.ToFloat64(t, bits(e)), 'g', precision, 64)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s on %s (%s)\n", r.Program, r.Device, r.Platform)
	if len(r.Outputs) == 0 {
		fmt.Fprintln(w, "no results")
	} else {
		t := newTable("", "type", "min", "max", "mean", "first values")
		for i, o := range r.Outputs {
			values := strings.Join(o.Values, " ")
			if o.Count > int64(len(o.Values)) {
				values += " …"
			}
			if o.NaN > 0 {
				values += fmt.Sprintf("  (%d NaN)", o.NaN)
			}
			t.AppendRow(table.Row{fmt.Sprintf("out%d", i), o.Type, show(o.Min), show(o.Max), show(o.Mean), values})
		}
		fmt.Fprintln(w, t.Render())
	}
	for i, o := range r.Outputs {
		if o.File != "" {
			fmt.Fprintf(w, "out%d written to %s\n", i, o.File)
		}
	}
	t := r.Timing
	fmt.Fprintf(w, "time    load %s, read %s, compile %s, inputs %s, execute %s, results %s\n",
		ms(t.Load), ms(t.Read), ms(t.Compile), ms(t.Transfer), ms(t.Execute), ms(t.Fetch))
	if r.Repeat > 1 {
		fmt.Fprintf(w, "        %d executions: fastest %s, median %s\n", r.Repeat, ms(t.Execute), ms(t.Median))
	}
	if m := r.Memory; m.PeakProcess > 0 {
		fmt.Fprintf(w, "memory  process peak %s", mib(m.PeakProcess))
		if m.DevicePeak > 0 {
			fmt.Fprintf(w, ", device peak %s", mib(m.DevicePeak))
		}
		fmt.Fprintln(w)
	}
}

func show(n *number) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatFloat(float64(*n), 'g', 5, 64)
}

func ms(x float64) string {
	switch {
	case x < 1:
		return fmt.Sprintf("%.3f ms", x)
	case x < 1000:
		return fmt.Sprintf("%.1f ms", x)
	}
	return fmt.Sprintf("%.2f s", x/1000)
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.Options{SeparateColumns: false, SeparateHeader: true}
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.AppendHeader(table.Row(header))
	return t
}
