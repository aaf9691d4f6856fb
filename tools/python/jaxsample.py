"""Functions of jax.numpy and jax.lax on the embedded device, each for several element types and shapes, against numpy.

A fixed sample: the functions, types, shapes and values are the same in every run. JAX's own tests are not in its
packages, so this is in their place.

Usage: python jaxsample.py LIBRARY [FUNCTION ...]     (versions pinned in export.txt)
"""

import sys
import zlib

import isthmus_jax

isthmus_jax.use(sys.argv[1])

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

jax.config.update("jax_enable_x64", True)

F = ("f2", "f4", "f8")
I = ("i1", "i4", "i8", "u1", "u4")
C = ("c8", "c16")
B = ("?",)
SHAPES = ((), (7,), (3, 4), (2, 1, 5), (0, 3))


class Case:
    def __init__(self, name, got, want, dtypes, arity=1, low=-3, high=3, shapes=SHAPES):
        self.name, self.got, self.want, self.dtypes, self.arity = name, got, want, dtypes, arity
        self.low, self.high, self.shapes = low, high, shapes

    def inputs(self, dtype, shape):
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {dtype} {shape}".encode()))
        out = []
        for _ in range(self.arity):
            kind = np.dtype(dtype).kind
            if kind == "b":
                v = rng.integers(0, 2, shape).astype(bool)
            elif kind in "iu":
                v = rng.integers(max(self.low, 0 if kind == "u" else self.low), self.high + 9, shape).astype(dtype)
            else:
                v = rng.uniform(self.low, self.high, shape)
                if kind == "c":
                    v = v + 1j * rng.uniform(self.low, self.high, shape)
                v = np.asarray(v).astype(dtype)
            out.append(v)
        return out


def both(name, dtypes, **o):
    return Case(name, getattr(jnp, name), getattr(np, name), dtypes, **o)


def lam(name, f, dtypes, **o):
    """One function of a module that is numpy or jax.numpy."""
    return Case(name, lambda *a: f(jnp, *a), lambda *a: f(np, *a), dtypes, **o)


ANY, MATRIX, VECTORS = F + I + C + B, ((4, 4), (2, 3, 3)), ((7,), (3, 4), (2, 4, 5))
CASES = []
for n in "abs negative sign square conjugate".split():
    CASES.append(both(n, F + I + C if n != "sign" else F + I))
for n in "sin cos tan sinh cosh tanh exp expm1 arctan arcsinh".split():
    CASES.append(both(n, F + C))
for n in "exp2 cbrt floor ceil trunc rint degrees radians sinc isfinite isnan isinf signbit fabs".split():
    CASES.append(both(n, F))
for n in "sqrt log log2 log10 log1p".split():
    CASES.append(both(n, F + (C if n in ("sqrt", "log") else ()), low=0.1))
CASES += [both("arcsin", F, low=-1, high=1), both("arccos", F, low=-1, high=1), both("arctanh", F, low=-0.9, high=0.9), both("arccosh", F, low=1.1)]
for n in "add subtract multiply".split():
    CASES.append(both(n, F + I + C, arity=2))
for n in "maximum minimum equal not_equal less less_equal greater greater_equal".split():
    CASES.append(both(n, F + I + B, arity=2))
for n in "logical_and logical_or logical_xor".split():
    CASES.append(both(n, ANY, arity=2))
for n in "bitwise_and bitwise_or bitwise_xor".split():
    CASES.append(both(n, I + B, arity=2))
for n in "arctan2 hypot copysign nextafter fmax fmin logaddexp logaddexp2 heaviside".split():
    CASES.append(both(n, F, arity=2))
CASES += [
    both("divide", F + C, arity=2, low=0.5), both("power", F, arity=2, low=0.2), both("floor_divide", F + I, arity=2, low=1),
    both("remainder", F + I, arity=2, low=1), both("fmod", F + I, arity=2, low=1), both("logical_not", ANY), both("invert", I + B),
    lam("left_shift", lambda m, a: m.left_shift(a, 2), I), lam("right_shift", lambda m, a: m.right_shift(a, 1), I),
    both("real", F + C), both("imag", F + C), both("angle", F + C), both("gcd", ("i4", "i8"), arity=2, low=1), both("lcm", ("i4", "i8"), arity=2, low=1),
]  # fmt: skip
for n in "sum prod mean var std max min any all argmax argmin ptp".split():
    d = {"mean": F + C, "var": F, "std": F, "any": ANY, "all": ANY, "sum": F + I[1:3] + C, "prod": F + ("i8",)}.get(n, F + I)
    CASES += [lam(f"{n}", lambda m, a, n=n: getattr(m, n)(a), d, shapes=VECTORS), lam(f"{n}(axis)", lambda m, a, n=n: getattr(m, n)(a, axis=-1), d, shapes=VECTORS)]
