"""Writes the programs that train the digits network: what main.go runs with --train, on any number of MPI ranks.

  training.npz                what training begins with: the weights, drawn with seed 0, and the order of the images
  gradient.mlir.bc            weights f32[9930], images f32[16,8,8], labels i32[16] -> f32[9931]: sums of gradients and loss
  update.mlir.bc              weights, moments m and v, the sum of 64 images' gradients, step t -> weights, m, v (Adam)
  predict.mlir.bc             weights, images f32[1797,8,8] -> labels i32[1797]

Usage: JAX_PLATFORMS=cpu python training.py     (versions pinned in tools/python/export.txt)
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import train

IMAGES, PART, BATCH = 1797, 16, 64


def main():
    flat, tree = ravel_pytree(train.init(np.random.default_rng(0)))

    def loss(w, images, labels):
        return train.loss(tree(w), images, labels) * PART

    def gradient(w, images, labels):
        value, g = jax.value_and_grad(loss)(w, images, labels)
        return jnp.append(g, value)

    def update(w, m, v, total, t):
        g = total[:-1] / BATCH
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        return w - train.RATE * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v

    def predict(w, images):
        return jnp.argmax(train.logits(tree(w), images), 1).astype(jnp.int32)

    def write(name, f, *types):
        args = [jax.ShapeDtypeStruct(shape, dtype) for dtype, *shape in types]
        with open(os.path.join(train.HERE, name + ".mlir.bc"), "wb") as out:
            out.write(train.artifact(jax.jit(f).lower(*args)))

    f, i, n = np.float32, np.int32, flat.size
    write("gradient", gradient, (f, n), (f, PART, 8, 8), (i, PART))
    write("update", update, (f, n), (f, n), (f, n), (f, n + 1), (f,))
    write("predict", predict, (f, n), (f, IMAGES, 8, 8))
    order = np.random.default_rng(0).permutation(IMAGES).astype(np.int32)
    np.savez(os.path.join(train.HERE, "training.npz"), weights=np.asarray(flat), order=order)


if __name__ == "__main__":
    main()
