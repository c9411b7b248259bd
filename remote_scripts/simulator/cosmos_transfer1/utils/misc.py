"""Seeding, as in the engine."""

import random

import numpy as np


def set_random_seed(seed: int, by_rank: bool = False) -> None:
    """Seeds the global generators; `by_rank` would add the rank, which is 0 here."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
