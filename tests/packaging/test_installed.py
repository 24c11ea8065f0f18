"""The wheel alone in an empty environment: it has what it asks for, and its examples run there.

Nothing is fetched. The environment is given the distributions that the wheel's metadata names, and
those that they name, from this one: so whatever it needs and does not ask for is missing.
"""

import subprocess
import venv
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.examples.test_frameworks import EXAMPLES, check, command_of, started
from tests.support.installation import ROOT
from tests.support.served import free_port


def needed(requirement, found):
    """A distribution that is required and, after it, all that it requires."""
    if requirement.name.lower() in found:
        return
    it = distribution(requirement.name)
    found[requirement.name.lower()] = it
    for one in required_by(it, requirement.extras):
        needed(one, found)


def required_by(it, extras=()):
    for line in it.requires or ():
        one = Requirement(line)
        asked = [{"extra": extra} for extra in (*extras, "")]
        if one.marker is None or any(map(one.marker.evaluate, asked)):
            yield one


def environment(directory, wheel, *extras, beside=()):
    """The Python of an environment in which the wheel is, with these extras, and what is beside."""
    venv.create(directory, with_pip=False, symlinks=True)
    [site] = directory.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    [info] = site.glob("keyturn-*.dist-info")
    found = {}
    for one in (*required_by(PathDistribution(info), extras), *map(Requirement, beside)):
        needed(one, found)
    for it in found.values():
        for top in {file.parts[0] for file in it.files or () if file.parts[0] != ".."}:
            if top != "__pycache__" and not (site / top).exists():
                (site / top).symlink_to(Path(it.locate_file(top)))
    return directory / "bin" / "python"


def imported(python, name):
    # Isolated: this directory has an `app` and an environment of its own.
    done = subprocess.run([python, "-I", "-c", f"import {name}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def asked(installation, server):
    own = installation.client(["keyturn:introspect"])
    return {"ISSUER": server.url, "CLIENT_ID": own.client_id, "CLIENT_SECRET": own.client_secret}


EXTRAS = {
    "plain": [],
    "flask_app": ["flask"],
    "fastapi_app": ["fastapi"],
    "starlette_app": ["starlette"],
    "django_app": ["django"],
}


@pytest.mark.parametrize("name", EXTRAS)
def test_an_example_runs_where_only_the_wheel_is(
    wheel, tmp_path, installation, server, asked, name
):
    beside = [] if name == "plain" else ["granian"]
    python = environment(tmp_path / "env", wheel, *EXTRAS[name], beside=beside)
    for other in ("sqlalchemy", "authlib", "app", "pytest", "flask", "django", "fastapi"):
        assert imported(python, other) is (other in EXTRAS[name])
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    port = free_port()
    environ = asked | {"AUDIENCE": f"http://127.0.0.1:{port}"}
    with started(command_of(name, port, python), port, environ, cwd=tmp_path) as http:
        check(http, installation, server)


def test_every_example_is_run():
    assert EXTRAS.keys() == EXAMPLES.keys()