for n in "nansum nanmean nanmax nanmin nanprod nanstd nanvar count_nonzero".split():
    CASES.append(lam(n, lambda m, a, n=n: getattr(m, n)(m.where(a > 1, m.nan, a) if n[:3] == "nan" else a, axis=-1), ("f4", "f8"), shapes=VECTORS, high=2))
for n in "cumsum cumprod".split():
    CASES.append(lam(n, lambda m, a, n=n: getattr(m, n)(a, axis=-1), F + C + ("i8",), shapes=VECTORS, high=2))
for n in "sort argsort".split():
    CASES.append(lam(n, (lambda m, a: m.sort(a, axis=-1)) if n == "sort" else (lambda m, a: m.argsort(a, axis=-1, kind="stable") if m is np else m.argsort(a, axis=-1)), F + I, shapes=VECTORS))
for n in "median".split():
    CASES.append(lam(n, lambda m, a: m.median(a, axis=-1), ("f4", "f8"), shapes=VECTORS))
CASES += [
    lam("quantile", lambda m, a: m.quantile(a, 0.3, axis=-1), ("f4", "f8"), shapes=VECTORS),
    lam("percentile", lambda m, a: m.percentile(a, 60.0), ("f4", "f8"), shapes=VECTORS),
    lam("transpose", lambda m, a: m.transpose(a), ANY), lam("ravel", lambda m, a: m.ravel(a), ANY), lam("flip", lambda m, a: m.flip(a), ANY),
    lam("roll", lambda m, a: m.roll(a, 2), ANY), lam("expand_dims", lambda m, a: m.expand_dims(a, 0), ANY), lam("tile", lambda m, a: m.tile(a, 2), ANY, shapes=VECTORS),
    lam("repeat", lambda m, a: m.repeat(a, 3, axis=0), ANY, shapes=VECTORS), lam("pad", lambda m, a: m.pad(a, 2), ANY, shapes=VECTORS),
    lam("pad(edge)", lambda m, a: m.pad(a, 1, mode="edge"), F + I, shapes=VECTORS), lam("pad(reflect)", lambda m, a: m.pad(a, 1, mode="reflect"), F, shapes=VECTORS),
    lam("concatenate", lambda m, a, b: m.concatenate([a, b]), ANY, arity=2, shapes=VECTORS), lam("stack", lambda m, a, b: m.stack([a, b], -1), ANY, arity=2),
    lam("split", lambda m, a: m.split(a, 2, axis=1), ANY, shapes=((3, 4), (2, 4, 5))), lam("where", lambda m, a, b: m.where(a > b, a, b), F + I, arity=2),
    lam("clip", lambda m, a: m.clip(a, 0, 2), F + I), lam("diff", lambda m, a: m.diff(a), F + I, shapes=VECTORS), lam("outer", lambda m, a, b: m.outer(a, b), F + C + I, arity=2, shapes=((7,), (3,))),
    lam("take", lambda m, a: m.take(a, m.array([2, 0, 1]), axis=0), ANY, shapes=((7,), (3, 4))), lam("index", lambda m, a: a[1:, ::2], ANY, shapes=((3, 4), (5, 6))),
    lam("index(array)", lambda m, a: a[m.array([0, 2, 2]), m.array([1, 1, 3])], ANY, shapes=((3, 4), (5, 6))), lam("negative stride", lambda m, a: a[::-2], ANY, shapes=VECTORS),
    lam("take_along_axis", lambda m, a: m.take_along_axis(a, m.argsort(a, axis=-1), axis=-1), ("f4", "i4"), shapes=VECTORS),
    lam("tril", lambda m, a: m.tril(a), ANY, shapes=MATRIX), lam("triu", lambda m, a: m.triu(a, 1), ANY, shapes=MATRIX), lam("diag", lambda m, a: m.diag(a), ANY, shapes=((4, 4), (5,))),
    lam("trace", lambda m, a: m.trace(a), F + C + ("i8",), shapes=((4, 4),)), lam("eye", lambda m, a: a * m.eye(4, dtype=a.dtype), F + I, shapes=((4, 4),)),
    lam("dot", lambda m, a, b: m.dot(a, b), F + C + ("i4", "i8"), arity=2, shapes=((5,), (4, 4))), lam("matmul", lambda m, a, b: m.matmul(a, b), F + C + ("i4",), arity=2, shapes=MATRIX),
    lam("vdot", lambda m, a, b: m.vdot(a, b), F + C, arity=2, shapes=((5,), (4, 4))), lam("inner", lambda m, a, b: m.inner(a, b), F + C, arity=2, shapes=((5,), (4, 4))),
    lam("tensordot", lambda m, a, b: m.tensordot(a, b, 1), F + C, arity=2, shapes=((4, 4),)), lam("kron", lambda m, a, b: m.kron(a, b), F + I, arity=2, shapes=((3,), (2, 2))),
    lam("einsum", lambda m, a, b: m.einsum("ij,kj->ik", a, b), F + C, arity=2, shapes=((3, 4),)), lam("cross", lambda m, a, b: m.cross(a, b), F, arity=2, shapes=((3,), (4, 3))),
    lam("convolve", lambda m, a, b: m.convolve(a, b), F, arity=2, shapes=((6,), (9,))), lam("correlate", lambda m, a, b: m.correlate(a, b), ("f4", "f8"), arity=2, shapes=((6,),)),
    lam("interp", lambda m, a: m.interp(a, m.array([0.0, 1.0, 2.0]), m.array([3.0, -1.0, 5.0])), ("f8",)), lam("searchsorted", lambda m, a: m.searchsorted(m.sort(a.ravel()), a), F + I, shapes=VECTORS),
    lam("digitize", lambda m, a: m.digitize(a, m.array([-1.0, 0.0, 1.0])), ("f4", "f8")), lam("bincount", lambda m, a: m.bincount(m.abs(a), minlength=30)[:30] if m is np else m.bincount(m.abs(a), length=30), ("i4",), low=0, shapes=((20,),)),
    lam("histogram", lambda m, a: m.histogram(a, bins=5, range=(-3, 3))[0].astype("i8"), ("f4", "f8"), shapes=((30,),)), lam("polyval", lambda m, a: m.polyval(m.array([2.0, -1.0, 3.0]).astype(a.dtype), a), F),
    lam("vander", lambda m, a: m.vander(a, 4), ("f4", "f8"), shapes=((5,),)), lam("meshgrid", lambda m, a, b: m.meshgrid(a, b), F + I, arity=2, shapes=((3,),)),
    lam("rot90", lambda m, a: m.rot90(a), ANY, shapes=MATRIX), lam("moveaxis", lambda m, a: m.moveaxis(a, 0, -1), ANY, shapes=((2, 3, 4),)), lam("swapaxes", lambda m, a: m.swapaxes(a, 0, 1), ANY, shapes=((2, 3, 4),)),
    lam("broadcast_to", lambda m, a: m.broadcast_to(a, (2,) + a.shape), ANY), lam("full_like", lambda m, a: m.full_like(a, 1), ANY), lam("arange", lambda m, a: a + m.arange(7).astype(a.dtype), F + I, shapes=((7,),)),
    lam("linspace", lambda m, a: a + m.linspace(0, 1, 7).astype(a.dtype), ("f4", "f8"), shapes=((7,),)), lam("fft", lambda m, a: m.fft.fft(a), ("c8", "c16", "f8"), shapes=((8,), (3, 6), (7,))),
    lam("ifft", lambda m, a: m.fft.ifft(a), ("c8", "c16"), shapes=((8,), (3, 6))), lam("rfft", lambda m, a: m.fft.rfft(a), ("f4", "f8"), shapes=((8,), (3, 6))), lam("irfft", lambda m, a: m.fft.irfft(a), ("c16",), shapes=((5,), (3, 6))),
    lam("fft2", lambda m, a: m.fft.fft2(a), ("c8", "c16"), shapes=((4, 6),)), lam("fftshift", lambda m, a: m.fft.fftshift(a), F), lam("unwrap", lambda m, a: m.unwrap(a), ("f4", "f8"), shapes=VECTORS),
    lam("nan_to_num", lambda m, a: m.nan_to_num(m.where(a > 1, m.inf, a).astype(a.dtype)), ("f4", "f8")), lam("isclose", lambda m, a, b: m.isclose(a, b), F, arity=2), lam("allclose", lambda m, a: m.allclose(a, a), F),
    lam("round", lambda m, a: m.round(a, 1), ("f4", "f8")), lam("frexp", lambda m, a: m.frexp(a), ("f4", "f8")), lam("ldexp", lambda m, a: m.ldexp(a, m.array(3)), ("f4", "f8")), lam("modf", lambda m, a: m.modf(a), ("f4", "f8")),
    lam("divmod", lambda m, a, b: m.divmod(a, b), I[1:3] + ("f4",), arity=2, low=1), lam("average", lambda m, a, b: m.average(a, weights=m.abs(b) + 1), ("f4", "f8"), arity=2, shapes=VECTORS),
    lam("cov", lambda m, a: m.cov(a), ("f4", "f8"), shapes=((3, 9),)), lam("corrcoef", lambda m, a: m.corrcoef(a), ("f4", "f8"), shapes=((3, 9),)), lam("gradient", lambda m, a: m.gradient(a), ("f4", "f8"), shapes=((7,),)),
    lam("astype(f4)", lambda m, a: a.astype("f4"), F + I + B), lam("astype(i4)", lambda m, a: a.astype("i4"), F + I + B), lam("astype(bool)", lambda m, a: a.astype(bool), F + I + C), lam("astype(c8)", lambda m, a: a.astype("c8"), F + I + C),
    lam("lexsort", lambda m, a, b: m.lexsort((a, b)), ("i4", "f4"), arity=2, shapes=((9,),)), lam("partition", lambda m, a: m.sort(m.partition(a, 3)[..., :3]), ("f4", "i4"), shapes=VECTORS[:1]),
    lam("unique", lambda m, a: m.unique(a) if m is np else m.unique(a), ("i4",), shapes=()), lam("nonzero", lambda m, a: m.nonzero(a > 0)[0][:3] if m is np else m.nonzero(a > 0, size=30)[0][:3], ("f4",), shapes=((30,),)),
]  # fmt: skip
S = jax.scipy.special
for n in "erf erfc gammaln digamma expit log_ndtr i0 i1 i0e i1e entr".split():
    CASES.append(Case(f"special.{n}", getattr(S, n), getattr(scipy.special, n), ("f4", "f8"), low=0.2))
