"""Runs JAX on the embedded device: JAX loads libisthmus_pjrt.so as its plugin.

corpus: the functions of corpus.py, traced, compiled and executed by JAX on the device, against the committed results of
XLA. train: steps of the networks of the examples, against XLA's CPU backend in the same process. speed: a warm dispatch,
beside XLA's CPU backend.

Usage: python jaxcheck.py LIBRARY CORPUS [corpus] [train] [linalg] [speed] [NAME ...]     (versions pinned in export.txt)
"""

import json
import os
import sys

library, corpus_dir = os.path.abspath(sys.argv[1]), sys.argv[2]
os.environ["PJRT_NAMES_AND_LIBRARY_PATHS"] = f"isthmus:{library}"
os.environ["JAX_PLATFORMS"] = "isthmus,cpu"

import jax
import numpy as np

import corpus


def load(npz, k):
    a = npz[k]
    if a.dtype.names:
        import ml_dtypes

        a = a.view(getattr(ml_dtypes, a.dtype.names[0]))
    return a


def agree(got, want, tolerance):
    """Says how got is further from want than the tolerance allows, or nothing."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{got.shape}, want {want.dtype}{want.shape}"
    name = corpus.element_type(want.dtype)
    if name not in tolerance:
        same = got.tobytes() == want.tobytes()
        if not same and want.dtype.kind in "fcV":
            same = np.array_equal(got.astype("c16"), want.astype("c16"), equal_nan=True)
        return "" if same else "not equal bit for bit"
    relative, absolute = tolerance[name]
    kind = "c16" if want.dtype.kind == "c" else "f8"
    g, w = got.astype(kind), want.astype(kind)
    finite = np.isfinite(w)
    largest = max(1.0, np.abs(w[finite]).max(initial=0))
    with np.errstate(invalid="ignore"):
        ok = (np.abs(g - w) <= relative * np.abs(w) + absolute * largest) | (np.isnan(g) & np.isnan(w)) | (g == w)
    return "" if ok.all() else f"{np.count_nonzero(~ok)} of {w.size} values differ, most by {np.abs(g - w)[~ok].max()}"


def run_corpus(names):
    manifest = json.load(open(f"{corpus_dir}/corpus.json"))
    failed = 0
    cases = [c for c in manifest["cases"] if not names or c["name"] in names]
    for case in cases:
        fn, inputs, tolerance = corpus.CASES[case["name"]]
        problems = []
        try:
            outs = jax.tree.leaves(jax.jit(fn, keep_unused=True)(*inputs(corpus.Draw(case["name"]))))
            npz = np.load(f"{corpus_dir}/{case['name']}.npz")
            for i, out in enumerate(outs):
                where = {d.client.platform_version for d in out.devices()}
                if any("isthmus" not in w for w in where):
                    problems.append(f"output {i} is on {where}")
                if p := agree(np.asarray(out), load(npz, f"out{i}"), corpus.TOLERANCES[tolerance]):
                    problems.append(f"output {i}: {p}")
        except Exception as e:
            problems.append(f"{type(e).__name__}: {str(e).strip().splitlines()[0]}")
        if problems:
            failed += 1
            print(f"{case['name']}: {'; '.join(problems)}")
    print(f"corpus: {len(cases) - failed} of {len(cases)} functions agree with XLA")
    return failed


def main():
    print(jax.devices()[0].client.platform_version)
    if run_corpus(sys.argv[3:]):
        sys.exit(1)


if __name__ == "__main__":
    main()
