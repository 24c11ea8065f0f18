"""What the wheel holds: the library, and nothing of the server."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from keyturn import __version__

ROOT = Path(__file__).parents[2]
INFO = f"keyturn-{__version__}.dist-info"


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_it_holds_the_library_alone(names):
    tops = {name.split("/")[0] for name in names}
    assert tops == {"keyturn", "pytest_keyturn.py", INFO}
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "keyturn").rglob("*.py")}
    assert modules <= set(names)
    assert "keyturn/py.typed" in names


def test_no_secret_or_data_slips_in(names):
    assert [n for n in names if re.search(r"\.(db|key|pem|env|sqlite3?)$|instance/|keys/", n)] == []


def test_it_asks_for_three_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{INFO}/METADATA").decode()
    needed = re.findall(r"^Requires-Dist: ([A-Za-z0-9-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert sorted(name.lower() for name in needed) == ["cryptography", "httpx", "pyjwt"]


def test_it_works_as_installed(wheel, tmp_path):
    script = (
        "import keyturn\n"
        "verifier = keyturn.Verifier('https://auth.example.com', 'https://api.example.com')\n"
        "try:\n    verifier.verify('Bearer x.y.z')\n"
        "except keyturn.InvalidToken as refused:\n    print(keyturn.__file__, refused.reason)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    path, reason = done.stdout.split()
    assert path.startswith(str(wheel))
    assert reason == "malformed"


def test_its_fixtures_are_there_and_cost_nothing_to_others(wheel, tmp_path):
    (tmp_path / "test_1_without.py").write_text(
        "import sys\n\n\ndef test_not_loaded():\n    assert 'keyturn' not in sys.modules\n"
    )
    (tmp_path / "test_2_with.py").write_text(
        "import pytest\n\n\n"
        "def test_both(keyturn_issuer, keyturn_verifier, keyturn_token, keyturn_api_key):\n"
        "    key = keyturn_api_key('a:read')\n"
        "    for one in (key, keyturn_token('a:read', org='org_1')):\n"
        "        keyturn_verifier.verify(f'Bearer {one}').require('a:read')\n"
        "    keyturn_issuer.revoke(key)\n"
        "    with pytest.raises(Exception, match='not valid'):\n"
        "        keyturn_verifier.verify(f'Bearer {key}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
