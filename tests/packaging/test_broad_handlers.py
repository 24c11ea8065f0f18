"""What catches every exception says why it must, and what becomes of a bug that ends there."""

import ast
import re

import pytest

from tests.support.installation import ROOT

BROAD = {"Exception", "BaseException"}
SOURCES = [path for folder in ("app", "keyturn") for path in sorted((ROOT / folder).rglob("*.py"))]
REASON = re.compile(r"#\s*(?:noqa: \w+ - )?(?!noqa)(\w+\W+){3}")
"""A comment of a few words, behind a rule that it switches off or without one."""


def names(node):
    """The names in an expression, with or without the module before them."""
    return {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node)}


def is_broad(node):
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(names(node.type) & BROAD)
    return (
        isinstance(node, ast.Call)
        and "suppress" in names(node.func)
        and any(names(argument) & BROAD for argument in node.args)
    )


def raises_again(node):
    return any(isinstance(one, ast.Raise) and one.exc is None for one in ast.walk(node))


def logs(node):
    """Whether the stack trace is written down."""
    return any(
        isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr == "exception"
        for one in ast.walk(node)
    )


def unexplained(source):
    """Lines of broad handlers that neither raise again nor say why they need not."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not is_broad(node) or raises_again(node):
            continue
        head = lines[node.lineno - 1]
        # One that logs may say why below its head; one that swallows says so in it.
        reasons = head + lines[node.lineno] if logs(node) else head
        if not REASON.search(reasons):
            yield node.lineno


def test_every_broad_handler_carries_its_reason():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert not found


WHY = "# noqa: BLE001 - nobody is left to tell"


@pytest.mark.parametrize(
    ("handler", "is_explained"),
    [
        ("except Exception:\n    pass", False),
        ("except Exception:  # noqa: BLE001\n    pass", False),
        (f"except Exception:  {WHY}\n    pass", True),
        ("except Exception:\n    # The thread must go on.\n    pass", False),
        ("except Exception:\n    # The thread must go on.\n    log.exception('failed')", True),
        ("except Exception:\n    log.exception('failed')", False),
        ("except (OSError, Exception):\n    pass", False),
        ("except:\n    pass", False),
        ("except BaseException:\n    clean()\n    raise", True),
        ("except OSError:\n    pass", True),
    ],
)
def test_what_a_reason_is(handler, is_explained):
    assert (list(unexplained(f"try:\n    work()\n{handler}\n")) == []) is is_explained


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("with suppress(Exception):", False),
        ("with contextlib.suppress(Exception):", False),
        ("with suppress(Exception):  # stderr itself is gone", True),
        ("with suppress(KeyError):", True),
    ],
)
def test_what_is_suppressed_has_its_reason_too(line, is_explained):
    assert (list(unexplained(f"{line}\n    work()\n")) == []) is is_explained
