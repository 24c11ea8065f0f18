"""The library takes no numbers of an application's own `random`, which may be seeded."""

import random
import re
from pathlib import Path

import keyturn
from keyturn.chance import chance
from keyturn.client import Backoff


def test_what_was_seeded_goes_on_as_it_would_have():
    before = random.getstate()
    waits = {Backoff().wait(0, 429, {}) for _ in range(20)}
    assert random.getstate() == before
    assert len(waits) > 1
    assert all(0 <= chance() < 1 for _ in range(100))


def test_no_module_asks_it():
    modules = list(Path(keyturn.__file__).parent.rglob("*.py"))
    assert len(modules) > 50
    shared = re.compile(r"^import random|^from random import (?!SystemRandom$)", re.MULTILINE)
    assert [module.name for module in modules if shared.search(module.read_text())] == []
