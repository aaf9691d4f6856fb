package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// TPUProgram is a serialised program of a TPU plugin, and what the plugin's extension TpuExecutable knows of it. It
// holds no native object. It is safe for concurrent use. Errors of all methods: [isthmus.ErrUnsupported] with the name
// of what the plugin lacks.
type TPUProgram struct {
	plugin     *Plugin
	serialized []byte
}

// TPU gives the TPU side of a compiled program. Calls PJRT_Executable_Serialize.
func (x *Compiled) TPU() (*TPUProgram, error) {
	if x == nil || x.plugin == nil {
		return nil, invalid("TPU program", "no program")
	}
	if err := x.plugin.hasExtension(pjrtc.ExtensionTypeTpuExecutable); err != nil {
		return nil, fmt.Errorf("pjrt: TPU program: %w", err)
	}
	b, err := serialize(x)
	if err != nil {
		return nil, err
	}
	return &TPUProgram{x.plugin, b}, nil
}

// TPUProgram is [Compiled.TPU] for the bytes that [Compiled.Serialize] gave. The bytes are not copied.
// Errors: [isthmus.ErrInvalid] where they were damaged since.
func (p *Plugin) TPUProgram(serialized []byte) (*TPUProgram, error) {
	const op = "TPU program"
	if p == nil || p.table == nil || len(serialized) == 0 {
		return nil, invalid(op, "no plugin, or no bytes")
	}
	if err := p.hasExtension(pjrtc.ExtensionTypeTpuExecutable); err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	serialized, err := unseal(op, serialized)
	if err != nil {
		return nil, err
	}
	return &TPUProgram{p, serialized}, nil
}

// askTPUProgram asks the extension about a program.
func askTPUProgram[A any, P interface {
	*A
	pjrtc.ExtArgs
}](x *TPUProgram, op string, fill func(P, pjrtc.Ptr[byte], uint64), read func(P) error) error {
	op = "TPU program: " + op
	if x == nil || x.plugin == nil {
		return invalid(op, "no program")
	}
	var pin mem.Pin
	defer pin.Unpin()
	return askExt(x.plugin, op, func(f *call.Frame, a P) error {
		b, n, err := lendSized(f, &pin, x.serialized)
		fill(a, b, n)
		return err
	}, read)
}

// TargetArguments gives what the compiler was told of the target, as a serialised message of the plugin's.
func (x *TPUProgram) TargetArguments() (out []byte, err error) {
	const op = "target arguments"
	err = askTPUProgram(x, op, func(a *pjrtc.TpuExecutableGetTargetArgumentsArgs, b pjrtc.Ptr[byte], n uint64) {
		a.SerializedExecutable, a.SerializedExecutableSize = b, n
	}, func(a *pjrtc.TpuExecutableGetTargetArgumentsArgs) (err error) {
		out, err = takeBytes(op, a.TargetArguments, a.TargetArgumentsSize, a.TargetArgumentsDeleter, mem.Addr(a.TargetArgumentsPtr))
		return err
	})
	return out, err
}

// HLO gives the program's module with its configuration, as a serialised xla.HloModuleProtoWithConfig.
func (x *TPUProgram) HLO() (out []byte, err error) {
	const op = "module with configuration"
	err = askTPUProgram(x, op, func(a *pjrtc.TpuExecutableGetHloModuleWithConfigArgs, b pjrtc.Ptr[byte], n uint64) {
		a.SerializedExecutable, a.SerializedExecutableSize = b, n
	}, func(a *pjrtc.TpuExecutableGetHloModuleWithConfigArgs) (err error) {
		out, err = takeBytes(op, a.HloModuleWithConfig, a.HloModuleWithConfigSize, a.HloModuleWithConfigDeleter, mem.Addr(a.HloModuleWithConfigPtr))
		return err
	})
	return out, err
}

// MemoryStats tells how much memory the program needs, as a serialised xla.CompiledMemoryStatsProto.
func (x *TPUProgram) MemoryStats() (out []byte, err error) {
	const op = "memory statistics"
	err = askTPUProgram(x, op, func(a *pjrtc.TpuExecutableGetCompiledMemoryStatsArgs, b pjrtc.Ptr[byte], n uint64) {
		a.SerializedExecutable, a.SerializedExecutableSize = b, n
	}, func(a *pjrtc.TpuExecutableGetCompiledMemoryStatsArgs) (err error) {
		out, err = takeBytes(op, a.CompiledMemoryStats, a.CompiledMemoryStatsSize, a.CompiledMemoryStatsDeleter, mem.Addr(a.CompiledMemoryStatsPtr))
		return err
	})
	return out, err
}

