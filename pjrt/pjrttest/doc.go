// Package pjrttest says what a PJRT plugin does with the PJRT C API: a conformance suite for those who write plugins
// and for those who must choose one.
//
// It calls the plugin's function table directly, with the C structs that any client would send, so a finding is the
// plugin's and not a framework's. Each check has a stable id, such as "buffer.bitcast", and one of four results:
//
//   - pass: the plugin does what the API's header says
//   - fail: it does not: a wrong answer, a missing error, a crash, a call that never returns
//   - unsupported: the plugin does not offer this, and says so by a missing function, a missing extension or the code
//     UNIMPLEMENTED. Plugins differ; this is no fault
//   - skip: the check could not be made, because what it needs is missing (a second device, a client)
//
// [Run] makes the checks in child processes: a check that ends the process is a fail with the signal's name, and the
// next check goes on in a new process. `isthmus conform PLUGIN` is this package's command line.
package pjrttest
