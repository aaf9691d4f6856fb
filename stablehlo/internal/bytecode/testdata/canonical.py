"""Writes corpus.tar.gz: the text that StableHLO's own deserializer makes of each artifact in testdata/corpus.

Run it after corpus.py, with the packages of tools/python/export.txt:  python canonical.py
"""

import glob
import gzip
import io
import os
import tarfile

from jax._src.interpreters.mlir import make_ir_context
from jaxlib.mlir.dialects import stablehlo

here = os.path.dirname(os.path.abspath(__file__))
corpus = os.path.join(here, "..", "..", "..", "..", "testdata", "corpus")

out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w") as tar:
    for path in sorted(glob.glob(os.path.join(corpus, "*.mlir.bc"))):
        with open(path, "rb") as f, make_ir_context() as context:
            text = stablehlo.deserialize_portable_artifact(context, f.read()).operation.get_asm().encode()
        entry = tarfile.TarInfo(os.path.basename(path).removesuffix(".bc"))
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
with open(os.path.join(here, "corpus.tar.gz"), "wb") as f:
    f.write(gzip.compress(out.getvalue(), mtime=0))
