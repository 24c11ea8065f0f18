"""A pytest plugin that writes docs/conformance.md: RFC section, test, file.

pytest --collect-only -q -p tests.support.conformance --conformance docs/conformance.md
"""

from collections import defaultdict
from pathlib import Path

HEAD = """# Conformance

Written by `make docs` from the marks of the tests (`@pytest.mark.rfc("7009", "2.2")`).
"""


def pytest_addoption(parser):
    parser.addoption("--conformance", metavar="FILE", help="write the conformance page and stop")


def pytest_collection_finish(session):
    target = session.config.getoption("--conformance")
    if target:
        Path(target).write_text(page(session.items))


def page(items):
    """The page: per RFC and section, the tests that carry it out."""
    tests = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("rfc"):
            number, section = (*mark.args, "")[:2]
            file = item.path.relative_to(item.config.rootpath).as_posix()
            name = getattr(item, "originalname", None) or item.name
            tests[number, section].add((file, name))
    lines = [HEAD]
    for number in sorted({number for number, _ in tests}, key=lambda n: n.rjust(8)):
        lines += [f"## RFC {number}\n", "| section | test | file |", "| --- | --- | --- |"]
        for key in sorted((k for k in tests if k[0] == number), key=lambda k: _order(k[1])):
            for file, name in sorted(tests[key]):
                lines.append(f"| {key[1]} | {name} | {file} |")
        lines.append("")
    return "\n".join(lines)


def _order(section):
    return [part.rjust(4, "0") for part in section.split(".")]
