"""A pytest plugin that writes docs/reference-coverage.md: row, tests, state.

pytest --collect-only -q -p tests.support.coverage_page --reference docs/reference-coverage.md
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

ROWS = Path(__file__).parents[1] / "reference" / "rows.txt"
HEAD = """# Reference coverage

Five published authentication pages, read line by line as a specification: 164 rows, and the tests
that decide them. Written by `make docs` from the marks of the tests (`@pytest.mark.row("S2-10")`)
and `tests/reference/rows.txt`, which says of each open row why it is open. A row is **done** when
tests decide all of it, **partly** when they decide what the reason does not name.
"""
DOCUMENTS = {
    "S0": "BookingScheduler",
    "S1": "ReserveKit",
    "S2": "ExperienceLocal",
    "S3": "Astrocal",
    "S4": "generic",
}


class Row(NamedTuple):
    id: str
    says: str
    open: str
    """Why it is not done; empty: it is."""


def read_rows():
    """Every row of the checklist."""
    lines = ROWS.read_text(encoding="utf-8").splitlines()
    return [Row(*(part.strip() for part in line.split(" | "))) for line in lines]


def pytest_addoption(parser):
    parser.addoption("--reference", metavar="FILE", help="write the reference page and stop")


def pytest_collection_finish(session):
    target = session.config.getoption("--reference")
    if target:
        Path(target).write_text(page(tests_by_row(session.items)), encoding="utf-8")


def tests_by_row(items):
    """Row -> the tests that carry its mark."""
    tests = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("row"):
            for row in mark.args:
                file = item.path.relative_to(item.config.rootpath).as_posix()
                name = getattr(item, "originalname", None) or item.name
                tests[row].add(f"`{name}` {file.removeprefix('tests/').removesuffix('.py')}")
    return tests


def state(row, tests):
    if row.open:
        return "partly" if tests else "open"
    return "done" if tests else "UNDECIDED"


def page(tests):
    """The page: for each document, its rows."""
    rows = read_rows()
    # C-… are contradictions between the documents; what resolves them is in the rows.
    unknown = sorted({row for row in tests if row[0] == "S"} - {row.id for row in rows})
    assert not unknown, f"no such rows: {unknown}"
    states = {row.id: state(row, tests.get(row.id)) for row in rows}
    counted = Counter(states.values())
    lines = [HEAD, ", ".join(f"{counted[one]} {one}" for one in sorted(counted)) + ".", ""]
    for document, name in DOCUMENTS.items():
        lines += [f"## {document}: {name}\n", "| row | says | state | tests, or why not |"]
        lines += ["| --- | --- | --- | --- |"]
        for row in rows:
            if row.id.startswith(document):
                found = sorted(tests.get(row.id, ()))
                why = [row.open] if row.open else []
                cells = (row.id, row.says, states[row.id], "; ".join(why + found))
                lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)
