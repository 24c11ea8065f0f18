"""What the wheel holds: the library, and nothing of the server."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from keyturn import __version__

ROOT = Path(__file__).parents[2]
INFO = f"keyturn-{__version__}.dist-info"
BUILT_FROM = ["keyturn", "app", "pyproject.toml", "setup.cfg", "LICENSE"]


def installed(name):
    try:
        return int(version(name).split(".")[0])
    except PackageNotFoundError:
        return 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # Without isolation: the tests fetch nothing. So the build system must be in the environment.
    if installed("setuptools") < 80:
        pytest.skip("the wheel needs setuptools >= 80 to be built")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_it_holds_the_library_alone(names):
    tops = {name.split("/")[0] for name in names}
    assert tops == {"keyturn", INFO}
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
