package stablehlo

import (
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// printQuant prints !quant.uniform<storage<min:max>:expressed:axis, {scale:zero, …}>.
func printQuant(b *strings.Builder, q *Quant) {
	b.WriteString("!quant.uniform<")
	b.WriteString(strings.Replace(q.Storage.String(), "ui", "u", 1))
	if lo, hi := storageRange(q.Storage); q.Min != lo || q.Max != hi {
		b.WriteString("<" + strconv.FormatInt(q.Min, 10) + ":" + strconv.FormatInt(q.Max, 10) + ">")
	}
	b.WriteString(":" + q.Expressed.String())
	if q.Axis >= 0 {
		b.WriteString(":" + strconv.Itoa(q.Axis) + ", {")
	} else {
		b.WriteString(", ")
	}
	for i, s := range q.Scales {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(decimal(s, 64))
		if i < len(q.ZeroPoints) && q.ZeroPoints[i] != 0 {
			b.WriteString(":" + strconv.FormatInt(q.ZeroPoints[i], 10))
		}
	}
	if q.Axis >= 0 {
		b.WriteByte('}')
	}
	b.WriteByte('>')
}

// storageRange is the range of a storage type where none is written.
func storageRange(t dtype.Type) (lo, hi int64) {
	bits := t.Bits()
	if bits == 0 || bits > 62 {
		return 0, 0
	}
	if t.Kind() == dtype.Signed {
		return -1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

// decimal prints a finite number in the fewest digits that give it back, always with a point, as MLIR wants it.
func decimal(v float64, bits int) string {
	s := strconv.FormatFloat(v, 'e', -1, bits)
	if i := strings.IndexByte(s, 'e'); i >= 0 && !strings.Contains(s[:i], ".") {
		s = s[:i] + ".0" + s[i:]
	}
	return strings.TrimSuffix(s, "e+00")
}
