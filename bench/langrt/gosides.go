package main

// goSide is a side that this process measures itself.
type goSide struct {
	row, name string
	n         int
	measure   func(n int) float64 // nanoseconds for each of n operations
}

var goSides = []goSide{}
