"""Chance, for pauses that shall not coincide and for samples: the operating system's, so that an
application's own `random`, and what it was seeded with, is left alone; no two processes share it.
"""

from random import SystemRandom

chance = SystemRandom().random
"""A number from 0 up to 1, without 1."""
