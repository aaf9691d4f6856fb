"""The mpi4py side: the buffer interface on numpy arrays, in blocks that alternate with C's own."""

import ctypes
import os
import time

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
rank = world.rank
peer = 1 - rank
side = ctypes.CDLL(os.environ["ISTHMUS_BENCH_MPI_PEER"])


def native(name):
    f = getattr(side, name)
    f.argtypes, f.restype = [ctypes.c_long, ctypes.c_long], ctypes.c_longlong
    return f


def pingpong(n, iters):
    a, b = np.zeros(n, "u1"), np.ones(n, "u1")
    world.Barrier()
    start = time.perf_counter_ns()
    for _ in range(iters):
        if rank == 0:
            world.Send([b, MPI.BYTE], 1, 7)
        world.Recv([a, MPI.BYTE], peer, 7)
        if rank == 1:
            world.Send([b, MPI.BYTE], 0, 7)
    return (time.perf_counter_ns() - start) / 2


def exchange(n, iters):
    a, b = np.zeros(n, "u1"), np.ones(n, "u1")
    world.Barrier()
    start = time.perf_counter_ns()
    for _ in range(iters):
        r = world.Irecv([a, MPI.BYTE], peer, 8)
        s = world.Isend([b, MPI.BYTE], peer, 8)
        MPI.Request.Waitall([r, s])
    return time.perf_counter_ns() - start


def allreduce(n, iters):
    a, b = np.zeros(n // 8), np.ones(n // 8)
    world.Barrier()
    start = time.perf_counter_ns()
    for _ in range(iters):
        world.Allreduce([b, MPI.DOUBLE], [a, MPI.DOUBLE], MPI.SUM)
    return time.perf_counter_ns() - start


for name, n, f, iters, blocks in [
    ("pp8", 8, pingpong, 250, 200),
    ("exchange8", 8, exchange, 250, 200),
    ("allreduce8", 8, allreduce, 250, 200),
    ("pp1M", 1 << 20, pingpong, 2, 60),
    ("allreduce1M", 1 << 20, allreduce, 2, 60),
]:
    c = native(f.__name__)
    base, ratios = [], []
    for i in range(blocks + 2):
        x = c(n, iters)
        y = f(n, iters)
        if i >= 2:
            base.append(x / iters)
            ratios.append(y / x)
    if rank == 0:
        print("result %s %.0f %.3f" % (name, sorted(base)[len(base) // 2], sorted(ratios)[len(ratios) // 2]), flush=True)
