package pjrt

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
)

// signature is what Execute checks arguments against.
type signature struct {
	params  []Type // DType is Invalid where the parameter is no plain array
	donated []bool
	donates bool // any of them
}

// primitive maps XLA's PrimitiveType, which is not PJRT's numbering.
var primitive = map[int64]dtype.Type{
	int64(xlapb.PrimitiveType_PRED): dtype.I1, int64(xlapb.PrimitiveType_S2): dtype.I2, int64(xlapb.PrimitiveType_S4): dtype.I4,
	int64(xlapb.PrimitiveType_S8): dtype.I8, int64(xlapb.PrimitiveType_S16): dtype.I16, int64(xlapb.PrimitiveType_S32): dtype.I32,
	int64(xlapb.PrimitiveType_S64): dtype.I64, int64(xlapb.PrimitiveType_U2): dtype.U2, int64(xlapb.PrimitiveType_U4): dtype.U4,
	int64(xlapb.PrimitiveType_U8): dtype.U8, int64(xlapb.PrimitiveType_U16): dtype.U16, int64(xlapb.PrimitiveType_U32): dtype.U32,
	int64(xlapb.PrimitiveType_U64): dtype.U64, int64(xlapb.PrimitiveType_F16): dtype.F16, int64(xlapb.PrimitiveType_BF16): dtype.BF16,
	int64(xlapb.PrimitiveType_F32): dtype.F32, int64(xlapb.PrimitiveType_F64): dtype.F64, int64(xlapb.PrimitiveType_C64): dtype.C64,
	int64(xlapb.PrimitiveType_C128): dtype.C128, int64(xlapb.PrimitiveType_F8E5M2): dtype.F8E5M2, int64(xlapb.PrimitiveType_F8E4M3FN): dtype.F8E4M3FN,
	int64(xlapb.PrimitiveType_F8E4M3B11FNUZ): dtype.F8E4M3B11FNUZ, int64(xlapb.PrimitiveType_F8E5M2FNUZ): dtype.F8E5M2FNUZ, int64(xlapb.PrimitiveType_F8E4M3FNUZ): dtype.F8E4M3FNUZ,
	int64(xlapb.PrimitiveType_F8E4M3): dtype.F8E4M3, int64(xlapb.PrimitiveType_F8E3M4): dtype.F8E3M4, int64(xlapb.PrimitiveType_F4E2M1FN): dtype.F4E2M1FN,
	int64(xlapb.PrimitiveType_F6E2M3FN): dtype.F6E2M3FN, int64(xlapb.PrimitiveType_F6E3M2FN): dtype.F6E3M2FN, int64(xlapb.PrimitiveType_F8E8M0FNU): dtype.F8E8M0FNU,
}

// The fields of HloModuleProto that are read; the rest, with the whole program in it, is stepped over.
const (
	moduleOfConfig = 1 // HloModuleProtoWithConfig.hlo_module
	programShape   = 4
	aliases        = 8
	donors         = 18
)

var errWire = errors.New("malformed protocol buffer")

// eachMessage calls f with each field of b that holds bytes.
func eachMessage(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		id, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(id, typ, b); n < 0 {
				return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		in, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		if err := f(id, in); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// unmarshal reads a message and says what was wrong with it.
func unmarshal(b []byte, m proto.Message) error {
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", errWire, err)
	}
	return nil
}

// readHLO takes the signature out of a serialised HloModuleProto, or of one with its configuration around it.
func readHLO(b []byte, withConfig bool) (*signature, error) {
	if withConfig {
		var module []byte
		err := eachMessage(b, func(id protowire.Number, in []byte) error {
			if id == moduleOfConfig {
				module = in
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		b = module
	}
	var shape *xlapb.ProgramShapeProto
	var donated []int64
	err := eachMessage(b, func(id protowire.Number, in []byte) error {
		switch id {
		case programShape:
			shape = &xlapb.ProgramShapeProto{}
			return unmarshal(in, shape)
		case aliases:
			var m xlapb.HloInputOutputAliasProto
			err := unmarshal(in, &m)
			for _, e := range m.GetEntries() {
				donated = append(donated, e.GetParameterNumber())
			}
			return err
		case donors:
			var m xlapb.HloBufferDonorProto
			err := unmarshal(in, &m)
			for _, e := range m.GetEntries() {
				donated = append(donated, e.GetParameterNumber())
			}
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if shape == nil {
		return nil, fmt.Errorf("%w: no program shape", errWire)
	}
	s := &signature{}
	for _, p := range shape.GetParameters() {
		t, err := readShape(p)
		if err != nil {
			return nil, err
		}
		s.params = append(s.params, t)
	}
	s.donated = make([]bool, len(s.params))
	for _, i := range donated {
		if i >= 0 && i < int64(len(s.donated)) {
			s.donated[i], s.donates = true, true
		}
	}
	return s, nil
}

func readShape(p *xlapb.ShapeProto) (Type, error) {
	t := Type{DType: primitive[int64(p.GetElementType())]}
	for _, d := range p.GetDimensions() {
		if d < 0 || len(t.Dims) >= maxRank {
			return Type{}, fmt.Errorf("%w: bad dimension", errWire)
		}
		t.Dims = append(t.Dims, int(d))
	}
	return t, nil
}
