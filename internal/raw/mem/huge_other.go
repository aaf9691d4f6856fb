//go:build !linux

package mem

func sysHuge([]byte) {}
