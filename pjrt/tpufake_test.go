package pjrt_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func tpuProgramCase() extCase {
	check := func(p pjrtc.Ptr[byte], n uint64) *failure {
		if s := hostText(p, n); s != "program" {
			return refuse("the program is %q", s)
		}
		return nil
	}
	return extCase{
		typ: pjrtc.ExtensionTypeTpuExecutable,
		fns: func() fakeFns {
			return fakeFns{
				"get_target_arguments": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableGetTargetArgumentsArgs) *failure {
					a.TargetArgumentsPtr, a.TargetArguments, a.TargetArgumentsSize = pjrtfake.Bytes[pjrtc.TpuExecutableTargetArguments](f, "target", "target\x00")
					a.TargetArgumentsDeleter = f.Deleter("target")
					return check(a.SerializedExecutable, a.SerializedExecutableSize)
				}),
				"get_hlo_module_with_config": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableGetHloModuleWithConfigArgs) *failure {
					a.HloModuleWithConfigPtr, a.HloModuleWithConfig, a.HloModuleWithConfigSize = pjrtfake.Bytes[pjrtc.TpuExecutableHloModuleWithConfig](f, "hlo", "hlo")
					a.HloModuleWithConfigDeleter = f.Deleter("hlo")
					return check(a.SerializedExecutable, a.SerializedExecutableSize)
				}),
				"get_compiled_memory_stats": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableGetCompiledMemoryStatsArgs) *failure {
					a.CompiledMemoryStatsPtr, a.CompiledMemoryStats, a.CompiledMemoryStatsSize = pjrtfake.Bytes[pjrtc.TpuExecutableCompiledMemoryStats](f, "stats", "stats")
					a.CompiledMemoryStatsDeleter = f.Deleter("stats")
					return check(a.SerializedExecutable, a.SerializedExecutableSize)
				}),
				"run_hlo_cost_analysis": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableRunHloCostAnalysisArgs) *failure {
					m, _ := a.HloModule.Slice(a.NumHloModules)
					n, _ := a.HloModuleSize.Slice(a.NumHloModules)
					if s := hostText(a.TargetArguments, a.TargetArgumentsSize) + hostText(m[0], n[0]); s != "target\x00hlo" {
						return refuse("%q", s)
					}
					a.AnalysisResultsPtr = pjrtfake.Make[pjrtc.TpuExecutableCostAnalysisResult](f, "cost", nil, nil)
					a.AnalysisResultsDeleter = f.Deleter("cost")
					return nil
				}),
				"set_tpu_compilation_env": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableSetTpuCompilationEnvArgs) *failure {
					a.ResultCompilationEnvironmentsPtr, a.ResultCompilationEnvironments, a.ResultCompilationEnvironmentsSize = pjrtfake.Bytes[pjrtc.TpuExecutableCompilationEnvironments](f, "env", "env+"+hostText(a.SerializedCompilationEnvironments, a.SerializedCompilationEnvironmentsSize))
					a.ResultCompilationEnvironmentsDeleter = f.Deleter("env")
					return nil
				}),
				"get_tpu_compilation_env_field_as_string": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuExecutableGetTpuCompilationEnvFieldAsStringArgs) *failure {
					a.FieldValuePtr, a.FieldValue, a.FieldValueSize = pjrtfake.Bytes[pjrtc.TpuExecutableFieldValue](f, "value", "value of "+hostText(a.FieldName, a.FieldNameSize))
					a.FieldValueDeleter = f.Deleter("value")
					return nil
				}),
				"is_tpu_predetermined_error": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuExecutableIsTpuPredeterminedErrorArgs) *failure {
					a.IsPredetermined = hostText(a.SerializedStatus, a.SerializedStatusSize) == "again"
					return nil
				}),
			}
		},
		use: func(w extWorld) error {
			x, err := w.p.TPUProgram([]byte("program"))
			if err != nil {
				return err
			}
			var errs []error
			for what, f := range map[string]func() ([]byte, error){"target\x00": x.TargetArguments, "hlo": x.HLO, "stats": x.MemoryStats} {
				b, err := f()
				errs = append(errs, same(what, string(b), what, err))
			}
			cost, err := x.CostAnalysis()
			errs = append(errs, same("cost", len(cost), 0, err))
			b, err := w.p.TPUEnvironments([]byte("mine"))
			errs = append(errs, same("env", string(b), "env+mine", err))
			s, err := w.p.TPUEnvironment(b, "f")
			errs = append(errs, same("field", s, "value of f", err))
			is, err := w.p.TPUPredetermined([]byte("again"))
			return errors.Join(append(errs, same("predetermined", is, true, err))...)
		},
	}
}

