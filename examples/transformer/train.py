"""Trains a small transformer on text.txt and writes everything that lies beside this script.

The model reads characters: two pre-norm decoder blocks (4 heads, width 64), learned positions, 160 of them. It is trained
until it knows the text, so that what it generates can be read. Generation is one program: a pass over the prompt that
fills the caches of keys and values, then a scan that takes the likeliest character and puts it through the model.

  transformer.mlir, transformer.mlir.bc   weights inside: prompt i32[32], its length i32 -> characters i32[128]
  vocabulary.json                         the characters, in the order of their numbers
  prompt.npy, length.npy, tokens.npy      an input, and what JAX computes from it, on the CPU

Usage: JAX_PLATFORMS=cpu python train.py     (versions pinned in tools/python/export.txt)
"""

import json
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "python"))
from portable import artifact  # noqa: E402

WIDTH, HEADS, LAYERS = 64, 4, 2
SLOTS, NEW = 32, 128  # the longest prompt, and how many characters follow it
CONTEXT = SLOTS + NEW
STEPS, BATCH, RATE = 1200, 12, 3e-3
PROMPT = "The keeper said: "


def init(rng, characters):
    def normal(*shape, scale=None):
        return jnp.asarray(rng.standard_normal(shape) * (scale or 1 / np.sqrt(shape[0])), jnp.float32)

    def layer():
        return {
            "norm1": jnp.ones(WIDTH), "shift1": jnp.zeros(WIDTH), "qkv": normal(WIDTH, 3 * WIDTH), "out": normal(WIDTH, WIDTH),
            "norm2": jnp.ones(WIDTH), "shift2": jnp.zeros(WIDTH), "up": normal(WIDTH, 4 * WIDTH), "down": normal(4 * WIDTH, WIDTH),
        }  # fmt: skip

    return {
        "embed": normal(characters, WIDTH, scale=0.1), "position": normal(CONTEXT, WIDTH, scale=0.1),
        "layers": [layer() for _ in range(LAYERS)], "norm": jnp.ones(WIDTH), "shift": jnp.zeros(WIDTH),
    }  # fmt: skip


def norm(x, gain, shift):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * gain + shift


def heads(x):
    return x.reshape(x.shape[0], HEADS, WIDTH // HEADS).transpose(1, 0, 2)


def attend(q, k, v, visible):
    """q [heads, n, d] over k, v [heads, m, d]; visible [n, m]."""
    scores = jnp.einsum("hnd,hmd->hnm", q, k) / np.float32(np.sqrt(WIDTH // HEADS))
    mixed = jnp.einsum("hnm,hmd->hnd", jax.nn.softmax(jnp.where(visible, scores, -1e9), -1), v)
    return mixed.transpose(1, 0, 2).reshape(q.shape[1], WIDTH)


def block(p, x, place, visible):
    """One decoder block; place puts the new keys and values where attention finds all of them."""
    q, k, v = (heads(t) for t in jnp.split(norm(x, p["norm1"], p["shift1"]) @ p["qkv"], 3, -1))
    k, v = place(k, v)
    x = x + attend(q, k, v, visible) @ p["out"]
    return x + jax.nn.gelu(norm(x, p["norm2"], p["shift2"]) @ p["up"]) @ p["down"], (k, v)


def scores(p, x):
    return norm(x, p["norm"], p["shift"]) @ p["embed"].T


def forward(p, tokens):
    """All positions at once; returns scores and each layer's keys and values."""
    n = tokens.shape[0]
    x = p["embed"][tokens] + p["position"][:n]
    visible = jnp.tril(jnp.ones((n, n), bool))
    filled = []
    for layer in p["layers"]:
        x, kv = block(layer, x, lambda k, v: (k, v), visible)
        filled.append(kv)
    return scores(p, x), filled


def loss(p, windows):
    logits = jax.vmap(lambda t: forward(p, t)[0])(windows[:, :-1])
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), windows[:, 1:, None], 2))


@jax.jit
def step(p, m, v, t, windows):
    """One step of Adam; the rate falls linearly to a twentieth."""
    value, g = jax.value_and_grad(loss)(p, windows)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g * g, v, g)
    rate = RATE * jnp.minimum(t / 50, 1.05 - t / STEPS)
    p = jax.tree.map(lambda p, m, v: p - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.99**t)) + 1e-8), p, m, v)
    return p, m, v, value


def generate(p, prompt, length):
    """The NEW likeliest characters after the first length of prompt, and the gap of each to the second likeliest."""
    logits, filled = forward(p, prompt)
    empty = jnp.zeros((HEADS, CONTEXT, WIDTH // HEADS))
    caches = [tuple(lax.dynamic_update_slice(empty, t, (0, 0, 0)) for t in kv) for kv in filled]

    def advance(carry, _):
        caches, logits, position = carry
        token = jnp.argmax(logits).astype(jnp.int32)
        best = lax.top_k(logits, 2)[0]
        x = p["embed"][token][None] + lax.dynamic_slice(p["position"], (position, 0), (1, WIDTH))
        visible = (jnp.arange(CONTEXT) <= position)[None]
        grown = []
        for layer, (keys, values) in zip(p["layers"], caches):

            def place(k, v):
                at = (0, position, 0)
                return lax.dynamic_update_slice(keys, k, at), lax.dynamic_update_slice(values, v, at)

            x, kv = block(layer, x, place, visible)
            grown.append(kv)
        return (grown, scores(p, x)[0], position + 1), (token, best[0] - best[1])

    last = lax.dynamic_index_in_dim(logits, length - 1, keepdims=False)
    return lax.scan(advance, (caches, last, length), None, length=NEW)[1]


def main():
    with open(f"{HERE}/text.txt") as f:
        text = " ".join(f.read().split())
    vocabulary = sorted(set(text))
    tokens = np.array([vocabulary.index(c) for c in text], np.int32)

    rng = np.random.default_rng(0)
    p = init(rng, len(vocabulary))
    m = v = jax.tree.map(jnp.zeros_like, p)
    for t in range(1, STEPS + 1):
        starts = rng.integers(0, len(tokens) - CONTEXT, BATCH)
        p, m, v, value = step(p, m, v, float(t), np.stack([tokens[i : i + CONTEXT + 1] for i in starts]))
        if t % 200 == 0:
            print(f"step {t}: loss {value:.4f}", flush=True)

    prompt = np.zeros(SLOTS, np.int32)
    prompt[: len(PROMPT)] = [vocabulary.index(c) for c in PROMPT]
    length = np.int32(len(PROMPT))
    gaps = np.asarray(jax.jit(lambda a, b: generate(p, a, b)[1])(prompt, length))
    lowered = jax.jit(lambda prompt, length: generate(p, prompt, length)[0]).lower(prompt, length)
    out = np.asarray(lowered.compile()(prompt, length))
    print(len(text), "characters,", len(vocabulary), "different;", sum(a.size for a in jax.tree.leaves(p)), "weights")
    print(PROMPT + "|" + "".join(vocabulary[i] for i in out))
    print(f"smallest gap between the two likeliest characters {gaps.min():.4g}")

    with open(f"{HERE}/transformer.mlir", "w") as f:
        f.write(lowered.as_text())
    with open(f"{HERE}/transformer.mlir.bc", "wb") as f:
        f.write(artifact(lowered))
    with open(f"{HERE}/vocabulary.json", "w") as f:
        json.dump(vocabulary, f)
        f.write("\n")
    np.save(f"{HERE}/prompt.npy", prompt)
    np.save(f"{HERE}/length.npy", length)
    np.save(f"{HERE}/tokens.npy", out)


if __name__ == "__main__":
    main()
