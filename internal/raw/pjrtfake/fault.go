package pjrtfake

// Fault is one way in which a function misbehaves.
type Fault struct{}
