package plugins

import (
	"fmt"
	"strings"
)

// Pin says exactly which plugin a name stands for, and where it comes from.
type Pin struct {
	// Name is what a user asks for.
	Name string
	// Title says in a few words what it is.
	Title string
	// API is the version of the PJRT C API that the library was built with.
	API string
	// OS and Arch are the platform of the library, in Go's names.
	OS, Arch string
	// Package and Version name the Python package that carries the library.
	Package, Version string
	// Python, ABI and Platform are the wheel's tags where it is made for one version of Python, "3.11" for example: the
	// library in it needs none, so the pinned one is taken whatever Python is here.
	Python, ABI, Platform string
	// WheelSHA256 is the hash of the package's file.
	WheelSHA256 string
	// Member is the library's name inside the wheel; Size is its length, SHA256 its hash.
	Member string
	Size   int64
	SHA256 string
}

// Known returns the plugins that can be installed by name.
func Known() []Pin {
	return []Pin{
		{
			Name: "cpu", Title: "XLA's CPU backend", API: "0.115",
			OS: "linux", Arch: "amd64",
			Package: "lammps-jax-pjrt-cpu", Version: "0.11.2",
			WheelSHA256: "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
			Member:      "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
			Size:        201600336,
			SHA256:      "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
		},
		{
			Name: "cpu-old", Title: "an older build of XLA's CPU backend, for tests", API: "0.106",
			OS: "linux", Arch: "amd64",
			Package: "fastatomstruct-xla-cpu", Version: "2026.6.23",
			WheelSHA256: "88b1c430b341b4bea40a37420311c9c75db6e22b46d2ff95b6986577bee6afe9",
			Member:      "fastatomstruct_xla_cpu/libpjrt_cpu.so",
			Size:        273768800,
			SHA256:      "0a0fe56ca17be9efc7b942e89e534e5e0ad4a0f1e369b66d27b62184509015b9",
		},
		{
			Name: "cuda", Title: "XLA's backend for NVIDIA GPUs; needs NVIDIA's CUDA libraries on the machine", API: "0.115",
			OS: "linux", Arch: "amd64",
			Package: "jax-cuda13-pjrt", Version: "0.11.2",
			WheelSHA256: "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e",
			Member:      "jax_plugins/xla_cuda13/xla_cuda_plugin.so",
			Size:        411465856,
			SHA256:      "43d3efd6fd43d8a5d9aa67176e830d81e4ad5fc19fda4ad09cdcc4aebd9f3920",
		},
		{
			Name: "tpu", Title: "Google's backend for TPUs; compiles for them without one, with TPU_SKIP_MDS_QUERY=1", API: "0.116",
			OS: "linux", Arch: "amd64",
			Package: "libtpu", Version: "0.0.51", Python: "3.11", ABI: "cp311", Platform: "manylinux_2_31_x86_64",
			WheelSHA256: "ba67ddbfdbac61c8da1fafc26cd51b93e9fe4d298016e2882eb986b1718cba34",
			Member:      "libtpu/libtpu.so",
			Size:        574812664,
			SHA256:      "ad0b2a3bc5d4de96f653b3701aaed8769a691776ca0e14c791dcdca785d43e42",
		},
	}
}

// Lookup returns the pin of a known name.
func Lookup(name string) (Pin, error) {
	var names []string
	for _, p := range Known() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Pin{}, fmt.Errorf("plugins: no plugin is called %.40q; there are: %s: %w", name, strings.Join(names, ", "), ErrUnknown)
}

// Requirement returns the lines that make pip and uv take exactly this file and refuse any other.
func (p Pin) Requirement() string {
	return fmt.Sprintf("%s==%s \\\n    --hash=sha256:%s\n", p.Package, p.Version, p.WheelSHA256)
}
