"""Documents that are printed from the code say what the code says."""

import re
from pathlib import Path

from app.settings import table

ROOT = Path(__file__).parents[2]


def test_the_table_of_settings_is_the_one_in_the_code():
    assert table() in (ROOT / "docs" / "settings.md").read_text()


def test_every_decision_is_numbered_once():
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert all(re.fullmatch(r"\d{4}", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)
