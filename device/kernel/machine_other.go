//go:build !amd64

package kernel

func machineLevels() []Level { return nil }

func (t *Table) setMachine(Level) {}