// tpuTopologyCase is a topology of 2x2 chips of one core on two hosts.
func tpuTopologyCase() extCase {
	fill := func(p pjrtc.Ptr[int32], n *uint64, most uint64, v ...int32) *failure {
		*n = uint64(len(v))
		to, err := p.Slice(most)
		if err != nil || len(v) > len(to) {
			return refuse("no room")
		}
		copy(to, v)
		return nil
	}
	top := func(f *pjrtfake.Fake, h pjrtc.Ptr[pjrtc.TopologyDescription]) { pjrtfake.Get(f, "tpu", "topology", h) }
	newTop := func(f *pjrtfake.Fake) pjrtc.Ptr[pjrtc.TopologyDescription] {
		return pjrtfake.Make[pjrtc.TopologyDescription](f, "topology", nil, nil)
	}
	return extCase{
		typ: pjrtc.ExtensionTypeTpuTopology,
		fns: func() fakeFns {
			return fakeFns{
				"subslice": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologySubsliceArgs) *failure {
					a.SubsliceTopology = newTop(f)
					return nil
				}),
				"replace_host_bounds": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologyReplaceHostBoundsArgs) *failure {
					a.NewTopology = newTop(f)
					return nil
				}),
				"is_subslice_topology": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologyIsSubsliceTopologyArgs) *failure {
					top(f, a.Topology)
					a.IsSubsliceTopology = true
					return nil
				}),
				"subslice_device_id_from_full_device_id": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologySubsliceDeviceIdFromFullDeviceIdArgs) *failure {
					top(f, a.ClientTopology)
					top(f, a.SubsliceTopology)
					a.SubsliceDeviceId = a.FullDeviceId
					return nil
				}),
				"is_enhanced_barrier_enabled": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologyIsEnhancedBarrierEnabledArgs) *failure {
					top(f, a.Topology)
					a.IsEnhancedBarrierEnabled = true
					return nil
				}),
				"has_limited_ici_connectivity": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologyHasLimitedIciConnectivityArgs) *failure {
					top(f, a.Topology)
					a.HasLimitedIciConnectivity = true
					return nil
				}),
				"is_reachable_over_limited_ici": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.TpuTopologyIsReachableOverLimitedIciArgs) *failure {
					top(f, a.Topology)
					a.IsReachableOverLimitedIci = a.SourceChipId == 0 && a.DestChipId == 3
					return nil
				}),
				"process_count": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcessCountArgs) *failure { a.ProcessCount = 2; return nil }),
				"chips_per_process": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipsPerProcessArgs) *failure {
					a.ChipsPerProcess = 2
					return nil
				}),
				"core_count_per_chip": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyCoreCountPerChipArgs) *failure {
					a.CoreCountOfDefaultTypePerChip = 1
					return nil
				}),
				"chip_count": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipCountArgs) *failure { a.ChipCount = 4; return nil }),
				"core_count": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyCoreCountArgs) *failure {
					a.CoreCountOfDefaultType = 4
					return nil
				}),
				"logical_device_count_per_process": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyLogiDeviceCountPerProcessArgs) *failure {
					a.LogicalDeviceCountOfDefaultTypePerProcess = 2
					return nil
				}),
				"logical_device_count": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyLogiDeviceCountArgs) *failure {
					a.LogicalDeviceCountOfDefaultType = 4
					return nil
				}),
				"logical_device_count_per_chip": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyLogiDeviceCountPerChipArgs) *failure {
					a.LogicalDeviceCountOfDefaultTypePerChip = 1
					return nil
				}),
				"core_count_per_process": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyCoreCountPerProcessArgs) *failure {
					a.CoreCountOfDefaultTypePerProcess = 2
					return nil
				}),
				"process_ids": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcessIdsArgs) *failure {
					return fill(a.ProcessIds, &a.NumProcessIds, uint64(a.MaxProcessIds), 0, 1)
				}),
				"logical_device_ids_on_process": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyLogiDeviceIdsOnProcessArgs) *failure {
					return fill(a.LogicalDeviceOfDefaultTypeIds, &a.NumLogicalDeviceIds, uint64(a.MaxLogicalDeviceIds), 2*a.ProcessId, 2*a.ProcessId+1)
				}),
				"proc_id_and_idx_on_proc_for_chip": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcIdAndIdxOnProcForChipArgs) *failure {
					a.ProcessId, a.IndexOnProcess = a.ChipId/2, a.ChipId%2
					return nil
				}),
				"proc_id_and_idx_on_proc_for_logi_device": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcIdAndIdxOnProcForLogiDeviceArgs) *failure {
					a.ProcessId, a.IndexOnProcess = a.DeviceId/2, a.DeviceId%2
					return nil
				}),
				"process_coord_from_id": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcessCoordFromIdArgs) *failure {
					return fill(a.Coords, &a.CoordsNumDims, a.CoordsMaxDims, 0, a.ProcessId)
				}),
				"chip_id_from_coord": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipIdFromCoordArgs) *failure {
					at, _ := a.Coords.Slice(a.CoordsNumDims)
					a.ChipId = at[0] + 2*at[1]
					return nil
				}),
				"logical_device_id_from_chip_coord_and_idx": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyLogiDeviceIdFromChipCoordAndIdxArgs) *failure {
					at, _ := a.ChipCoords.Slice(a.ChipCoordsNumDims)
					a.LogicalDeviceOfDefaultTypeId = at[0] + 2*at[1]
					return nil
				}),
				"chip_coord_and_idx_for_logi_device": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipCoordAndIdxForLogiDeviceArgs) *failure {
					return fill(a.ChipCoords, &a.ChipCoordsNumDims, a.ChipCoordsMaxDims, a.DeviceId%2, a.DeviceId/2)
				}),
				"chips_per_process_bounds": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipsPerProcessBoundsArgs) *failure {
					return fill(a.ChipPerProcessBounds, &a.ChipPerProcessBoundsNumDims, a.ChipPerProcessBoundsMaxDims, 2, 1)
				}),
				"chip_bounds": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyChipBoundsArgs) *failure {
					return fill(a.ChipBounds, &a.ChipBoundsNumDims, a.ChipBoundsMaxDims, 2, 2)
				}),
				"process_bounds": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyProcessBoundsArgs) *failure {
					return fill(a.ProcessBounds, &a.ProcessBoundsNumDims, a.ProcessBoundsMaxDims, 1, 2)
				}),
				"get_routing_strategy": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyGetRoutingStrategyArgs) *failure {
					to, _ := a.RoutingStrategy.Slice(a.RoutingStrategyLen)
					a.RoutingStrategyLen = uint64(copy(to, "ring"))
					return nil
				}),
				"get_slice_config": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyGetSliceConfigArgs) *failure {
					c := a.SliceConfig.At()
					c.DimSize, c.Dimensions, c.Twist = 2, [4]int32{2, 4}, true
					return nil
				}),
				"get_slice_configs": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyGetSliceConfigsArgs) *failure {
					to, _ := a.SliceConfigs.Slice(a.MaxSliceConfigs)
					to[0].DimSize, to[0].Dimensions = 3, [4]int32{1, 2, 3}
					a.NumSliceConfigs = 1
					if hostText(a.PlatformTypeName, a.PlatformTypeNameLen) == "hostile" {
						to[0].DimSize = 1 << 60
					}
					return nil
				}),
				"get_default_platform_config": pjrtfake.On(func(_ *pjrtfake.Fake, a *pjrtc.TpuTopologyGetDefaultPlatformConfigArgs) *failure {
					a.NumChipsPerTray, a.NumTrays = 4, 2
					return nil
				}),
			}
		},
		use: useTPUTopology,
	}
}

