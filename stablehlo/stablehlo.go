// Package stablehlo reads StableHLO programs: the text that JAX and the reference tools print, and portable bytecode
// (VHLO inside MLIR bytecode, 0.9.0 to the current version). Both become one typed graph, a [Module], which has been
// verified: every operation has the operands, attributes and types that the specification asks for.
//
// [Parse] reads and verifies, [Module.Print] writes text that reads back to an equal program, [Equal] compares.
// Operations of the CHLO dialect and deprecated ones become operations of the specification on the way, by the
// formulas of the reference; a composite stays as it is, with its decomposition beside it. What has no meaning here,
// such as sharding, is kept as [Extra] and printed again.
//
// Errors are [*Error] with the line and column of the operation that is wrong; one call reports up to 20 of them.
// All functions are safe for concurrent use; a graph is, as long as nobody changes it.
package stablehlo
