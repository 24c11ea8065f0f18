"""Every example in the library's documentation runs."""

import doctest
import importlib
import pkgutil

import pytest

import keyturn
from tests.keyturn.support import with_django_settings

MODULES = ["keyturn", *(m.name for m in pkgutil.walk_packages(keyturn.__path__, "keyturn."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    with_django_settings()
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0


def test_public_names_are_explained():
    unexplained = [name for name in keyturn.__all__ if not getattr(keyturn, name).__doc__]
    assert unexplained == []


def test_the_first_example_is_one():
    assert ">>> verifier = Verifier(" in (keyturn.__doc__ or "")
