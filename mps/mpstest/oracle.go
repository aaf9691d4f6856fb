package mpstest

import "math"

// tensor is matrices of one shape in float64, dense.
type tensor struct {
	count, rows, columns int
	v                    []float64
}

func zeros(count, rows, columns int) tensor {
	return tensor{count, rows, columns, make([]float64, count*rows*columns)}
}

// at is the place of an element; one matrix serves all.
func (t tensor) at(i, r, c int) *float64 {
	if t.count == 1 {
		i = 0
	}
	return &t.v[(i*t.rows+r)*t.columns+c]
}

func (t tensor) row(i, r int) []float64 {
	p := (min(i, t.count-1)*t.rows + r) * t.columns
	return t.v[p : p+t.columns]
}

func (t tensor) transposed() tensor {
	z := zeros(t.count, t.columns, t.rows)
	for i := range t.count {
		for r := range t.rows {
			for c := range t.columns {
				*z.at(i, c, r) = *t.at(i, r, c)
			}
		}
	}
	return z
}

// expected is what a device should give, and by how much each element may be off before it is rounded to its type.
type expected struct{ want, bound tensor }

// eps is the unit of float32 arithmetic.
const eps = 0x1p-24

func product(x, y, z tensor, tx, ty bool, alpha, beta float64) expected {
	if tx {
		x = x.transposed()
	}
	if ty {
		y = y.transposed()
	}
	e := expected{zeros(z.count, z.rows, z.columns), zeros(z.count, z.rows, z.columns)}
	for i := range z.count {
		for r := range z.rows {
			for c := range z.columns {
				sum, size := 0.0, 0.0
				for k := range x.columns {
					p := *x.at(i, r, k) * *y.at(i, k, c)
					sum += p
					size += math.Abs(p)
				}
				sum, size = sum*alpha, size*math.Abs(alpha)
				if beta != 0 {
					sum += beta * *z.at(i, r, c)
					size += math.Abs(beta * *z.at(i, r, c))
				}
				*e.want.at(i, r, c) = sum
				*e.bound.at(i, r, c) = eps * float64(x.columns+4) * size
			}
		}
	}
	return e
}

// rowwise makes an expectation row by row; bounded says how far each element may be off.
func rowwise(x tensor, f func(dst, bound, src []float64, row int)) expected {
	e := expected{zeros(x.count, x.rows, x.columns), zeros(x.count, x.rows, x.columns)}
	for i := range x.count {
		for r := range x.rows {
			f(e.want.row(i, r), e.bound.row(i, r), x.row(i, r), r)
		}
	}
	return e
}

// relative allows n roundings of each element.
func relative(want, bound []float64, n float64) {
	for i, v := range want {
		bound[i] = n * eps * math.Abs(v)
	}
}

func softmaxRow(dst, src []float64) {
	high, sum := math.Inf(-1), 0.0
	for _, v := range src {
		high = max(high, v)
	}
	for i, v := range src {
		dst[i] = math.Exp(v - high)
		sum += dst[i]
	}
	for i := range dst {
		dst[i] /= sum
	}
}

// spread is the greatest magnitude of a row: exp of a difference is off by as many roundings.
func spread(src []float64) (s float64) {
	for _, v := range src {
		s = max(s, math.Abs(v))
	}
	return s
}

func softmax(x tensor, log bool) expected {
	return rowwise(x, func(dst, bound, src []float64, _ int) {
		softmaxRow(dst, src)
		n := 16 + 4*spread(src) + float64(len(src))/16
		if !log {
			relative(dst, bound, n)
			return
		}
		high, sum := math.Inf(-1), 0.0
		for _, v := range src {
			high = max(high, v)
		}
		for _, v := range src {
			sum += math.Exp(v - high)
		}
		for i, v := range src {
			dst[i] = v - high - math.Log(sum)
			bound[i] = n * eps * (1 + math.Abs(dst[i]))
		}
	})
}

func rmsNorm(x tensor, weight []float64, epsilon float64) expected {
	return rowwise(x, func(dst, bound, src []float64, _ int) {
		sum := 0.0
		for _, v := range src {
			sum += v * v
		}
		k := 1 / math.Sqrt(sum/float64(len(src))+epsilon)
		for i, v := range src {
			if dst[i] = v * k; weight != nil {
				dst[i] *= weight[i]
			}
		}
		relative(dst, bound, 16+float64(len(src))/16)
	})
}

