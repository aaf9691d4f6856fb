//go:build !cgo || !(linux || darwin)

package langrt_test

// plane is what needs C's scheduler: without it nothing of that can be made.
var plane map[string][]auditTest
