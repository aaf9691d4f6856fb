package cpu

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// philox is Philox 4x32-10: four random words of a counter and a key.
func philox(counter, key uint64) (w [4]uint32) {
	w[0], w[1] = uint32(counter), uint32(counter>>32)
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		h0, l0 := bits.Mul32(0xd2511f53, w[0])
		h1, l1 := bits.Mul32(0xcd9e8d57, w[2])
		w = [4]uint32{h1 ^ w[1] ^ k0, l1, h0 ^ w[3] ^ k1, l0}
		k0 += 0x9e3779b9
		k1 += 0xbb67ae85
	}
	return w
}

// words gives the words of a seed in turn.
type words struct {
	seed, counter uint64
	have          bool
	block         [4]uint32
}

func (s *words) at(i uint64) uint32 {
	if c := i / 4; !s.have || c != s.counter {
		s.counter, s.block, s.have = c, philox(c, s.seed), true
	}
	return s.block[i%4]
}

func (d *device) random(o op.Random) {
	z := o.Result
	d.chunks(z.Count*z.Rows, z.Columns, func(begin, end int) {
		s := words{seed: o.Seed}
		row := make([]float32, z.Columns)
		for n := begin; n < end; n++ {
			b := rowBytes(z, n/z.Rows, n%z.Rows)
			first := uint64(n) * uint64(z.Columns)
			if o.Distribution == op.Bits {
				s.bits(b, z.Type.Size(), first)
				continue
			}
			for j := range row {
				e := first + uint64(j)
				if o.Distribution == op.Uniform {
					row[j] = uniform(s.at(e), o.A, o.B)
				} else {
					row[j] = normal(s.at(e&^1), s.at(e|1), e&1 == 1, o.A, o.B)
				}
			}
			d.narrow(z.Type, b, row)
		}
	})
}

// bits fills a row with elements of the given size, of which the first is number e.
func (s *words) bits(b []byte, size int, e uint64) {
	for j := 0; j < len(b); j, e = j+size, e+1 {
		switch size {
		case 1:
			b[j] = byte(s.at(e))
		case 2:
			binary.LittleEndian.PutUint16(b[j:], uint16(s.at(e)))
		case 4:
			binary.LittleEndian.PutUint32(b[j:], s.at(e))
		case 8:
			low := uint64(s.at(2 * e))
			binary.LittleEndian.PutUint64(b[j:], uint64(s.at(2*e+1))<<32|low)
		}
	}
}

// uniform stays below the bound although float32 rounds.
func uniform(w uint32, a, b float64) float32 {
	v := float32(a + (b-a)*float64(w>>8)*0x1p-24)
	if high := float32(b); v >= high && float32(a) < high {
		return math.Nextafter32(high, float32(math.Inf(-1)))
	}
	return v
}

// normal is Box and Muller's: the first of a pair has the cosine, the second the sine.
func normal(w0, w1 uint32, second bool, mean, deviation float64) float32 {
	radius := math.Sqrt(-2 * math.Log(float64(w0>>8+1)*0x1p-24))
	sin, cos := math.Sincos(2 * math.Pi * float64(w1>>8) * 0x1p-24)
	if second {
		cos = sin
	}
	return float32(mean + deviation*radius*cos)
}
