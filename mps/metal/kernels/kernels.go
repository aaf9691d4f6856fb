// Package kernels is the source, in the Metal Shading Language, of what Metal Performance Shaders lack.
package kernels

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed common.metal
var common string

//go:embed norm.metal
var norm string

//go:embed element.metal
var element string

//go:embed product.metal
var product string

// Threads is the most threads of a group, which the source sizes its threadgroup memory for.
const Threads = 256

// Source is the whole text, for newLibraryWithSource:options:error:.
func Source() string { return strings.Join([]string{common, norm, element, product}, "\n") }

var names = regexp.MustCompile(`(?m)^kernel void (\w+)\(`)

// Names lists the kernels in the order of the source.
func Names() []string {
	var out []string
	for _, m := range names.FindAllStringSubmatch(Source(), -1) {
		out = append(out, m[1])
	}
	return out
}
