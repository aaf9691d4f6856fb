// Package stablehlo reads StableHLO programs: the text that JAX and the reference tools print, and portable bytecode
// (VHLO inside MLIR bytecode, 0.9.0 to the current version). Both become one typed graph, a [Module], which has been
// verified: every operation has the operands, attributes and types that the specification asks for.
//
// Errors are [*Error] with the line and column of the operation that is wrong.
package stablehlo
