// Package metal is the device of package mps on Apple's GPUs: Metal, and Metal Performance Shaders.
//
// Products, softmax, factorisations and solves are those of Metal Performance Shaders; what they lack, and element types that they do
// not take, are kernels of ours (package kernels), compiled when the device opens.
package metal
