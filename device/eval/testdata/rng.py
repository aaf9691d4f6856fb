"""Writes rng.json, random bits of XLA's CPU backend, with jax 0.10.2. Run it in this folder."""
import json
import jax, numpy as np
from jax import lax
jax.config.update('jax_enable_x64', True)
jax.config.update('jax_platforms', 'cpu')
A = lax.RandomAlgorithm
out = []
for alg, a in (('THREE_FRY', A.RNG_THREE_FRY), ('PHILOX', A.RNG_PHILOX), ('DEFAULT', A.RNG_DEFAULT)):
    for t in ('uint8', 'uint16', 'uint32', 'uint64'):
        for shape in ((), (1,), (7,), (8,), (3, 5), (3, 4), (5, 3, 2)):
            key = np.array([0x12345678, 0x9abcdef0, 0xfffffffe, 0xffffffff], np.uint32)
            k, o = lax.rng_bit_generator(key, shape, dtype=np.dtype(t), algorithm=a)
            out.append(dict(algorithm=alg, dtype=t.replace('uint', 'ui'), shape=shape,
                            state=[str(x) for x in np.asarray(key).view(np.uint64)],
                            next=[str(x) for x in np.asarray(k).view(np.uint64)],
                            bits=np.asarray(o).astype(np.dtype(t)).tobytes().hex()))
json.dump(out, open('rng.json', 'w'), indent=0)
