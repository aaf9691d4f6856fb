package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/npy"
)

// bench is one program with its arguments.
type bench struct {
	name   string
	source []byte
	inputs []npy.Array
	bytes  int64 // read and written, or 0
}

// f32 is an array of numbers from lo to hi, the same in every run.
func f32(seed uint64, lo, hi float64, dims ...int64) npy.Array {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(float32(lo+(hi-lo)*rng.Float64())))
	}
	return npy.Array{DType: dtype.F32, Shape: dims, Data: data}
}

func i32(seed uint64, below int32, dims ...int64) npy.Array {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(data[4*i:], uint32(rng.Int32N(below)))
	}
	return npy.Array{DType: dtype.I32, Shape: dims, Data: data}
}

func cases() ([]bench, error) {
	out := []bench{
		{"matmul_512", []byte(`func.func @main(%a: tensor<512x512xf32>, %b: tensor<512x512xf32>) -> tensor<512x512xf32> {
  %0 = stablehlo.dot_general %a, %b, contracting_dims = [1] x [0] : (tensor<512x512xf32>, tensor<512x512xf32>) -> tensor<512x512xf32>
  return %0 : tensor<512x512xf32>
}`), []npy.Array{f32(1, -1, 1, 512, 512), f32(2, -1, 1, 512, 512)}, 3 << 20},
		{"exp_1m", []byte(`func.func @main(%a: tensor<1048576xf32>) -> tensor<1048576xf32> {
  %0 = stablehlo.exponential %a : tensor<1048576xf32>
  return %0 : tensor<1048576xf32>
}`), []npy.Array{f32(3, -5, 5, 1<<20)}, 8 << 20},
		{"reduce_4m", []byte(`func.func @main(%a: tensor<4194304xf32>) -> tensor<f32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %z) applies stablehlo.add across dimensions = [0] : (tensor<4194304xf32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}`), []npy.Array{f32(4, -1, 1, 1<<22)}, 16 << 20},
		{"chain_1m", []byte(`func.func @main(%a: tensor<1048576xf32>, %b: tensor<1048576xf32>) -> tensor<1048576xf32> {
  %0 = stablehlo.add %a, %b : tensor<1048576xf32>
  %1 = stablehlo.multiply %0, %a : tensor<1048576xf32>
  %2 = stablehlo.tanh %1 : tensor<1048576xf32>
  %3 = stablehlo.subtract %2, %b : tensor<1048576xf32>
  %4 = stablehlo.maximum %3, %0 : tensor<1048576xf32>
  return %4 : tensor<1048576xf32>
}`), []npy.Array{f32(5, -1, 1, 1<<20), f32(6, -1, 1, 1<<20)}, 12 << 20},
		{"softmax_1024", []byte(`func.func @main(%a: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %l = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %0 = stablehlo.reduce(%a init: %l) applies stablehlo.maximum across dimensions = [1] : (tensor<1024x1024xf32>, tensor<f32>) -> tensor<1024xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<1024xf32>) -> tensor<1024x1024xf32>
  %2 = stablehlo.subtract %a, %1 : tensor<1024x1024xf32>
  %3 = stablehlo.exponential %2 : tensor<1024x1024xf32>
  %4 = stablehlo.reduce(%3 init: %z) applies stablehlo.add across dimensions = [1] : (tensor<1024x1024xf32>, tensor<f32>) -> tensor<1024xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<1024xf32>) -> tensor<1024x1024xf32>
  %6 = stablehlo.divide %3, %5 : tensor<1024x1024xf32>
  return %6 : tensor<1024x1024xf32>
}`), []npy.Array{f32(7, -5, 5, 1024, 1024)}, 8 << 20},
		{"gather_64k", []byte(`func.func @main(%a: tensor<65536x64xf32>, %i: tensor<65536x1xi32>) -> tensor<65536x64xf32> {
  %0 = "stablehlo.gather"(%a, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 64>}> : (tensor<65536x64xf32>, tensor<65536x1xi32>) -> tensor<65536x64xf32>
  return %0 : tensor<65536x64xf32>
}`), []npy.Array{f32(8, -1, 1, 65536, 64), i32(9, 65536, 65536, 1)}, 32 << 20},
		{"sort_1m", []byte(`func.func @main(%a: tensor<1048576xf32>) -> tensor<1048576xf32> {
  %0 = "stablehlo.sort"(%a) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = stablehlo.compare LT, %x, %y, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<1048576xf32>) -> tensor<1048576xf32>
  return %0 : tensor<1048576xf32>
}`), []npy.Array{f32(10, -1, 1, 1<<20)}, 8 << 20},
		{"conv_8x64x64x32", []byte(`func.func @main(%x: tensor<8x64x64x32xf32>, %k: tensor<3x3x32x32xf32>) -> tensor<8x64x64x32xf32> {
  %0 = stablehlo.convolution(%x, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<8x64x64x32xf32>, tensor<3x3x32x32xf32>) -> tensor<8x64x64x32xf32>
  return %0 : tensor<8x64x64x32xf32>
}`), []npy.Array{f32(11, -1, 1, 8, 64, 64, 32), f32(12, -1, 1, 3, 3, 32, 32)}, 8 << 20},
	}
	c, err := corpus.Load()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"attn_block", "attn_block_grad", "attn_block_bf16", "mlp_xent_sgd", "convnet_fwd", "convnet_grad", "lstm", "rnn_scan", "examples/digits", "examples/transformer"} {
		found := false
		for _, k := range append(c.Cases, c.Examples...) {
			if k.Name != name {
				continue
			}
			found = true
			src, err := k.Bytecode()
			if err != nil {
				return nil, err
			}
			in, _, err := k.Arrays()
			if err != nil {
				return nil, err
			}
			out = append(out, bench{name: name, source: src, inputs: in})
		}
		if !found {
			return nil, fmt.Errorf("the corpus has no program %s", name)
		}
	}
	return out, nil
}
