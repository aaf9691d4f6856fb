// Package device is the embedded device: it compiles StableHLO programs and executes them in this process, on the
// processor, with nothing but Go.
//
// A program goes to the planned executor (package plan); one that only the plain evaluator understands (dynamic shapes,
// tuples, communication between devices) goes to package eval. Results of one program on the same arguments are the
// same to the bit, whatever the number of workers.
//
// Clients reach the device through a PJRT function table, see [Serve] and package embedded.
package device
