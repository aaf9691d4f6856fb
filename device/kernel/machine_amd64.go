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

func (t *Table) setMachine(Level) {}
