"""Writes npy/testdata: small array files made by numpy, and fixtures.json with what they hold.

Usage: python npyfixtures.py ../../npy/testdata     (versions pinned in export.txt)
"""

import json
import os
import sys

import ml_dtypes
import numpy as np

from portable import NAMES, element_type, plain


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    seen = []

    def note(file, a, void=False):
        little = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"))
        if a.dtype.name in ("int2", "int4"):
            little = little.astype(np.int8)  # package dtype keeps the sign extended, ml_dtypes does not
        entry = {"file": file, "dtype": element_type(a.dtype), "shape": list(a.shape), "hex": little.tobytes().hex()}
        seen.append(entry | ({"void": True} if void else {}))

    def put(file, a, stored=None, version=None, **note_args):
        with open(f"{out}/{file}.npy", "wb") as f:
            np.lib.format.write_array(f, np.asarray(plain(a) if stored is None else stored), version=version)
        note(file, a, **note_args)

    for name in NAMES:
        t = np.dtype(getattr(ml_dtypes, name, name))
        values = [0, 1, 2, 3, 1, 0] if name != "float8_e8m0fnu" else [1, 2, 4, 8, 2, 1]
        if name in ("int2", "uint2", "bool"):
            values = [0, 1, 0, 1, 1, 0]
        a = np.array(values).astype(t)
        if t.kind in "ifc" or name in ("int4", "bfloat16"):
            a = (-a.astype(np.complex128 if t.kind == "c" else np.float64)).astype(t)
        put(f"type-{name}", a.reshape(2, 3))

    ramp = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    put("fortran", ramp, np.asfortranarray(ramp))
    put("big-endian", ramp, ramp.astype(">f4"))
    put("big-endian-fortran", ramp, np.asfortranarray(ramp.astype(">f4")))
    z = (np.arange(4) + 1j).astype(np.complex64)
    put("big-endian-complex", z, z.astype(">c8"))
    put("version2", ramp, version=(2, 0))
    put("version3", ramp, version=(3, 0))
    put("scalar", np.array(7, np.int32))
    put("vector", np.arange(5, dtype=np.int64))
    put("empty", np.zeros((0, 3), np.float32))
    put("rank10", np.arange(4, dtype=np.int16).reshape((1,) * 8 + (2, 2)))
    b = np.arange(4).astype(ml_dtypes.bfloat16)
    np.save(f"{out}/void-bfloat16.npy", b)
    note("void-bfloat16", b, void=True)

    arrays = {"a": ramp, "b": plain(b), "c": np.array(True)}
    np.savez(f"{out}/stored.npz", **arrays)
    np.savez_compressed(f"{out}/deflated.npz", **arrays)
    for file in ("stored.npz", "deflated.npz"):
        for name, a in {"a": ramp, "b": b, "c": np.array(True)}.items():
            note(f"{file}/{name}", a)
    with open(f"{out}/fixtures.json", "w") as f:
        json.dump(seen, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main()
