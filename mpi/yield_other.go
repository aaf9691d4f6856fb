//go:build !linux

package mpi

import "time"

// osYield lets others run, other processes too.
func osYield() { time.Sleep(time.Microsecond) }
