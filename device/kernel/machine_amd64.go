package kernel

import "golang.org/x/sys/cpu"

// machineLevels returns the assembly levels that the processor and the operating system support.
func machineLevels() []Level {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA || !x.HasBMI2 {
		return nil
	}
	if !x.HasAVX512F || !x.HasAVX512DQ || !x.HasAVX512BW || !x.HasAVX512VL {
		return []Level{LevelAVX2}
	}
	return []Level{LevelAVX2, LevelAVX512}
}

// setMachine puts the assembly of a level, over that of the levels below, into a table.
func (t *Table) setMachine(l Level) {
	if l >= LevelAVX2 {
		bindAVX2(t)
		bindTransposes(t, l)
	}
	if l >= LevelAVX512 {
		bindAVX512(t)
	}
	if l >= LevelAVX2 {
		bindPower(t)
		bindArg(&t.F32)
		bindArg(&t.F64)
		bindArg(&t.I32)
	}
	t.Convert.F32Bool = func(dst []uint8, a []float32) { t.F32.CompareVS[NE](dst, a, 0) }
	t.Convert.I32Bool = func(dst []uint8, a []int32) { t.I32.CompareVS[NE](dst, a, 0) }
}

// bindArg builds the positions of extremes on the reductions of the level.
func bindArg[T Number](o *Ops[T]) {
	o.ArgMax = argByBlocks(o.Reduce[Max], argMax[T], func(a, b T) bool { return a > b })
	o.ArgMin = argByBlocks(o.Reduce[Min], argMin[T], func(a, b T) bool { return a < b })
}
