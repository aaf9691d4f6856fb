// Package layer watches calls of a C API from between the caller and the library, as validation layers of graphics APIs
// do. It knows no API: a [Spec] says for each function which of its arguments are objects of which kind, and what the
// call does with them. The [Engine] keeps a book of the objects that are alive, with the places that made and ended
// them, and of host memory that is lent to native code, and has every call checked before and entered after.
//
// A front end calls [Engine.Before], then the library unless that refuses, then [Engine.After]. What breaks a rule
// becomes an [isthmus.Finding]. A call that would have the library touch memory that is not there is refused; every
// other goes on.
//
// # Safety
//
//   - type: arguments are words at offsets that the spec has from generated layouts; a word is only compared and looked
//     up, never followed, but for lists and nested structs that the API says are there.
//   - initialisation: fields past the size that the caller states are not read.
//   - lifetime: an object that ended is remembered for a while, so that its late use is told from an unknown address.
//   - bounds: lists are as long as the arguments say, and at most [MaxList].
//   - thread: the book is sharded; everything may be called from any thread. An object counts the calls that use it, so
//     that its end during one is seen.
package layer
