"""The wheel, built once."""

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ["keyturn", "pytest_keyturn.py", "app", "pyproject.toml", "setup.cfg", "LICENSE"]


def installed(name):
    try:
        return int(version(name).split(".")[0])
    except PackageNotFoundError:
        return 0


@pytest.fixture(scope="session")
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
