package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes that a user may write with a unit.
type size int64

var units = []struct {
	name  string
	bytes float64
}{
	{"KIB", 1 << 10},
	{"MIB", 1 << 20},
	{"GIB", 1 << 30},
	{"TIB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"K", 1 << 10},
	{"M", 1 << 20},
	{"G", 1 << 30},
	{"T", 1 << 40},
	{"B", 1},
	{"", 1},
}

// UnmarshalText reads 1048576, 1.5GiB, 512M or 2GB.
func (s *size) UnmarshalText(text []byte) error {
	upper := strings.ToUpper(strings.TrimSpace(string(text)))
	for _, u := range units {
		digits, ok := strings.CutSuffix(upper, u.name)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(x*u.bytes >= 1) || x*u.bytes >= math.MaxInt64 {
			break
		}
		*s = size(x * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size; write for example 512MiB or 2GB", text)
}
