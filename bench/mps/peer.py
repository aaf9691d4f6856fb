"""Times numpy's matrix product (OpenBLAS) on request: the order in, the nanoseconds of one product out."""
import sys
import time

import numpy as np

data = {}
for line in sys.stdin:
    n = int(line)
    if n not in data:
        rng = np.random.default_rng(1)
        data[n] = [rng.random((n, n), dtype=np.float32) for _ in range(3)]
    a, b, c = data[n]
    start = time.perf_counter_ns()
    np.matmul(a, b, out=c)
    print(time.perf_counter_ns() - start, flush=True)
