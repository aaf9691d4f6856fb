package dtype_test

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/dtype"
)

func Example() {
	t, err := dtype.Parse("f8E4M3FN")
	if err != nil {
		fmt.Println(err)
		return
	}
	bits := dtype.FromFloat64(t, 0.3)
	fmt.Printf("%v of %d bits: 0.3 is stored as %#02x, which is %v\n", t, t.Bits(), bits, dtype.ToFloat64(t, bits))
	// Output: f8E4M3FN of 8 bits: 0.3 is stored as 0x2a, which is 0.3125
}
