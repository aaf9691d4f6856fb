"""Writes the corpus: 72 JAX functions as programs, inputs and the results of XLA's CPU backend.

For each function NAME, OUT gets NAME.mlir (the text that JAX prints), NAME.mlir.bc (the portable artifact that JAX
hands to a plugin) and NAME.npz (in0, in1, ... in the order of @main's arguments; out0, out1, ... in the order of its
results). corpus.json describes them and holds the tolerances; README.md in OUT explains both.

Usage: JAX_PLATFORMS=cpu python corpus.py OUT [NAME ...]     (versions pinned in export.txt)
"""

import json
import os
import re
import sys
import zlib

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from jax import lax

from portable import artifact, element_type, save_npz, target_version

f32 = np.float32


# --- functions -----------------------------------------------------------------------------------------------------


def mlp(p, x):
    for w, b in p[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = p[-1]
    return x @ w + b


def mlp_loss(p, x, y):
    return jnp.mean((mlp(p, x) - y) ** 2)


def cross_entropy(p, x, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(mlp(p, x)), y[:, None], 1))


def sgd(p, x, y):
    loss, g = jax.value_and_grad(cross_entropy)(p, x, y)
    return loss, jax.tree.map(lambda a, b: a - 0.1 * b, p, g)


def adam(p, m, v, t, x, y):
    g = jax.grad(mlp_loss)(p, x, y)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    p = jax.tree.map(
        lambda p, m, v: p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v
    )
    return p, m, v


def conv(k, x, strides=(1, 1), groups=1):
    return lax.conv_general_dilated(
        x, k, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups
    )


def pool(x, init, op):
    return lax.reduce_window(x, init, op, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def convnet(p, x):
    x = pool(jax.nn.relu(conv(p[0], x)), -jnp.inf, lax.max)
    x = pool(jax.nn.relu(conv(p[1], x)), 0.0, lax.add) / 4
    return x.reshape(x.shape[0], -1) @ p[2]


def convnet_loss(p, x, y):
    return jnp.mean((convnet(p, x) - y) ** 2)


def batchnorm(x, g, b):
    m, v = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - m) * lax.rsqrt(v + 1e-5) * g + b


def layernorm(x, g, b):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) * lax.rsqrt(v + 1e-5) * g + b


