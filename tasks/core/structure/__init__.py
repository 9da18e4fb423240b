"""container-structure-test's files (schema 2.0.0), run on every platform of an image.

Verdicts are the real tool's, with these differences on purpose: a regular expression or an
``isExecutableBy`` that makes no sense is a usage error, not a test that fails; links in front of a
file's content are followed as the kernel does, the real tool takes relative ones from the root;
``capabilities`` are added as its manual says; a command may not run, print or use memory without
limit; and JSON files have to say ``shouldExist``, which the real tool takes for false there.
"""

from tasks.core.structure.config import Config
from tasks.core.structure.proofs import PROOFS
from tasks.core.structure.proving import Image, prove
from tasks.core.structure.reading import load

__all__ = ["PROOFS", "Config", "Image", "load", "prove"]
