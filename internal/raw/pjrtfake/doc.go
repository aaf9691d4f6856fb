// Package pjrtfake is a PJRT plugin in Go, for tests: it does as it is told. It keeps books on every object, so that
// a test sees what was destroyed twice, used after its end or forgotten, and it can be made to fail, to be late, to
// lack functions and to say nonsense.
//
// All 138 functions of the table are served. Work is done when its event fires, so that a client that frees memory
// too early is seen: reads and writes of host memory, and executions, wait for [Fake.Release] under [Fake.Hold].
// Extensions get functions by [Fake.Extend].
//
// One Fake is current at a time: [New] makes it so. Its programs are named, see [Program].
package pjrtfake
