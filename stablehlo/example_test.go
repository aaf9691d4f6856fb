package stablehlo_test

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func ExampleParse() {
	m, err := stablehlo.Parse([]byte(`
func.func @main(%x: tensor<4xf32>) -> tensor<f32> {
  %0 = stablehlo.constant dense<0.0> : tensor<f32>
  %1 = stablehlo.multiply %x, %x : tensor<4xf32>
  %2 = stablehlo.reduce(%1 init: %0) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
  return %2 : tensor<f32>
}`), stablehlo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range m.Main().Body.Ops {
		fmt.Print(o.Kind)
		for _, r := range o.Results {
			fmt.Print(" -> ", r.Type)
		}
		fmt.Println()
	}
	// Output:
	// constant -> tensor<f32>
	// multiply -> tensor<4xf32>
	// reduce -> tensor<f32>
	// return
}

func ExampleParse_error() {
	_, err := stablehlo.Parse([]byte(`
func.func @main(%x: tensor<4xf32>, %y: tensor<5xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.add"(%x, %y) : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}`), stablehlo.Options{File: "sum.mlir"})
	fmt.Println(err)
	var e *stablehlo.Error
	if errors.As(err, &e) {
		fmt.Println("line", e.Pos.Line)
	}
	// Output:
	// sum.mlir:3:8: stablehlo.add: shapes must agree, but are tensor<4xf32> and tensor<5xf32>
	// line 3
}

func ExampleModule_String() {
	m, err := stablehlo.Parse([]byte(`
func.func @main(%x: tensor<2xf32>, %y: tensor<2x3xf32>) -> tensor<3xf32> {
  %0 = stablehlo.dot %x, %y : (tensor<2xf32>, tensor<2x3xf32>) -> tensor<3xf32>
  %1 = chlo.conj %0 : tensor<3xf32> -> tensor<3xf32>
  return %1 : tensor<3xf32>
}`), stablehlo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(m)
	// Output:
	// module {
	//   func.func public @main(%arg0: tensor<2xf32>, %arg1: tensor<2x3xf32>) -> (tensor<3xf32>) {
	//     %0 = "stablehlo.dot_general"(%arg0, %arg1) {dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]>} : (tensor<2xf32>, tensor<2x3xf32>) -> tensor<3xf32>
	//     return %0 : tensor<3xf32>
	//   }
	// }
}

func ExampleExtra() {
	m, err := stablehlo.Parse([]byte(`
func.func @main(%x: tensor<8xf32> {jax.buffer_donor = true}) -> tensor<2xf32> {
  %0 = stablehlo.composite "my.head" %x {composite_attributes = {k = 2 : i64}, decomposition = @head} : (tensor<8xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
func.func private @head(%x: tensor<8xf32>) -> tensor<2xf32> {
  %0 = stablehlo.slice %x [0:2] : (tensor<8xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}`), stablehlo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("donated:", m.Main().Donated(0))
	c := m.Main().Body.Ops[0].Attr.(*stablehlo.CompositeAttr)
	k, _ := stablehlo.Find(c.Attributes, "k")
	n, ok := k.Int()
	fmt.Println(c.Name, n, ok, c.Decomposition.Name)
	// Output:
	// donated: true
	// my.head 2 true head
}
