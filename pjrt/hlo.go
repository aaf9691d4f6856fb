package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// signature is what Execute checks arguments against.
type signature struct {
	params  []Type // DType is Invalid where the parameter is no plain array
	donated []bool
	donates bool // any of them
}

// primitive maps XLA's PrimitiveType, which is not PJRT's numbering.
var primitive = map[int64]dtype.Type{
	1: dtype.I1, 2: dtype.I8, 3: dtype.I16, 4: dtype.I32, 5: dtype.I64, 6: dtype.U8, 7: dtype.U16, 8: dtype.U32, 9: dtype.U64,
	10: dtype.F16, 11: dtype.F32, 12: dtype.F64, 15: dtype.C64, 16: dtype.BF16, 18: dtype.C128, 19: dtype.F8E5M2, 20: dtype.F8E4M3FN,
	21: dtype.I4, 22: dtype.U4, 23: dtype.F8E4M3B11FNUZ, 24: dtype.F8E5M2FNUZ, 25: dtype.F8E4M3FNUZ, 26: dtype.I2, 27: dtype.U2,
	28: dtype.F8E4M3, 29: dtype.F8E3M4, 32: dtype.F4E2M1FN, 33: dtype.F8E8M0FNU,
}

// readHLO takes the signature out of a serialised HloModuleProto, or of one with its configuration around it.
func readHLO(b []byte, withConfig bool) (*signature, error) {
	if withConfig {
		var module []byte
		err := fields(b, func(f field) error {
			if f.id == 1 && f.wire == 2 {
				module = f.bytes
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		b = module
	}
	var s *signature
	var donated []int64
	err := fields(b, func(f field) error {
		if f.wire != 2 {
			return nil
		}
		switch f.id {
		case 4: // host_program_shape
			s = &signature{}
			return fields(f.bytes, func(f field) error {
				if f.id != 1 || f.wire != 2 {
					return nil
				}
				t, err := readShape(f.bytes)
				s.params = append(s.params, t)
				return err
			})
		case 8: // input_output_alias: entries with parameter_number = 2
			return readDonors(f.bytes, 2, &donated)
		case 18: // buffer_donor: entries with parameter_number = 1
			return readDonors(f.bytes, 1, &donated)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fmt.Errorf("%w: no program shape", errWire)
	}
	s.donated = make([]bool, len(s.params))
	for _, i := range donated {
		if i >= 0 && i < int64(len(s.donated)) {
			s.donated[i], s.donates = true, true
		}
	}
	return s, nil
}

// readDonors reads the parameter numbers of a list of entries; a number of 0 is not written by the format.
func readDonors(b []byte, id int, out *[]int64) error {
	return fields(b, func(f field) error {
		if f.id != 1 || f.wire != 2 {
			return nil
		}
		n := int64(0)
		err := fields(f.bytes, func(f field) error {
			if f.id == id && f.wire == 0 {
				n = int64(f.number)
			}
			return nil
		})
		*out = append(*out, n)
		return err
	})
}

func readShape(b []byte) (Type, error) {
	var t Type
	err := fields(b, func(f field) error {
		switch f.id {
		case 2:
			t.DType = primitive[int64(f.number)]
		case 3:
			n, err := f.numbers()
			if err != nil {
				return err
			}
			for _, d := range n {
				if d < 0 || len(t.Dims) >= maxRank {
					return fmt.Errorf("%w: bad dimension", errWire)
				}
				t.Dims = append(t.Dims, int(d))
			}
		}
		return nil
	})
	return t, err
}