// CostAnalysis says what the program costs, such as flops and bytes accessed.
func (x *TPUProgram) CostAnalysis() ([]NamedValue, error) {
	target, err := x.TargetArguments()
	if err != nil {
		return nil, err
	}
	hlo, err := x.HLO()
	if err != nil {
		return nil, err
	}
	return x.plugin.TPUCost(target, hlo)
}

// TPUCost says what programs cost on a target: target arguments as of [TPUProgram.TargetArguments], modules as of
// [TPUProgram.HLO].
func (p *Plugin) TPUCost(target []byte, modules ...[]byte) (out []NamedValue, err error) {
	const op = "TPU cost analysis"
	if p == nil || p.table == nil || len(modules) == 0 {
		return nil, invalid(op, "no plugin, or no module")
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuExecutableRunHloCostAnalysisArgs) (err error) {
		if a.TargetArguments, a.TargetArgumentsSize, err = lendSized(f, &pin, target); err != nil {
			return err
		}
		a.NumHloModules = uint64(len(modules))
		a.HloModule, a.HloModuleSize, err = lendList(f, &pin, modules)
		return err
	}, func(a *pjrtc.TpuExecutableRunHloCostAnalysisArgs) (err error) {
		defer release(a.AnalysisResultsDeleter, mem.Addr(a.AnalysisResultsPtr))
		out, err = fromNative(op, a.AnalysisResults, a.NumAnalysisResults)
		return err
	})
	return out, err
}

// TPUEnvironments adds the TPU's part to serialised xla.CompilationEnvironmentsProto, and gives them back.
func (p *Plugin) TPUEnvironments(environments []byte) (out []byte, err error) {
	const op = "TPU compilation environments"
	if p == nil || p.table == nil {
		return nil, invalid(op, "no plugin")
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuExecutableSetTpuCompilationEnvArgs) (err error) {
		a.SerializedCompilationEnvironments, a.SerializedCompilationEnvironmentsSize, err = lendSized(f, &pin, environments)
		return err
	}, func(a *pjrtc.TpuExecutableSetTpuCompilationEnvArgs) (err error) {
		out, err = takeBytes(op, a.ResultCompilationEnvironments, a.ResultCompilationEnvironmentsSize, a.ResultCompilationEnvironmentsDeleter, mem.Addr(a.ResultCompilationEnvironmentsPtr))
		return err
	})
	return out, err
}

// TPUEnvironment gives one field of the TPU's part of environments, as text.
func (p *Plugin) TPUEnvironment(environments []byte, field string) (value string, err error) {
	const op = "TPU compilation environment"
	if p == nil || p.table == nil {
		return "", invalid(op, "no plugin")
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuExecutableGetTpuCompilationEnvFieldAsStringArgs) (err error) {
		if a.SerializedCompilationEnvironments, a.SerializedCompilationEnvironmentsSize, err = lendSized(f, &pin, environments); err != nil {
			return err
		}
		a.FieldName, err = bytesOf(f, field)
		a.FieldNameSize = uint64(len(field))
		return err
	}, func(a *pjrtc.TpuExecutableGetTpuCompilationEnvFieldAsStringArgs) error {
		value = text(a.FieldValue, a.FieldValueSize)
		release(a.FieldValueDeleter, mem.Addr(a.FieldValuePtr))
		return nil
	})
	return value, err
}

// TPUPredetermined reports whether an error, as a serialised status, will come again whenever the program runs.
func (p *Plugin) TPUPredetermined(status []byte) (is bool, err error) {
	const op = "TPU predetermined error"
	if p == nil || p.table == nil {
		return false, invalid(op, "no plugin")
	}
	var pin mem.Pin
	defer pin.Unpin()
	err = askExt(p, op, func(f *call.Frame, a *pjrtc.TpuExecutableIsTpuPredeterminedErrorArgs) (err error) {
		a.SerializedStatus, a.SerializedStatusSize, err = lendSized(f, &pin, status)
		return err
	}, func(a *pjrtc.TpuExecutableIsTpuPredeterminedErrorArgs) error { is = a.IsPredetermined; return nil })
	return is, err
}
