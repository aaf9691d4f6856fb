package dlpack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/raw/dlpack"
)

// TestStructsMatchTheCCompiler compares sizes, offsets and constants with what the C compiler says of the header.
func TestStructsMatchTheCCompiler(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var src strings.Builder
	src.WriteString("#include <stdio.h>\n#include <stddef.h>\n#include \"dlpack.h\"\nint main(void) {\n")
	want := map[string]string{}
	ask := func(expr string, value any) {
		fmt.Fprintf(&src, "printf(\"%s %%llu\\n\", (unsigned long long)(%s));\n", expr, expr)
		want[expr] = fmt.Sprint(value)
	}
	names := map[string]string{ // Go's field, C's
		"Major": "major", "Minor": "minor", "Type": "device_type", "ID": "device_id", "Code": "code", "Bits": "bits", "Lanes": "lanes",
		"Data": "data", "Device": "device", "NDim": "ndim", "DType": "dtype", "Shape": "shape", "Strides": "strides",
		"ByteOffset": "byte_offset", "Tensor": "dl_tensor", "Context": "manager_ctx", "Deleter": "deleter", "Version": "version", "Flags": "flags",
	}
	for c, v := range map[string]any{
		"DLPackVersion": dlpack.Version{}, "DLDevice": dlpack.Device{}, "DLDataType": dlpack.DataType{}, "DLTensor": dlpack.Tensor{},
		"DLManagedTensor": dlpack.Managed{}, "struct DLManagedTensorVersioned": dlpack.Versioned{},
	} {
		typ := reflect.TypeOf(v)
		ask("sizeof("+c+")", typ.Size())
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Name != "_" {
				ask("offsetof("+c+", "+names[f.Name]+")", f.Offset)
			}
		}
	}
	for c, v := range map[string]uint64{
		"DLPACK_MAJOR_VERSION": dlpack.Major, "DLPACK_MINOR_VERSION": dlpack.Minor,
		"kDLCPU": uint64(dlpack.CPU), "kDLCUDA": uint64(dlpack.CUDA), "kDLCUDAHost": uint64(dlpack.CUDAHost), "kDLROCM": uint64(dlpack.ROCM), "kDLROCMHost": uint64(dlpack.ROCMHost),
		"kDLInt": uint64(dlpack.Int), "kDLUInt": uint64(dlpack.UInt), "kDLFloat": uint64(dlpack.Float), "kDLOpaqueHandle": uint64(dlpack.OpaqueHandle),
		"kDLBfloat": uint64(dlpack.Bfloat), "kDLComplex": uint64(dlpack.Complex), "kDLBool": uint64(dlpack.Bool),
		"kDLFloat8_e3m4": uint64(dlpack.Float8E3M4), "kDLFloat8_e4m3": uint64(dlpack.Float8E4M3), "kDLFloat8_e4m3b11fnuz": uint64(dlpack.Float8E4M3B11FN),
		"kDLFloat8_e4m3fn": uint64(dlpack.Float8E4M3FN), "kDLFloat8_e4m3fnuz": uint64(dlpack.Float8E4M3FNUZ), "kDLFloat8_e5m2": uint64(dlpack.Float8E5M2),
		"kDLFloat8_e5m2fnuz": uint64(dlpack.Float8E5M2FNUZ), "kDLFloat8_e8m0fnu": uint64(dlpack.Float8E8M0FNU),
		"kDLFloat6_e2m3fn": uint64(dlpack.Float6E2M3FN), "kDLFloat6_e3m2fn": uint64(dlpack.Float6E3M2FN), "kDLFloat4_e2m1fn": uint64(dlpack.Float4E2M1FN),
		"DLPACK_FLAG_BITMASK_READ_ONLY": dlpack.ReadOnly, "DLPACK_FLAG_BITMASK_IS_COPIED": dlpack.IsCopied,
		"DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED": dlpack.SubbytePadded,
	} {
		ask(c, v)
	}
	src.WriteString("return 0; }\n")
	headers, err := filepath.Abs("headers")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, exe := filepath.Join(dir, "probe.c"), filepath.Join(dir, "probe")
	if err := os.WriteFile(file, []byte(src.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-I", headers, "-o", exe, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		i := strings.LastIndexByte(line, ' ')
		got[line[:i]] = strings.TrimSpace(line[i:])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Go and C differ (-Go +C):\n%s", diff)
	}
}
