"""Random streams that do not depend on cores, order, or what else is run."""

from __future__ import annotations

import zlib

import numpy as np


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """Spawn a random stream by name.

    Parameters
    ----------
    seed
        The run's seed.
    *names
        What the stream is for, for example the analysis and the trial.

    Returns
    -------
    Generator
        The same for the same seed and names, independent for others.
    """
    key = tuple(zlib.crc32(name.encode()) for name in names)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
