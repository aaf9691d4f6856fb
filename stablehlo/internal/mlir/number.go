package mlir

import (
	"math"
	"strconv"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// toInt converts n to an integer of that many bits. Without a sign of its own (MLIR's signless iN) a type takes the
// values of both the signed and the unsigned reading, unless strict.
func (p *parser) toInt(n number, bits int, signed, strict bool) int64 {
	if n.float {
		p.fail(n.off, "expected an integer, found %q", n.text)
	}
	v, ok := n.magnitude()
	fits := ok
	switch {
	case !ok:
	case n.neg:
		fits = signed && v <= 1<<(bits-1) || v == 0
	case signed && strict && !n.hex:
		fits = v < 1<<(bits-1)
	case bits < 64:
		fits = v < 1<<bits
	}
	if !fits {
		p.fail(n.off, "integer %s does not fit %d bits", clip(n.text), bits)
	}
	r := int64(v)
	if n.neg {
		r = -r
	}
	if signed {
		return r << (64 - bits) >> (64 - bits)
	}
	return r
}

// magnitude is the absolute value; ok is false if it takes more than 64 bits.
func (n number) magnitude() (v uint64, ok bool) {
	s := n.text
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	if n.hex {
		for s = s[2:]; len(s) > 16 && s[0] == '0'; s = s[1:] {
		}
		if len(s) > 16 {
			return 0, false
		}
		for _, c := range s {
			v = v<<4 | uint64(hexVal(c))
		}
		return v, true
	}
	for _, c := range s {
		d := uint64(c - '0')
		if v > (math.MaxUint64-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}

// toFloatBits converts n to the bits of a real floating-point type. As MLIR does, a decimal literal is rounded to a
// double first, and a hexadecimal one gives the bits.
func (p *parser) toFloatBits(n number, t dtype.Type) uint64 {
	if n.hex {
		v, ok := n.magnitude()
		if !ok || n.neg || t.Bits() < 64 && v >= 1<<t.Bits() {
			p.fail(n.off, "%s is not the bits of an %v", clip(n.text), t)
		}
		return v
	}
	if !n.float {
		p.fail(n.off, "decimal integer %s for an %v; write it with a point", clip(n.text), t)
	}
	v := n.float64()
	switch t {
	case dtype.F64:
		return math.Float64bits(v)
	case dtype.F32:
		return uint64(math.Float32bits(float32(v)))
	case dtype.F8E8M0FNU:
		if v == 0 {
			return 0 // LLVM gives the smallest value for zero, which the type does not have
		}
	}
	return dtype.FromFloat64(t, v)
}

var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float64 is the double nearest to a decimal literal.
func (n number) float64() float64 {
	s := n.text
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	// Up to 15 digits and a power of ten up to 22 are exact doubles, so that one operation rounds correctly.
	var mant uint64
	digits, exp, i := 0, 0, 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		mant = mant*10 + uint64(s[i]-'0')
		if mant != 0 {
			digits++
		}
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && isDigit(s[i]); i++ {
			mant = mant*10 + uint64(s[i]-'0')
			if mant != 0 {
				digits++
			}
			exp--
		}
	}
	ok := i > 0 && digits <= 15
	if i < len(s) && ok && s[i]|0x20 == 'e' {
		i++
		neg := false
		if s[i] == '-' || s[i] == '+' {
			neg = s[i] == '-'
			i++
		}
		e := 0
		for ; i < len(s) && e < 1000; i++ {
			e = e*10 + int(s[i]-'0')
		}
		if neg {
			e = -e
		}
		exp += e
	}
	if ok && i == len(s) && exp >= -22 && exp <= 22 {
		v := float64(mant)
		if exp < 0 {
			v /= pow10[-exp]
		} else {
			v *= pow10[exp]
		}
		if n.neg {
			v = -v
		}
		return v
	}
	v, _ := strconv.ParseFloat(string(n.text), 64) // out of range gives the infinity that MLIR gives
	return v
}

// clip shortens a literal for a message.
func clip(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}
