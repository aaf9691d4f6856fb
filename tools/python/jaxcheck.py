"""Runs JAX on the embedded device: JAX loads libisthmus_pjrt.so as its plugin.

corpus   the functions of corpus.py, traced, compiled and executed by JAX on the device, against XLA's committed results
train    steps of the networks of the examples, against XLA's CPU backend in the same process
linalg   jax.numpy.linalg, by what its results must satisfy
devices  pmap's kind of program: replicas of one program on four virtual devices, and copies between devices
ffi      a function of C++ through jax.ffi (needs g++)
lapack   jax.numpy.linalg by the functions of LAPACK that come with JAX, which run as custom calls of C
speed    a warm dispatch, beside XLA's CPU backend

Usage: python jaxcheck.py LIBRARY [PART ...]     (versions pinned in export.txt; without parts: the first four.
ffi and lapack register functions of C with the device, and should not run with the others)
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import isthmus_jax

isthmus_jax.use(sys.argv[1], devices=4, functions=bool({"ffi", "lapack"} & set(sys.argv[2:])))

import jax
import jax.numpy as jnp
import numpy as np

import corpus

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
CPU = jax.devices("cpu")[0]


def load(npz, k):
    a = npz[k]
    if a.dtype.names:
        import ml_dtypes

        a = a.view(getattr(ml_dtypes, a.dtype.names[0]))
    return a


def differs(got, want, tolerance):
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
    largest = max(1.0, np.abs(w[np.isfinite(w)]).max(initial=0))
    with np.errstate(invalid="ignore"):
        ok = (np.abs(g - w) <= relative * np.abs(w) + absolute * largest) | (np.isnan(g) & np.isnan(w)) | (g == w)
        return "" if ok.all() else f"{np.count_nonzero(~ok)} of {w.size} values differ, most by {np.abs(g - w)[~ok].max()}"


def here(out):
    return all("isthmus" in d.client.platform_version for d in out.devices())


def part_corpus():
    cases = json.load(open(f"{ROOT}/testdata/corpus/corpus.json"))["cases"]
    failed = 0
    for case in cases:
        fn, inputs, tolerance = corpus.CASES[case["name"]]
        problems = []
        try:
            outs = jax.tree.leaves(jax.jit(fn, keep_unused=True)(*inputs(corpus.Draw(case["name"]))))
            npz = np.load(f"{ROOT}/testdata/corpus/{case['name']}.npz")
            for i, out in enumerate(outs):
                if not here(out):
                    problems.append(f"output {i} is on {out.devices()}")
                if p := differs(np.asarray(out), load(npz, f"out{i}"), corpus.TOLERANCES[tolerance]):
                    problems.append(f"output {i}: {p}")
        except Exception as e:
            problems.append(f"{type(e).__name__}: {str(e).strip().splitlines()[0]}")
        if problems:
            failed += 1
            print(f"corpus: {case['name']}: {'; '.join(problems)}")
    print(f"corpus: {len(cases) - failed} of {len(cases)} functions agree with XLA")
    return failed


def example(name):
    import importlib.util

    spec = importlib.util.spec_from_file_location(f"example_{name}", f"{ROOT}/examples/{name}/train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part_train():
    failed = 0
    rng = np.random.default_rng(0)
    digits, words = example("digits"), example("transformer")
    images, labels = np.load(f"{ROOT}/examples/digits/images.npy")[:64], np.load(f"{ROOT}/examples/digits/labels.npy")[:64]
    windows = rng.integers(0, 40, (words.BATCH, 48))
    models = {
        "digits": (digits.init(rng), digits.loss, (images.astype(np.float32), labels.astype(np.int32)), digits.step),
        "transformer": (words.init(rng, 40), words.loss, (windows.astype(np.int32),), words.step),
    }
    for name, (p, loss, batch, adam) in models.items():
        p = jax.tree.map(np.asarray, p)

        @jax.jit
        def sgd(p, *batch):
            value, g = jax.value_and_grad(loss)(p, *batch)
            return value, jax.tree.map(lambda a, b: a - 0.1 * b, p, g)

        def run():
            q, losses = p, []
            for _ in range(5):
                value, q = sgd(q, *batch)
                losses.append(float(value))
            zero = jax.tree.map(jnp.zeros_like, q)
            return losses, q, adam(q, zero, zero, 1.0, *batch)[0]

        got = run()
        with jax.default_device(CPU):
            want = run()
        if not all(here(x) for x in jax.tree.leaves(got[1:])):
            print(f"train: {name} did not run on the device")
            failed += 1
        worst = max(
            float(np.abs(np.asarray(a) - np.asarray(b)).max() / max(1, np.abs(np.asarray(b)).max()))
            for a, b in zip(jax.tree.leaves(got[1]), jax.tree.leaves(want[1]))
        )
        ok = np.allclose(got[0], want[0], rtol=1e-4) and worst < 1e-3 and got[0][-1] < got[0][0]
        failed += not ok
        print(f"train: {name}: loss {got[0][0]:.4f} to {got[0][-1]:.4f} in 5 steps, XLA {want[0][-1]:.4f}; weights differ by {worst:.1e}{'' if ok else ': TOO MUCH'}")
    return failed


def part_lapack():
    return part_linalg(76)


def part_linalg(least=60):
    """Eigenvalues of general matrices and what is made of them, geev, gees, gehrd and gtsv, the device does not have."""
    rng = np.random.default_rng(1)
    jax.config.update("jax_enable_x64", True)
    ok, total = 0, 0
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        single = dtype in (np.float32, np.complex64)
        a = rng.standard_normal((3, 6, 6)) + (1j * rng.standard_normal((3, 6, 6)) if np.dtype(dtype).kind == "c" else 0)
        a, tall = a.astype(dtype), np.concatenate([a, a + 1], 1).astype(dtype)
        h = a @ a.conj().swapaxes(1, 2) + np.eye(6, dtype=dtype)
        eye = np.eye(6)
        t = lambda x: x.conj().swapaxes(-1, -2)
        la = jnp.linalg
        checks = {
            "cholesky (potrf)": lambda: (lambda l: l @ t(l) - h)(la.cholesky(h)),
            "solve (getrf, trsm)": lambda: a @ la.solve(a, tall[:, :6]) - tall[:, :6],
            "inv": lambda: a @ la.inv(a) - eye,
            "det": lambda: la.det(a) - np.linalg.det(a),
            "slogdet": lambda: la.slogdet(a)[1] - np.linalg.slogdet(a)[1],
            "qr (geqrf, orgqr)": lambda: (lambda q, r: jnp.concatenate([q @ r - tall, t(q) @ q - eye], 1))(*la.qr(tall)),
            "eigh (syevd)": lambda: (lambda w, v: h @ v - v * w[:, None])(*la.eigh(h)),
            "svd (gesdd)": lambda: (lambda u, s, v: (u * s[:, None]) @ v - tall)(*la.svd(tall, full_matrices=False)),
            "eig (geev)": lambda: (lambda w, v: a @ v - v * w[:, None])(*la.eig(a)),
            "schur (gees)": lambda: (lambda s, z: z @ s @ t(z) - a[0])(*jax.scipy.linalg.schur(a[0])),
            "hessenberg (gehrd)": lambda: (lambda m, q: q @ m @ t(q) - a[0])(*jax.scipy.linalg.hessenberg(a[0], calc_q=True)),
            "tridiagonal (sytrd)": lambda: jax.scipy.linalg.eigh_tridiagonal(np.arange(4.0), np.ones(3), eigvals_only=True) - np.linalg.eigvalsh(np.diag(np.arange(4.0)) + np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)),
            "tridiagonal_solve (gtsv)": lambda: jax.lax.linalg.tridiagonal_solve(np.array([0, 1, 1], dtype), np.array([4, 5, 6], dtype), np.array([1, 1, 0], dtype), np.ones((3, 1), dtype)) - np.linalg.solve(np.array([[4, 1, 0], [1, 5, 1], [0, 1, 6]], dtype), np.ones((3, 1), dtype)),
            "pinv": lambda: tall @ la.pinv(tall) @ tall - tall,
            "lstsq": lambda: la.lstsq(tall[0], tall[0, :, 0])[0] - np.linalg.lstsq(tall[0], tall[0, :, 0], rcond=None)[0],
            "matrix_rank": lambda: la.matrix_rank(a) - 6,
            "expm": lambda: jax.scipy.linalg.expm(a[0] / 9) @ jax.scipy.linalg.expm(-a[0] / 9) - eye,
            "triangular": lambda: np.tril(h) @ jax.scipy.linalg.solve_triangular(np.tril(h), a, lower=True) - a,
            "lu": lambda: (lambda p, l, u: p @ l @ u - a[0])(*jax.scipy.linalg.lu(a[0])),
        }
        for name, check in checks.items():
            total += 1
            try:
                worst = float(np.abs(np.asarray(jax.jit(check)())).max())
                if not worst < (2e-3 if single else 1e-9):
                    raise ValueError(f"off by {worst}")
                ok += 1
            except Exception as e:
                print(f"linalg: {name} of {np.dtype(dtype)}: {str(e).strip().splitlines()[0][:160]}")
    jax.config.update("jax_enable_x64", False)
    print(f"linalg: {ok} of {total}")
    return int(ok < least)


def part_devices():
    devices = jax.devices()
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    failed = 0
    for d in devices:
        y = jax.jit(lambda x: x * 2)(jax.device_put(x, d))
        failed += y.devices() != {d} or not np.array_equal(y, x * 2)
    moved = jax.device_put(jax.device_put(x, devices[0]), devices[-1])
    failed += moved.devices() != {devices[-1]} or not np.array_equal(moved, x)
    print(f"devices: {len(devices)}, {'as they should be' if not failed else 'WRONG'}")
    return failed + (len(devices) != 4)


def part_ffi():
    if not shutil.which("g++"):
        print("ffi: left out, there is no g++")
        return 0
    with tempfile.TemporaryDirectory() as tmp:
        out = f"{tmp}/jaxffi.so"
        include = jax.ffi.include_dir()
        subprocess.run(["g++", "-std=c++17", "-O1", "-w", "-shared", "-fPIC", f"-I{include}", f"{HERE}/jaxffi.cc", "-o", out], check=True)
        lib = ctypes.CDLL(out)
    jax.ffi.register_ffi_target("isthmus_scale", jax.ffi.pycapsule(lib.IsthmusScale), platform="cpu")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)

    def scale(x, factor):
        call = jax.ffi.ffi_call("isthmus_scale", jax.ShapeDtypeStruct(x.shape, x.dtype), vmap_method="sequential")
        return call(x, factor=np.float32(factor), what="a test")

    y = jax.jit(lambda x: scale(x + 1, 3) + 1)(x)
    failed = int(not here(y)) + int(not np.array_equal(y, (x + 1) * 3 + 1))
    failed += int(not np.array_equal(jax.vmap(lambda r: scale(r, 2))(x), 2 * x))
    try:
        jax.block_until_ready(jax.jit(lambda x: scale(x, 0))(x))
        failed += 1
    except Exception as e:
        failed += int("scaled to nothing: a test" not in str(e))
    print(f"ffi: a function of C++ {'runs' if not failed else 'FAILS'} on the device")
    return failed


def part_speed():
    f = jax.jit(lambda x: x + 1)
    x = {"isthmus": jax.device_put(np.ones(4, np.float32), jax.devices()[0]), "XLA": jax.device_put(np.ones(4, np.float32), CPU)}
    best = dict.fromkeys(x, 1e9)
    for _ in range(20):
        for name, v in x.items():
            f(v).block_until_ready()
            t = time.perf_counter()
            for _ in range(500):
                f(v).block_until_ready()
            best[name] = min(best[name], (time.perf_counter() - t) / 500)
    print("speed: a warm dispatch:", ", ".join(f"{k} {v * 1e6:.1f} us" for k, v in best.items()), f"(x {best['isthmus'] / best['XLA']:.2f})")
    return 0


def main():
    parts = sys.argv[2:] or ["corpus", "train", "linalg", "devices"]
    print(jax.devices()[0].client.platform_version.splitlines()[-1])
    failed = [p for p in parts if globals()[f"part_{p}"]()]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
