// Package dlpack holds the structs of DLPack 1, the common format in which array libraries of one process hand tensors
// to each other, checked against the pinned header under headers/ (dmlc/dlpack, Apache-2.0) by a test that asks the C
// compiler.
package dlpack

import (
	"structs"
	"unsafe"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Version is DLPackVersion.
//
//isthmus:mirrors DLPackVersion headers/dlpack.h
type Version struct {
	_            structs.HostLayout
	Major, Minor uint32
}

// The version of the header.
const (
	//isthmus:mirrors DLPACK_MAJOR_VERSION headers/dlpack.h
	Major = 1
	//isthmus:mirrors DLPACK_MINOR_VERSION headers/dlpack.h
	Minor = 1
)

// DeviceType is DLDeviceType.
type DeviceType int32

// The kinds of devices that are known here.
//
//isthmus:mirrors DLDeviceType headers/dlpack.h
const (
	CPU      DeviceType = 1
	CUDA     DeviceType = 2
	CUDAHost DeviceType = 3
	ROCM     DeviceType = 10
	ROCMHost DeviceType = 11
)

// Device is DLDevice.
//
//isthmus:mirrors DLDevice headers/dlpack.h
type Device struct {
	_    structs.HostLayout
	Type DeviceType
	ID   int32
}

// Code is DLDataTypeCode.
type Code uint8

// The kinds of elements.
//
//isthmus:mirrors DLDataTypeCode headers/dlpack.h
const (
	Int             Code = 0
	UInt            Code = 1
	Float           Code = 2
	OpaqueHandle    Code = 3
	Bfloat          Code = 4
	Complex         Code = 5
	Bool            Code = 6
	Float8E3M4      Code = 7
	Float8E4M3      Code = 8
	Float8E4M3B11FN Code = 9
	Float8E4M3FN    Code = 10
	Float8E4M3FNUZ  Code = 11
	Float8E5M2      Code = 12
	Float8E5M2FNUZ  Code = 13
	Float8E8M0FNU   Code = 14
	Float6E2M3FN    Code = 15
	Float6E3M2FN    Code = 16
	Float4E2M1FN    Code = 17
)

// DataType is DLDataType.
//
//isthmus:mirrors DLDataType headers/dlpack.h
type DataType struct {
	_     structs.HostLayout
	Code  Code
	Bits  uint8
	Lanes uint16
}

// Tensor is DLTensor. Strides are counted in elements.
//
//isthmus:mirrors DLTensor headers/dlpack.h
type Tensor struct {
	_          structs.HostLayout
	Data       mem.Addr
	Device     Device
	NDim       int32
	DType      DataType
	Shape      mem.Addr // int64_t*
	Strides    mem.Addr // int64_t*
	ByteOffset uint64
}

// Managed is DLManagedTensor: a tensor, and how to give it back.
//
//isthmus:mirrors DLManagedTensor headers/dlpack.h
type Managed struct {
	_       structs.HostLayout
	Tensor  Tensor
	Context mem.Addr
	Deleter mem.Addr // void (*)(DLManagedTensor*)
}

// Versioned is DLManagedTensorVersioned.
//
//isthmus:mirrors struct DLManagedTensorVersioned headers/dlpack.h
type Versioned struct {
	_       structs.HostLayout
	Version Version
	Context mem.Addr
	Deleter mem.Addr // void (*)(DLManagedTensorVersioned*)
	Flags   uint64
	Tensor  Tensor
}

// The flags of [Versioned].
//
//isthmus:mirrors DLPACK_FLAG_BITMASK_* headers/dlpack.h
const (
	ReadOnly      = 1 << 0
	IsCopied      = 1 << 1
	SubbytePadded = 1 << 2
)

// Handle is the address of a [Managed] or a [Versioned] that the holder must give back once, by its deleter.
type Handle struct {
	Addr      mem.Addr
	Versioned bool
}

// The sizes that the C compiler gives them; the rest is compared by the test.
var (
	_ [48]struct{} = [unsafe.Sizeof(Tensor{})]struct{}{}
	_ [64]struct{} = [unsafe.Sizeof(Managed{})]struct{}{}
	_ [80]struct{} = [unsafe.Sizeof(Versioned{})]struct{}{}
)
