// Package langrt is the runtime of a language for Go: arrays, tuples, strings, dictionaries, objects, closures, enums,
// unique owners and files, futures, channels, actors and generators, over the very memory that C code in the process
// reads and writes through isthmus_rt.h. A value that Go makes is an rt_value for C, and the other way round; nothing is
// copied or registered on the way.
//
// # Values
//
// A [Value] is a word: a number, a float, nil, a bool, a symbol, or a handle of an object. The types [Array], [Tuple],
// [String], [Dict], [Object], [Closure], [Enum], [Unique] and so on are views of one: they embed it, and each of their
// methods checks it. [As] gives the view of a value, or Go's own number or text, and [Of] the way back. [From] and
// [Value.Go] do that for whole structures.
//
// # Ownership
//
// An object lives while something counts it: whoever made it, each container that holds it, each [Retain]. What makes an
// object takes the [Scope] that owns it:
//
//	err := langrt.Do(func(s *langrt.Scope) error {
//		names, err := langrt.NewArray(s, 0)
//		...
//	}) // names is gone, unless something else counts it
//
// A nil scope leaves the count to the caller, who has to [Release] it. A get lends: the value is good while its container
// holds it, and afterwards it is an error to use it, never another object. [Hold] binds a count to a Go object, as a
// backstop. [Census] tells what is alive, and [Collect] frees what only holds itself.
//
// # Safety
//
// Nothing here needs unsafe, and no call of this package's can make Go or C touch memory that is not there, whatever
// word a Value holds, on any goroutine, whatever C does with the same objects meanwhile through its header. A refused
// operation gives an [*Error], which names the operation, the value and the reason; use errors.Is with the errors of
// package isthmus, or with a [Code].
//
// # Without cgo
//
// Values, memory and files are Go and need no C. Futures, channels, actors and generators share their scheduler with C;
// without cgo what makes them gives isthmus.ErrUnsupported.
package langrt