for n in "logit erfinv".split():
    CASES.append(Case(f"special.{n}", getattr(S, n), getattr(scipy.special, n), ("f4", "f8"), low=0.05, high=0.95))
for n in "betainc".split():
    CASES.append(Case(f"special.{n}", lambda a, b: S.betainc(a, b, 0.4), lambda a, b: scipy.special.betainc(a, b, a.dtype.type(0.4)), ("f4", "f8"), arity=2, low=0.3))
for n in "gammainc gammaincc zeta xlogy".split():
    CASES.append(Case(f"special.{n}", getattr(S, n), getattr(scipy.special, n), ("f4", "f8"), arity=2, low=1.2))


def grad(name, f, want, **o):
    CASES.append(Case(f"grad {name}", jax.grad(lambda a: f(a).sum()), want, ("f4", "f8"), shapes=VECTORS, **o))


grad("sin", jnp.sin, np.cos)
grad("exp", jnp.exp, np.exp)
grad("square", jnp.square, lambda a: 2 * a)
grad("tanh", jnp.tanh, lambda a: 1 - np.tanh(a) ** 2)
grad("log", jnp.log, lambda a: 1 / a, low=0.3)
grad("cumsum", lambda a: jnp.cumsum(a, -1), lambda a: np.broadcast_to(np.arange(a.shape[-1], 0, -1), a.shape).astype(a.dtype))
grad("sort", lambda a: jnp.sort(a) * 2, lambda a: np.full_like(a, 2))
grad("max", lambda a: jnp.max(a, -1), lambda a: (a == a.max(-1, keepdims=True)).astype(a.dtype))
CASES += [
    Case("scan", lambda a: jax.lax.scan(lambda c, x: (c * 0.5 + x, c), a[0] * 0, a)[1], lambda a: _scan(a), ("f4", "f8"), shapes=VECTORS),
    Case("while", lambda a: jax.lax.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * 2), (0, a))[1], lambda a: a * 32, F + I[1:3]),
    Case("cond", lambda a: jax.lax.cond(a.sum() > 0, jnp.sin, jnp.cos, a), lambda a: np.sin(a) if a.sum() > 0 else np.cos(a), ("f4", "f8")),
    Case("vmap", jax.vmap(lambda a: jnp.dot(a, a)), lambda a: (a * a).sum(-1), ("f4", "f8"), shapes=((3, 4),)),
    Case("top_k", lambda a: jax.lax.top_k(a, 3)[0], lambda a: np.sort(a, -1)[..., ::-1][..., :3], F + I, shapes=VECTORS[:2]),
    Case("segment_sum", lambda a: jax.ops.segment_sum(a, jnp.array([0, 1, 0, 2, 1, 0, 2]), 3), lambda a: np.array([a[[0, 2, 5]].sum(), a[[1, 4]].sum(), a[[3, 6]].sum()], a.dtype), ("f4", "f8", "i4"), shapes=((7,),)),
    Case("scatter", lambda a: a.at[jnp.array([1, 3])].set(9), lambda a: np.concatenate([a[:1], [9], a[2:3], [9], a[4:]]).astype(a.dtype), F + I, shapes=((7,),)),
    Case("softmax", jax.nn.softmax, lambda a: np.exp(a - a.max(-1, keepdims=True)) / np.exp(a - a.max(-1, keepdims=True)).sum(-1, keepdims=True), ("f4", "f8"), shapes=VECTORS),
    Case("logsumexp", lambda a: jax.nn.logsumexp(a, -1), lambda a: np.log(np.exp(a).sum(-1)), ("f4", "f8"), shapes=VECTORS),
    Case("population_count", jax.lax.population_count, np.bitwise_count, ("u1", "u4")), Case("clz", jax.lax.clz, lambda a: np.array([32 - int(x).bit_length() for x in a.ravel()], a.dtype).reshape(a.shape), ("u4",)),
    Case("cummax", lambda a: jax.lax.cummax(a, axis=0), lambda a: np.maximum.accumulate(a, 0), F + I, shapes=VECTORS), Case("reduce_window", lambda a: jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (3,), (1,), "VALID"), lambda a: np.array([a[i : i + 3].max() for i in range(len(a) - 2)], a.dtype), ("f4", "f8"), shapes=((7,),)),
]  # fmt: skip


