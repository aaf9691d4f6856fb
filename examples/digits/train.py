"""Trains the digits network and writes everything that lies beside this script.

The data are the 1,797 images of 8 x 8 pixels that scikit-learn ships (load_digits). A shuffle with seed 0 gives 1,437
images to train on and 360 to test on. Training is deterministic on one machine; another may round differently.

  digits.mlir, digits.mlir.bc   one program, weights inside: f32[1797,8,8] -> logits f32[1797,10], labels i32[1797]
  images.npy, labels.npy        its input, and what the images show
  logits.npy, predictions.npy   what JAX computes, on the CPU

Usage: JAX_PLATFORMS=cpu python train.py     (versions pinned in tools/python/export.txt)
"""

import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from sklearn.datasets import load_digits

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "python"))
from portable import artifact  # noqa: E402

EPOCHS, BATCH, RATE = 60, 64, 2e-3


def init(rng):
    def normal(*shape):
        return jnp.asarray(rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])), jnp.float32)

    return {
        "conv1": normal(3, 3, 1, 16), "bias1": jnp.zeros(16), "conv2": normal(3, 3, 16, 32), "bias2": jnp.zeros(32),
        "dense": normal(4 * 4 * 32, 10), "bias3": jnp.zeros(10),
    }  # fmt: skip


def conv(x, k):
    return lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def logits(p, images):
    x = images[..., None] / 16
    x = jax.nn.relu(conv(x, p["conv1"]) + p["bias1"])
    x = jax.nn.relu(conv(x, p["conv2"]) + p["bias2"])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.reshape(x.shape[0], -1) @ p["dense"] + p["bias3"]


def loss(p, images, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(p, images)), labels[:, None], 1))


@jax.jit
def step(p, m, v, t, images, labels):
    """One step of Adam with decoupled weight decay."""
    g = jax.grad(loss)(p, images, labels)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    rate = RATE * jnp.where(t > 2 / 3 * EPOCHS * (1437 // BATCH), 0.1, 1.0)

    def update(p, m, v):
        return p * (1 - rate * 1e-2) - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return jax.tree.map(update, p, m, v), m, v


def shifted(rng, images):
    """Each image moved by up to one pixel in each direction: the training set is small."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    dy, dx = rng.integers(0, 3, (2, len(images)))
    return np.stack([padded[i, y : y + 8, x : x + 8] for i, (y, x) in enumerate(zip(dy, dx))])


def main():
    data = load_digits()
    images, labels = data.images.astype(np.float32), data.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1437], order[1437:]

    rng = np.random.default_rng(1)
    p = init(rng)
    m = v = jax.tree.map(jnp.zeros_like, p)
    t = 0
    for _ in range(EPOCHS):
        shuffled = rng.permutation(train)
        for i in range(0, len(shuffled) - BATCH + 1, BATCH):
            batch = shuffled[i : i + BATCH]
            t += 1
            p, m, v = step(p, m, v, float(t), shifted(rng, images[batch]), labels[batch])

    def digits(images):
        scores = logits(p, images)
        return scores, jnp.argmax(scores, -1).astype(jnp.int32)

    lowered = jax.jit(digits).lower(images)
    scores, predictions = (np.asarray(a) for a in lowered.compile()(images))
    right = predictions == labels
    first, second = np.sort(scores, -1)[:, -1], np.sort(scores, -1)[:, -2]
    print(f"train {right[train].mean():.4f}  test {right[test].mean():.4f}  all {right.mean():.4f}")
    print(f"wrong {(~right).sum()} of {len(right)}; smallest gap between the two best scores {(first - second).min():.4g}")

    with open(f"{HERE}/digits.mlir", "w") as f:
        f.write(lowered.as_text())
    with open(f"{HERE}/digits.mlir.bc", "wb") as f:
        f.write(artifact(lowered))
    np.save(f"{HERE}/images.npy", images)
    np.save(f"{HERE}/labels.npy", labels)
    np.save(f"{HERE}/logits.npy", scores)
    np.save(f"{HERE}/predictions.npy", predictions)


if __name__ == "__main__":
    main()
