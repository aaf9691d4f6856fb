"""Times numpy on request: one JSON object a line in, one number a line out."""
import json
import sys
import time

import numpy as np


def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def chain(a, b):
    s = a + b
    return np.maximum(np.tanh(s * a) - b, s)


cases = {
    "matmul_512": np.matmul,
    "exp_1m": np.exp,
    "reduce_4m": np.sum,
    "chain_1m": chain,
    "softmax_1024": softmax,
    "gather_64k": lambda a, i: a[i[:, 0]],
    "sort_1m": np.sort,
}
run, args = None, []
for line in sys.stdin:
    ask = json.loads(line)
    if "load" in ask:
        run, args = cases.get(ask["load"]), [np.load(f) for f in ask["files"]] if ask["load"] in cases else []
        print(1 if run else 0, flush=True)
        continue
    start = time.perf_counter_ns()
    for _ in range(ask["times"]):
        run(*args)
    print(time.perf_counter_ns() - start, flush=True)