def _scan(a):
    out, c = [], a[0] * 0
    for x in a:
        out.append(c)
        c = c * a.dtype.type(0.5) + x
    return np.stack(out)


BOUNDS = {"f2": 8e-3, "f4": 3e-5, "f8": 1e-9, "c8": 3e-5, "c16": 1e-9}


def differs(got, want, dtype):
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape}, want {want.shape}"
    if want.dtype.kind in "biu" and got.dtype.kind in "biu":
        return "" if np.array_equal(got, want) else f"got {got.ravel()[:4]}, want {want.ravel()[:4]}"
    bound = max(BOUNDS.get(dtype, 0), BOUNDS.get(got.dtype.str[1:], 1e-9))
    with np.errstate(all="ignore"):
        scale = max(1, float(np.abs(want[np.isfinite(want)]).max(initial=0)))
        ok = np.isclose(got.astype("c16"), want.astype("c16"), rtol=bound, atol=bound * scale, equal_nan=True)
    return "" if ok.all() else f"got {got[~ok].ravel()[:3]}, want {want[~ok].ravel()[:3]}"


def main():
    names, passed, total, failed = sys.argv[2:], 0, 0, {}
    for case in CASES:
        if names and case.name not in names:
            continue
        for dtype in case.dtypes:
            for shape in case.shapes:
                args = case.inputs(dtype, shape)
                if 0 in shape and any(w in case.name for w in ("max", "min", "arg", "median", "quantile", "cond", "ptp")):
                    continue  # numpy refuses, or gives what depends on nothing
                try:
                    with np.errstate(all="ignore"):
                        want = case.want(*args)
                except Exception:
                    continue  # numpy itself has no answer for the shape
                total += 1
                try:
                    got = jax.tree.leaves(jax.jit(case.got)(*args))
                    want = [w for w in (want if isinstance(want, (tuple, list)) else [want])]
                    problem = f"{len(got)} results, want {len(want)}" if len(got) != len(want) else next(filter(None, (differs(g, w, dtype) for g, w in zip(got, want))), "")
                except Exception as e:
                    problem = f"{type(e).__name__}: {(str(e).strip().splitlines() or [''])[0][:200]}"
                if problem:
                    failed.setdefault(case.name, f"{dtype}{shape}: {problem}")
                else:
                    passed += 1
    for name, problem in failed.items():
        print(f"{name}: {problem}")
    print(f"sample: {passed} of {total} pass, of {len(CASES)} functions")
    sys.exit(passed < 0.99 * total)


if __name__ == "__main__":
    main()
