// Package confine defines the analyzer that keeps the tools of unsafe code in one place.
//
// # Analyzer confine
//
// confine: keep unsafe, cgo, purego and linkname in named packages
//
// A module stays reviewable when everything that can break memory safety stands in a few packages that someone has
// read line by line. Outside of them this analyzer reports
//
//   - an import of "unsafe", of "C", or of github.com/ebitengine/purego and its packages;
//   - a //go:linkname or //export directive;
//   - a use of reflect.SliceHeader, reflect.StringHeader or Value.UnsafePointer, UnsafeAddr and Pointer, which are
//     unsafe by another name.
//
// The packages that may do so are named by the flag -confine.allow: a comma-separated list of path elements
// ("internal/raw" allows that folder and all below it, in any module). Move the code there behind a function whose
// signature is safe, and say in a SAFETY comment why it is.
//
// Test files are held to the same rule. Packages that merely import a confined package are not reported.
package confine
