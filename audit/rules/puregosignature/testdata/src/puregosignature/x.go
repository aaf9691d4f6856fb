package puregosignature

//isthmus:calls shape.h

import "github.com/ebitengine/purego"

type point struct{ X, Y float32 }

type wide struct{ X, Y float64 }

var (
	count      func(name string) int32
	countInt   func(name string) int
	area       func(p point, scale float64) float64
	areaWide   func(p wide, scale float64) float64
	areaFloat  func(p point, scale float32) float64
	closed     func(shape uintptr) bool
	valid      func(shape uintptr) bool
	validInt   func(shape uintptr) int32
	paint      func(shape uintptr, c int32, alpha uint8)
	paintShort func(shape uintptr, c int32)
	paintGives func(shape uintptr, c int32, alpha uint8) int32
	each       func(shape uintptr, visit uintptr, user uintptr)
	logf       func(format string) int32
	logNumber  func(format string, n int32) int32
	id         func(shape uintptr) int64
	idPointer  func(shape uint32) int64
	old        func(a, b, c uint8) int64
	strdup     func(s string) string
	strdupByte func(s string) *byte
	putenv     func(s string) int32
	length     func(s string) uint64
	other      func(a map[string]int)
	otherToo   func() (int32, error)
	otherLast  func() error
	otherMany  func(...any) int32
	text       func(s struct{ Name string }) int32
)

func direct(lib uintptr) {
	purego.RegisterLibFunc(&count, lib, "shape_count")
	purego.RegisterLibFunc(&countInt, lib, "shape_count") // want purego-signature
	purego.RegisterLibFunc(&area, lib, "shape_area")
	purego.RegisterLibFunc(&areaWide, lib, "shape_area")  // want purego-signature
	purego.RegisterLibFunc(&areaFloat, lib, "shape_area") // want purego-signature
	purego.RegisterLibFunc(&closed, lib, "shape_closed")
	purego.RegisterLibFunc(&valid, lib, "shape_valid") // want purego-signature:warning
	purego.RegisterLibFunc(&validInt, lib, "shape_valid")
	purego.RegisterLibFunc(&paint, lib, "shape_paint")
	purego.RegisterLibFunc(&paintShort, lib, "shape_paint") // want purego-signature
	purego.RegisterLibFunc(&paintGives, lib, "shape_paint") // want purego-signature
	purego.RegisterLibFunc(&each, lib, "shape_each")
	purego.RegisterLibFunc(&logf, lib, "shape_log")
	purego.RegisterLibFunc(&logNumber, lib, "shape_log") // want purego-signature:warning
}

// register hands its parameters on.
func register(f any, lib uintptr, name string) { purego.RegisterLibFunc(f, lib, name) }

func handed(lib uintptr) {
	register(&id, lib, "shape_id")
	register(&idPointer, lib, "shape_id") // want purego-signature
	register(&old, lib, "shape_old")
}

func table(lib uintptr) {
	for _, f := range []struct {
		ptr  any
		name string
	}{
		{&strdup, "strdup"}, // want purego-signature
		{&strdupByte, "strdup"},
		{&putenv, "putenv"}, // want purego-signature
		{&length, "strlen"},
		{&otherMany, "others"},
	} {
		purego.RegisterLibFunc(f.ptr, lib, f.name)
	}
}

func refused(sym uintptr) {
	purego.RegisterFunc(&other, sym)     // want purego-signature
	purego.RegisterFunc(&otherToo, sym)  // want purego-signature
	purego.RegisterFunc(&otherLast, sym) // want purego-signature
	purego.RegisterFunc(&text, sym)      // want purego-signature
	purego.RegisterFunc(length, sym)     // want purego-signature
}

func named(lib uintptr) error {
	sym, err := purego.Dlsym(lib, "shape_count")
	if err != nil {
		return err
	}
	purego.RegisterFunc(&countInt, sym) // want purego-signature
	return nil
}

var (
	onText  = purego.NewCallback(func(s string) uintptr { return uintptr(len(s)) }) // want purego-signature
	onFloat = purego.NewCallback(func(x float64) float64 { return x })              // want purego-signature
	onByte  = purego.NewCallback(func(b *byte, n int32, x float64) bool { return n > 0 && b != nil && x > 0 })
)

func scaled(f uintptr, x float64, n int) uintptr {
	r, _, _ := purego.SyscallN(f, uintptr(n))
	s, _, _ := purego.SyscallN(f, uintptr(x)) // want purego-signature
	return r + s
}
