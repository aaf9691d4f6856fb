# What the ranks in Python share: the data, and the cases, which go in step with those in Go.
import faulthandler
import sys

import numpy as np
from mpi4py import MPI

faulthandler.dump_traceback_later(50, exit=False)
np.seterr(all="raise")
world = MPI.COMM_WORLD
cases = []


class Comm(MPI.Intracomm):
    peer = -1  # the rank of the other language that this one talks to
    py = None  # which ranks are Python's



def case(f):
    cases.append(f)
    return f


def value(n, seed):
    return (np.arange(n) * 7 + seed * 13 + 5) % 97


def data(n, seed, kind="f8"):
    v = value(n, seed)
    if kind == "?":
        return v % 2 == 1
    if kind[0] == "c":
        return (v + 1j * (v + 1)).astype(kind)
    if kind == "bf16":
        return (v.astype("f4").view("u4") >> 16).astype("u2")
    return v.astype(kind)


def same(what, got, want):
    if not np.array_equal(got, want):
        raise AssertionError(f"{what}: got {got}, want {want}")


def main():
    flags = np.zeros(world.size, "?")
    world.Allgather(np.array([True]), flags)
    sync = world.Dup()
    c = Comm(world.Dup())
    c.peer, c.py = (world.rank + world.size // 2) % world.size, flags
    for f in cases:
        name = f.__name__.replace("_", " ").strip().encode().ljust(32, b"\0")
        names = bytearray(32 * world.size)
        sync.Allgather([name, 32, MPI.BYTE], [names, 32, MPI.BYTE])
        for r in range(world.size):
            if bytes(names[32 * r : 32 * r + 32]) != name:
                raise AssertionError(f"rank {r} is at {bytes(names[32 * r : 32 * r + 32])}, this one at {name}")
        try:
            f(c)
        except BaseException as e:
            print(f"python rank {world.rank}, case {f.__name__}: {e!r}", file=sys.stderr, flush=True)
            raise
    c.Free()
    sync.Free()
    print(f"python has done {len(cases)} cases", flush=True)
    faulthandler.cancel_dump_traceback_later()