func layerNorm(x tensor, weight, bias []float64, epsilon float64) expected {
	return rowwise(x, func(dst, bound, src []float64, _ int) {
		n := float64(len(src))
		mean, variance := 0.0, 0.0
		for _, v := range src {
			mean += v / n
		}
		for _, v := range src {
			variance += (v - mean) * (v - mean) / n
		}
		k := 1 / math.Sqrt(variance+epsilon)
		for i, v := range src {
			d, w := (v-mean)*k, 1.0
			if weight != nil {
				w = weight[i]
			}
			dst[i] = d * w
			bound[i] = eps * (16 + n/16) * ((math.Abs(d)+k*spread(src))*math.Abs(w) + math.Abs(d*w))
			if bias != nil {
				dst[i] += bias[i]
				bound[i] += 4 * eps * math.Abs(bias[i])
			}
		}
	})
}

func neuron(x tensor, bias []float64, alpha float64, f func(float64) float64) expected {
	return rowwise(x, func(dst, bound, src []float64, _ int) {
		for i, v := range src {
			a, size := alpha*v, math.Abs(alpha*v)
			if bias != nil {
				a += bias[i]
				size += math.Abs(bias[i])
			}
			dst[i] = f(a)
			bound[i] = 32 * eps * (1 + size)
		}
	})
}

func rope(x tensor, head, first int, base float64, halves bool) expected {
	return rowwise(x, func(dst, bound, src []float64, row int) {
		for h := 0; h < len(src); h += head {
			for i := range head / 2 {
				a, b := h+2*i, h+2*i+1
				if halves {
					a, b = h+i, h+i+head/2
				}
				angle := float64(first+row) * math.Pow(base, -2*float64(i)/float64(head))
				s, c := math.Sincos(angle)
				dst[a], dst[b] = src[a]*c-src[b]*s, src[a]*s+src[b]*c
				off := eps * (16 + 4*angle) * (math.Abs(src[a]) + math.Abs(src[b]))
				bound[a], bound[b] = off, off
			}
		}
	})
}

func attention(q, k, v tensor, mask *tensor, scale float64, causal bool) expected {
	e := expected{zeros(q.count, q.rows, v.columns), zeros(q.count, q.rows, v.columns)}
	for i := range q.count {
		for r := range q.rows {
			seen, worst := k.rows, 0.0
			if causal {
				seen = r + k.rows - q.rows + 1
			}
			scores := make([]float64, seen)
			for s := range seen {
				size := 0.0
				for c := range q.columns {
					p := scale * *q.at(i, r, c) * *k.at(i, s, c)
					scores[s] += p
					size += math.Abs(p)
				}
				if mask != nil {
					scores[s] += *mask.at(i, r, s)
					size += math.Abs(*mask.at(i, r, s))
				}
				worst = max(worst, size)
			}
			softmaxRow(scores, scores)
			for c := range v.columns {
				sum, size := 0.0, 0.0
				for s, w := range scores {
					sum += w * *v.at(i, s, c)
					size += w * math.Abs(*v.at(i, s, c))
				}
				*e.want.at(i, r, c) = sum
				*e.bound.at(i, r, c) = eps * size * (32 + float64(seen) + worst*float64(q.columns+8))
			}
		}
	}
	return e
}

// times is a product without transposing, in float64.
func times(x, y tensor) tensor {
	return product(x, y, zeros(max(x.count, y.count), x.rows, y.columns), false, false, 1, 0).want
}

// triangle is one triangle of x, the rest zero, with ones on the diagonal if unit.
func triangle(x tensor, upper, unit bool) tensor {
	z := zeros(x.count, x.rows, x.columns)
	for i := range x.count {
		for r := range x.rows {
			for c := range x.columns {
				switch {
				case r == c && unit:
					*z.at(i, r, c) = 1
				case r == c, upper == (c > r):
					*z.at(i, r, c) = *x.at(i, r, c)
				}
			}
		}
	}
	return z
}

// philox is Philox 4x32-10 as its paper has it.
func philox(counter, seed uint64) [4]uint32 {
	x := [4]uint64{counter & 0xffffffff, counter >> 32}
	k := [2]uint64{seed & 0xffffffff, seed >> 32}
	for range 10 {
		p, q := 0xd2511f53*x[0], 0xcd9e8d57*x[2]
		x = [4]uint64{q>>32 ^ x[1] ^ k[0], q & 0xffffffff, p>>32 ^ x[3] ^ k[1], p & 0xffffffff}
		k[0], k[1] = (k[0]+0x9e3779b9)&0xffffffff, (k[1]+0xbb67ae85)&0xffffffff
	}
	return [4]uint32{uint32(x[0]), uint32(x[1]), uint32(x[2]), uint32(x[3])}
}
