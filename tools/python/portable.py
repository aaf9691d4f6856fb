"""Shared by the export scripts: portable artifacts as a plugin gets them, and arrays in files that Go can read."""

import jax
import ml_dtypes
import numpy as np
from jaxlib import _jax
from jaxlib.mlir.dialects import stablehlo

# Locations inside the artifacts name files without the folders of the machine that made them.
jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*/")

# StableHLO's name of each numpy type.
NAMES = {
    "bool": "i1", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "ui8", "uint16": "ui16", "uint32": "ui32", "uint64": "ui64",
    "float16": "f16", "float32": "f32", "float64": "f64",
    "complex64": "complex<f32>", "complex128": "complex<f64>",
    "bfloat16": "bf16", "int2": "i2", "uint2": "ui2", "int4": "i4", "uint4": "ui4",
    "float4_e2m1fn": "f4E2M1FN", "float6_e2m3fn": "f6E2M3FN", "float6_e3m2fn": "f6E3M2FN",
    "float8_e3m4": "f8E3M4", "float8_e4m3": "f8E4M3", "float8_e4m3fn": "f8E4M3FN", "float8_e4m3fnuz": "f8E4M3FNUZ",
    "float8_e4m3b11fnuz": "f8E4M3B11FNUZ", "float8_e5m2": "f8E5M2", "float8_e5m2fnuz": "f8E5M2FNUZ",
    "float8_e8m0fnu": "f8E8M0FNU",
}  # fmt: skip


def element_type(dtype):
    return NAMES[np.dtype(dtype).name]


def target_version():
    """The artifact version that JAX sends to a plugin at least as new as itself."""
    return stablehlo.get_current_version()


def artifact(lowered):
    """The bytes that JAX hands to a plugin for this program: CHLO legalised, versioned dialect, MLIR bytecode."""
    return _jax.mlir.serialize_portable_artifact(lowered.compiler_ir("stablehlo"), target_version())


def plain(a):
    """numpy has no descriptor for ml_dtypes' types: such an array becomes records of one raw field named after its type.

    Read it back with a.view(ml_dtypes.TYPE), TYPE being the field's name.
    """
    a = np.asarray(a)
    name = a.dtype.name
    if not hasattr(ml_dtypes, name):
        return a
    return a.view(np.dtype([(name, f"<u{a.dtype.itemsize}" if a.dtype.itemsize > 1 else "|u1")]))


def save_npz(path, arrays):
    np.savez_compressed(path, **{k: plain(a) for k, a in arrays.items()})
