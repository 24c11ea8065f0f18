"""`docs/reference-coverage.md` says what the marks say."""

import subprocess
import sys

import pytest

from tests.support.coverage_page import read_rows
from tests.support.installation import ROOT

SIZES = {"S0": 16, "S1": 26, "S2": 74, "S3": 31, "S4": 17}


def test_every_row_of_the_five_documents_is_listed():
    rows = [row.id for row in read_rows()]
    assert rows == [f"{name}-{n}" for name, size in SIZES.items() for n in range(1, size + 1)]


@pytest.mark.timeout(300)  # every module is imported once more
def test_the_page_is_the_one_that_the_marks_give(tmp_path):
    target = tmp_path / "page.md"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0"]
    made = subprocess.run(
        [*command, "-p", "tests.support.coverage_page", "--reference", str(target)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    page = target.read_text(encoding="utf-8")
    assert "UNDECIDED" not in page, "a row has neither a test nor a reason to be open"
    assert page == (ROOT / "docs" / "reference-coverage.md").read_text(encoding="utf-8"), (
        "run make docs"
    )