func useTPUTopology(w extWorld) error {
	whole, err := w.c.Topology()
	if err != nil {
		return err
	}
	var errs []error
	add := func(what string, got, want any, err error) { errs = append(errs, same(what, got, want, err)) }
	s, err := w.p.TPUSlice("p", "s")
	add("slice", s, "2x4", err)
	list, err := w.p.TPUSlices("p")
	add("slices", list, "[1x2x3]", err)
	if _, err := w.p.TPUSlices("hostile"); err == nil || !strings.Contains(err.Error(), "dimensions") && len(list) > 0 {
		errs = append(errs, fmt.Errorf("a slice of 2^60 dimensions: %w", err))
	}
	chips, trays, err := w.p.TPUHost("p")
	add("host", []int{chips, trays}, []int{4, 2}, err)
	u, err := whole.TPU()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	c, err := u.Counts()
	add("counts", c, pjrt.TPUCounts{2, 4, 2, 4, 1, 2, 4, 1, 2}, err)
	b, err := u.Bounds()
	add("bounds", b, pjrt.TPUBounds{[]int{2, 2}, []int{2, 1}, []int{1, 2}}, err)
	if errors.Join(errs...) != nil { // the rest depends on them
		return errors.Join(errs...)
	}
	for what, f := range map[string]func() (bool, error){"barrier": u.EnhancedBarrier, "limited": u.LimitedICI, "subslice": u.IsSubslice, "reachable": func() (bool, error) { return u.Reachable(0, 3) }} {
		is, err := f()
		add(what, is, true, err)
	}
	r, err := u.Routing()
	add("routing", r, "ring", err)
	ids, err := u.ProcessIDs()
	add("processes", ids, []int{0, 1}, err)
	ids, err = u.DevicesOn(1)
	add("devices", ids, []int{2, 3}, err)
	place, err := u.ChipPlace(3)
	add("chip", place, pjrt.TPUPlace{1, 1}, err)
	place, err = u.DevicePlace(2)
	add("device", place, pjrt.TPUPlace{1, 0}, err)
	at, err := u.ProcessCoords(1)
	add("process", at, []int{0, 1}, err)
	id, err := u.ChipAt(1, 1)
	add("chip at", id, 3, err)
	id, err = u.DeviceAt(0, 0, 1)
	add("device at", id, 2, err)
	at, _, err = u.DeviceCoords(3)
	add("coords", at, []int{1, 1}, err)
	o, err := u.WithHosts([]int{1, 1})
	add("hosts", len(o.Devices()), 0, err)
	errs = append(errs, o.Close())
	sub, err := u.Subslice([]int{1, 1}, []int{1, 1})
	if err == nil {
		id, err = u.SubsliceDevice(sub, []int{0, 0}, 1)
		add("subslice device", id, 1, err)
		errs = append(errs, sub.Close())
	}
	return errors.Join(append(errs, err)...)
}