def block(p, x):
    h = layernorm(x, p["g1"], p["b1"])
    length, d = x.shape
    heads = 4
    q, k, v = (
        t.reshape(length, heads, d // heads).transpose(1, 0, 2) for t in jnp.split(h @ p["wqkv"], 3, -1)
    )
    s = q @ k.transpose(0, 2, 1) / np.sqrt(d // heads)
    s = jnp.where(jnp.tril(jnp.ones((length, length), bool)), s, -1e9)
    a = (jax.nn.softmax(s, -1) @ v).transpose(1, 0, 2).reshape(length, d)
    x = x + a @ p["wo"]
    h = layernorm(x, p["g2"], p["b2"])
    return x + jax.nn.gelu(h @ p["w1"]) @ p["w2"]


def block_bf16(p, x):
    return block(jax.tree.map(lambda a: a.astype(jnp.bfloat16), p), x.astype(jnp.bfloat16))


def rmsnorm_rope(x, w, pos):
    x = x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * w
    a = pos[:, None] * (1.0 / (10000 ** (jnp.arange(0, 64, 2) / 64)))
    c, s = jnp.cos(a)[:, None], jnp.sin(a)[:, None]
    x1, x2 = jnp.split(x.reshape(x.shape[0], -1, 64), 2, -1)
    return jnp.concatenate([x1 * c - x2 * s, x2 * c + x1 * s], -1)


def kv_cache(cache, k, i):
    return lax.dynamic_update_slice(cache, k[None], (i, 0, 0)), lax.dynamic_slice(cache, (i, 0, 0), (4, 4, 32))


def rnn(w, xs):
    def step(h, x):
        h = jnp.tanh(h @ w + x)
        return h, h

    return lax.scan(step, jnp.zeros(xs.shape[1:]), xs)


def lstm(w, xs):
    def step(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(jnp.concatenate([h, x], -1) @ w, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), ()

    return lax.scan(step, (jnp.zeros((8, 32)), jnp.zeros((8, 32))), xs)[0]


def grow(x):
    return lax.while_loop(lambda c: jnp.sum(c[1]) < 1000.0, lambda c: (c[0] + 1, c[1] * 1.5), (0, x))


def trig(x):
    return (
        jnp.arcsin(x), jnp.arccos(x), jnp.arctan(x), jnp.sinh(x), jnp.cosh(x), jnp.arcsinh(x), jnp.arctanh(x),
        jnp.tan(x), jnp.arctan2(x, x),
    )  # fmt: skip


def float_misc(x):
    return (
        jnp.round(x), jnp.floor(x), jnp.ceil(x), jnp.sign(x), jnp.isfinite(x), jnp.cbrt(x), jnp.log1p(x), jnp.expm1(x),
        x**3, x**2.5, jnp.nextafter(x, x),
    )  # fmt: skip


# --- inputs --------------------------------------------------------------------------------------------------------


class Draw:
    """Seeded inputs in ranges where the functions are defined and well conditioned."""

    def __init__(self, name):
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def normal(self, *shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(f32)

    def uniform(self, *shape, low=0.0, high=1.0):
        return self.rng.uniform(low, high, shape).astype(f32)

    def ints(self, *shape, low=0, high=10, dtype=np.int32):
        return self.rng.integers(low, high, shape).astype(dtype)

    def distinct(self, n, high):
        return self.rng.permutation(high)[:n].astype(np.int32)

    def key(self, n=2):
        return self.rng.integers(0, 2**32, n, dtype=np.uint32)

    def complex(self, *shape):
        return (self.rng.standard_normal(shape) + 1j * self.rng.standard_normal(shape)).astype(np.complex64)

    def weight(self, *shape):
        return self.normal(*shape, scale=1 / np.sqrt(np.prod(shape[:-1])))

    def spd(self, n):
        a = self.rng.standard_normal((n, n))
        return (a @ a.T + n * np.eye(n)).astype(f32)

    def lower(self, n):
        a = np.tril(self.rng.standard_normal((n, n)), -1)
        return (a + np.diag(self.rng.uniform(1, 2, n))).astype(f32)

    def mlp(self):
        return [(self.weight(64, 128), self.normal(128, scale=0.1)), (self.weight(128, 10), self.normal(10, scale=0.1))]

    def squares(self):
        return jax.tree.map(lambda a: a * a, self.mlp())

    def convnet(self):
        return [self.weight(3, 3, 3, 16), self.weight(3, 3, 16, 32), self.weight(4 * 4 * 32, 10)]

    def block(self, d=64):
        return dict(
            g1=1 + self.normal(d, scale=0.1), b1=self.normal(d, scale=0.1),
            g2=1 + self.normal(d, scale=0.1), b2=self.normal(d, scale=0.1),
            wqkv=self.weight(d, 3 * d), wo=self.weight(d, d), w1=self.weight(d, 4 * d), w2=self.weight(4 * d, d),
        )  # fmt: skip

    def onehot(self, n, classes):
        return np.eye(classes, dtype=f32)[self.rng.integers(0, classes, n)]


# --- cases: name -> (function, inputs, tolerance class) ---------------------------------------------------------------

relu_pool_sum = lambda x: pool(x, -jnp.inf, lax.max).sum()

CASES = {
    "mlp_fwd": (mlp, lambda d: (d.mlp(), d.normal(32, 64)), "accumulate"),
    "mlp_grad": (jax.grad(mlp_loss), lambda d: (d.mlp(), d.normal(32, 64), d.normal(32, 10)), "accumulate"),
    "mlp_xent_sgd": (sgd, lambda d: (d.mlp(), d.normal(32, 64), d.ints(32)), "accumulate"),
    "mlp_adam": (
        adam,
        lambda d: (d.mlp(), d.mlp(), d.squares(), f32(3), d.normal(32, 64), d.normal(32, 10)),
        "accumulate",
    ),
    "convnet_fwd": (convnet, lambda d: (d.convnet(), d.normal(8, 16, 16, 3)), "accumulate"),
    "convnet_grad": (
        jax.grad(convnet_loss),
        lambda d: (d.convnet(), d.normal(8, 16, 16, 3), d.normal(8, 10)),
        "accumulate",
    ),
    "batchnorm": (batchnorm, lambda d: (d.normal(4, 8, 8, 32), d.normal(32), d.normal(32)), "accumulate"),
    "attn_block": (block, lambda d: (d.block(), d.normal(32, 64)), "accumulate"),
    "attn_block_grad": (
        jax.grad(lambda p, x: block(p, x).sum()),
        lambda d: (d.block(), d.normal(32, 64)),
        "accumulate",
    ),
    "attn_block_bf16": (block_bf16, lambda d: (d.block(), d.normal(32, 64)), "bf16"),
    "attn_vmap": (jax.vmap(block, (None, 0)), lambda d: (d.block(), d.normal(4, 32, 64)), "accumulate"),
    "rmsnorm_rope": (rmsnorm_rope, lambda d: (d.normal(16, 256), d.normal(256), np.arange(16, dtype=f32)), "accumulate"),
    "kv_cache": (kv_cache, lambda d: (d.normal(32, 4, 32), d.normal(4, 32), np.int32(7)), "exact"),
    "softmax": (jax.nn.softmax, lambda d: (d.normal(32, 100, scale=3),), "accumulate"),
    "logsumexp": (jax.scipy.special.logsumexp, lambda d: (d.normal(32, 100, scale=3),), "accumulate"),
    "rnn_scan": (rnn, lambda d: (d.weight(32, 32), d.normal(10, 8, 32)), "accumulate"),
    "rnn_scan_grad": (
        jax.grad(lambda w, x: rnn(w, x)[1].sum()),
        lambda d: (d.weight(32, 32), d.normal(10, 8, 32)),
        "accumulate",
    ),
    "lstm": (lstm, lambda d: (d.weight(64, 128), d.normal(10, 8, 32)), "accumulate"),
    "while": (grow, lambda d: (d.uniform(8, low=0.5, high=1.5),), "elementwise"),
    "fori": (lambda x: lax.fori_loop(0, 10, lambda i, a: a + i * a, x), lambda d: (d.normal(8),), "elementwise"),
    "cond": (lambda p, x: lax.cond(p, jnp.sin, jnp.cos, x), lambda d: (np.bool_(True), d.normal(8)), "elementwise"),
    "switch": (
        lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.tan], x),
        lambda d: (np.int32(1), d.normal(8)),
        "elementwise",
    ),
    "sort": (jnp.sort, lambda d: (d.normal(100),), "exact"),
    "argsort": (jnp.argsort, lambda d: (d.normal(100),), "exact"),
    "top_k": (lambda x: lax.top_k(x, 5), lambda d: (d.normal(4, 100),), "exact"),
    "argmax": (lambda x: jnp.argmax(x, -1), lambda d: (d.normal(4, 100),), "exact"),
    "unique_sz": (lambda x: jnp.unique(x, size=10), lambda d: (d.ints(100, high=9),), "exact"),
    "gather": (lambda t, i: t[i], lambda d: (d.normal(200, 32), d.ints(32, low=-200, high=210)), "exact"),
    "take_clip": (
        lambda t, i: jnp.take(t, i, axis=0, mode="clip"),
        lambda d: (d.normal(200, 32), d.ints(32, low=-20, high=260)),
        "exact",
    ),
    "scatter_add": (
        lambda t, i, u: t.at[i].add(u),
        lambda d: (d.normal(200, 32), d.ints(32, high=20), d.normal(32, 32)),
        "accumulate",
    ),
    "scatter_set": (
        lambda t, i, u: t.at[i].set(u),
        lambda d: (d.normal(200, 32), d.distinct(32, 200), d.normal(32, 32)),
        "exact",
    ),
    "segment_sum": (
        lambda x, i: jax.ops.segment_sum(x, i, 10),
        lambda d: (d.normal(32, 4), d.ints(32)),
        "accumulate",
    ),
    "one_hot": (lambda i: jax.nn.one_hot(i, 10), lambda d: (d.ints(32),), "exact"),
    "fft": (jnp.fft.fft, lambda d: (d.complex(8, 64),), "accumulate"),
    "rfft2": (jnp.fft.rfft2, lambda d: (d.normal(16, 16),), "accumulate"),
    "cholesky": (jnp.linalg.cholesky, lambda d: (d.spd(8),), "linalg"),
    "tri_solve": (
        lambda a, b: jax.scipy.linalg.solve_triangular(a, b, lower=True),
        lambda d: (d.lower(8), d.normal(8, 3)),
        "linalg",
    ),
    "solve": (jnp.linalg.solve, lambda d: (d.spd(8), d.normal(8, 3)), "linalg"),
    "qr": (jnp.linalg.qr, lambda d: (d.normal(8, 8),), "linalg"),
    "eigh": (jnp.linalg.eigh, lambda d: (d.spd(8),), "eigenvectors"),
    "svd": (jnp.linalg.svd, lambda d: (d.normal(8, 8),), "singularvectors"),
    "prng_normal": (lambda k: jax.random.normal(k, (32, 8)), lambda d: (d.key(),), "elementwise"),
    "prng_uniform": (lambda k: jax.random.uniform(k, (32, 8)), lambda d: (d.key(),), "exact"),
    "prng_split": (lambda k: jax.random.split(k, 4), lambda d: (d.key(),), "exact"),
    "prng_categorical": (jax.random.categorical, lambda d: (d.key(), d.normal(4, 10)), "exact"),
    "prng_permutation": (lambda k: jax.random.permutation(k, 100), lambda d: (d.key(),), "exact"),
    "prng_rbg": (lambda k: lax.rng_bit_generator(k, (32,)), lambda d: (d.key(4),), "exact"),
    "dropout": (
        lambda k, x: jnp.where(jax.random.bernoulli(k, 0.9, x.shape), x / 0.9, 0),
        lambda d: (d.key(), d.normal(32, 8)),
        "elementwise",
    ),
    "maxpool_grad": (jax.grad(relu_pool_sum), lambda d: (d.normal(4, 16, 16, 3),), "exact"),
    "cumsum": (jnp.cumsum, lambda d: (d.normal(100),), "accumulate"),
    "cumprod": (jnp.cumprod, lambda d: (d.uniform(100, low=0.9, high=1.1),), "accumulate"),
    "assoc_scan": (lambda x: lax.associative_scan(jnp.add, x), lambda d: (d.normal(100),), "accumulate"),
    "erf_gelu": (lambda x: jax.nn.gelu(x, approximate=False), lambda d: (d.normal(32, scale=2),), "elementwise"),
    "lgamma": (jax.scipy.special.gammaln, lambda d: (d.uniform(32, low=0.1, high=10),), "special"),
    "digamma": (jax.scipy.special.digamma, lambda d: (d.uniform(32, low=0.1, high=10),), "special"),
    "einsum": (
        lambda a, b: jnp.einsum("bij,bjk->bik", a, b),
        lambda d: (d.normal(4, 8, 8), d.normal(4, 8, 8)),
        "accumulate",
    ),
    "int_ops": (
        lambda a, b: (a // b, a % b, a << 2, a >> 1, ~a, a & b, a ^ b),
        lambda d: (d.ints(8, low=-(2**31), high=2**31), d.ints(8, low=1, high=1000) * np.int32(-1) ** np.arange(8, dtype=np.int32)),
        "exact",
    ),
    "trig": (trig, lambda d: (d.uniform(8, low=-0.95, high=0.95),), "elementwise"),
    "float_misc": (float_misc, lambda d: (d.uniform(8, low=-0.9, high=3),), "elementwise"),
    "linspace": (lambda: jnp.linspace(0, 1, 50), lambda d: (), "elementwise"),
    "interp": (jnp.interp, lambda d: (d.uniform(8), np.sort(d.uniform(16)), d.normal(16)), "accumulate"),
    "histogram": (lambda x: jnp.histogram(x, bins=10), lambda d: (d.normal(100),), "elementwise"),
    "pad_rev": (
        lambda x: jnp.pad(x[::-1], ((1, 2), (0, 0)), mode="reflect"),
        lambda d: (d.normal(8, 4),),
        "exact",
    ),
    "roll": (lambda x: jnp.roll(x, 3), lambda d: (d.normal(8),), "exact"),
    "fp8_cast": (lambda x: x.astype(jnp.float8_e4m3fn).astype(f32), lambda d: (d.normal(8, scale=20),), "exact"),
    "int4": (lambda x: x.astype(jnp.int4).astype(jnp.int8), lambda d: (d.ints(8, low=-8, high=8, dtype=np.int8),), "exact"),
    "complex_mul": (lambda a: jnp.abs(a * a) + jnp.angle(a), lambda d: (d.complex(8),), "elementwise"),
    "conv_transpose": (
        lambda x, k: lax.conv_transpose(x, k, (2, 2), "SAME"),
        lambda d: (d.normal(1, 8, 8, 4), d.weight(3, 3, 4, 8)),
        "accumulate",
    ),
    "depthwise": (
        lambda x, k: conv(k, x, groups=4),
        lambda d: (d.normal(1, 8, 8, 4), d.weight(3, 3, 1, 4)),
        "accumulate",
    ),
    "median": (jnp.median, lambda d: (d.normal(101),), "exact"),
    "cov": (jnp.cov, lambda d: (d.normal(4, 20),), "accumulate"),
    "logit_ce": (
        lambda l, y: -(jax.nn.log_softmax(l) * y).sum(-1).mean(),
        lambda d: (d.normal(8, 10), d.onehot(8, 10)),
        "accumulate",
    ),
}

# Tolerances: class -> element type -> [relative, absolute]. A value passes when
# |got - want| <= relative*|want| + absolute*max(1, largest |want| of that output), or both are NaN.
# Element types not named must be equal bit for bit.
TOLERANCES = {
    "exact": {},
    "elementwise": {"f32": [4e-6, 1e-7]},
    "special": {"f32": [3e-5, 3e-6]},
    "accumulate": {"f32": [2e-5, 5e-6], "complex<f32>": [2e-5, 5e-6]},
    "bf16": {"f32": [2e-2, 1e-2], "bf16": [2e-2, 1e-2]},
    "linalg": {"f32": [1e-4, 1e-5]},
    "eigenvectors": {"f32": [1e-4, 1e-4]},
    "singularvectors": {"f32": [1e-4, 1e-4]},
}


def describe(arrays):
    return [{"dtype": element_type(a.dtype), "shape": list(a.shape)} for a in arrays]


def write(out, name):
    fn, inputs, tolerance = CASES[name]
    args = inputs(Draw(name))
    lowered = jax.jit(fn, keep_unused=True).lower(*args)
    text = lowered.as_text()
    ins = [np.asarray(a) for a in jax.tree.leaves(args)]
    outs = [np.asarray(a) for a in jax.tree.leaves(lowered.compile()(*args))]
    with open(f"{out}/{name}.mlir", "w") as f:
        f.write(text)
    with open(f"{out}/{name}.mlir.bc", "wb") as f:
        f.write(artifact(lowered))
    save_npz(f"{out}/{name}.npz", {f"in{i}": a for i, a in enumerate(ins)} | {f"out{i}": a for i, a in enumerate(outs)})
    return {
        "name": name,
        "tolerance": tolerance,
        "custom_calls": sorted(set(re.findall(r"custom_call @([\w$.]+)", text))),
        "inputs": describe(ins),
        "outputs": describe(outs),
    }


def main():
    out, names = sys.argv[1], sys.argv[2:] or list(CASES)
    os.makedirs(out, exist_ok=True)
    manifest = {
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "platform": jax.default_backend(),
        "bytecode_version": target_version(),
        "tolerances": TOLERANCES,
        "cases": [write(out, name) for name in names],
    }
    if len(names) == len(CASES):
        with open(f"{out}/corpus.json", "w") as f:
            json.dump(manifest, f, indent=1)
            f.write("\n")
    print(len(names), "functions written to", out)


if __name__ == "__main__":
    main()
