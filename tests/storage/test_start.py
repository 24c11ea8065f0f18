"""A start that cannot be: one line that says what to do, exit status 1, and nothing served."""

import os
import shutil
import sqlite3
from base64 import urlsafe_b64encode
from contextlib import closing

import pytest
from alembic.script import ScriptDirectory

from app import create_app
from app.crypto.master_key import read_master_key
from app.errors import StartRefused, Unavailable
from app.settings import Settings
from app.storage import schema
from app.storage.schema import require_current
from app.wiring import services
from tests.support import forked
from tests.support.installation import installed, process_environ
from tests.support.served import free_port
from tests.support.skips import NOT_AS_ROOT


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A good installation; each test spoils a copy of it."""
    directory = tmp_path_factory.mktemp("template")
    with installed(directory) as made:
        environ = dict(made.environ)
    return directory, environ


@pytest.fixture
def spoilt(template, tmp_path):
    directory, environ = template
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    moved = {name: value.replace(str(directory), str(copy)) for name, value in environ.items()}
    return copy, moved


@pytest.fixture
def sql(spoilt):
    """Changes the copy's database behind everybody's back."""

    def run(statement):
        with closing(sqlite3.connect(spoilt[0] / "keyturn.db")) as connection, connection:
            connection.execute(statement)

    return run


def refusal(environ):
    """What stands behind ``keyturn:`` when this does not start (the command is below)."""
    app = create_app(Settings.from_env(environ))
    try:
        with pytest.raises((StartRefused, Unavailable)) as refused:
            services(app).check()
    finally:
        services(app).store.engine.dispose()
    line = refused.value.description
    assert line.isprintable(), line
    return line


# The command ----------------------------------------------------------------------------------


def serve(environ):
    """The one line on stderr. Whatever is wrong, it is never a traceback."""
    ended = forked.run(["serve", "--port", str(free_port())], process_environ(environ))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("keyturn: ")
    return lines[0]


def test_the_command_refuses_an_empty_database(spoilt):
    copy, environ = spoilt
    (copy / "keyturn.db").unlink()
    assert "flask bootstrap" in serve(environ)


def test_the_command_refuses_a_key_that_others_can_read(spoilt):
    copy, environ = spoilt
    (copy / "keys" / "master.key").chmod(0o644)
    assert "chmod 600" in serve(environ)


def test_the_command_refuses_a_bad_setting(spoilt):
    _, environ = spoilt
    line = serve(environ | {"KEYTURN_TOKEN_TTL": "soon\nKEYTURN_X"})
    assert line.startswith("keyturn: KEYTURN_TOKEN_TTL: ")


def test_the_command_refuses_a_database_that_nobody_serves(spoilt):
    _, environ = spoilt
    url = f"postgresql+psycopg://somebody:s3cret@127.0.0.1:{free_port()}/keyturn"
    line = serve(environ | {"KEYTURN_DATABASE_URL": url})
    assert "database" in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("private_key = x'00'", "altered"),
        ("private_key = randomblob(150)", "altered"),
        ("private_key = NULL", "no signing key"),
        ("public_jwk = '{}'", "damaged"),
        ("public_jwk = '[]'", "damaged"),
        ("public_jwk = 'nonsense'", "damaged"),
        ("algorithm = 'none'", "damaged"),
        ("algorithm = 'RS256'", "damaged"),
        ("created_at = 'yesterday'", "damaged"),
    ],
)
def test_a_corrupt_key_row(spoilt, sql, damage, said):
    _, environ = spoilt
    sql(f"UPDATE signing_keys SET {damage} WHERE stage = 'current'")
    assert said in refusal(environ)


# The database ---------------------------------------------------------------------------------


NEWER = "UPDATE alembic_version SET version_num = 'ffffffffffff', oldest_code = "


@pytest.mark.parametrize("oldest", ["'ffffffffffff'", "NULL"])
def test_a_newer_database(spoilt, sql, oldest):
    _, environ = spoilt
    sql(NEWER + oldest)
    assert "newer" in refusal(environ)


@pytest.mark.parametrize("oldest", ["'0001'", f"'{schema.head()}'"])
def test_a_newer_database_that_lets_this_code_use_it(spoilt, sql, oldest):
    """As a node of the old version starts again while the others are replaced."""
    _, environ = spoilt
    sql(NEWER + oldest)
    ran = forked.run(["bootstrap", "--json"], process_environ(environ))
    assert (ran.returncode, ran.stdout) == (0, "null\n"), ran.stderr
    app = create_app(Settings.from_env(environ))
    services(app).check()
    services(app).store.engine.dispose()


def test_an_older_database(monkeypatch, tmp_path):
    """Today's database, seen by a code that has one more migration."""
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    head = ScriptDirectory(str(migrations)).get_current_head()
    (migrations / "versions" / "later.py").write_text(
        f"revision = 'later'\ndown_revision = {head!r}\n"
        "def upgrade(): pass\ndef downgrade(): pass\n"
    )
    with installed(tmp_path / "old") as old:
        require_current(old.services.store)
        monkeypatch.setattr(schema, "MIGRATIONS", migrations)
        with pytest.raises(StartRefused, match="flask db upgrade"):
            require_current(old.services.store)


def test_a_database_that_is_a_directory(spoilt):
    copy, environ = spoilt
    (copy / "keyturn.db").unlink()
    (copy / "keyturn.db").mkdir()
    assert "database" in refusal(environ)


def test_a_database_that_is_something_else(spoilt):
    copy, environ = spoilt
    (copy / "keyturn.db").write_bytes(b"this is no database, and never was one" * 100)
    assert "database" in refusal(environ)


def test_an_empty_postgresql(spoilt, postgres_url):
    _, environ = spoilt
    assert "flask bootstrap" in refusal(environ | {"KEYTURN_DATABASE_URL": postgres_url})


def test_no_signing_key(spoilt, sql):
    _, environ = spoilt
    sql("DELETE FROM signing_keys")
    assert "signing key" in refusal(environ)


# The master key -------------------------------------------------------------------------------


def test_no_master_key(spoilt):
    copy, environ = spoilt
    (copy / "keys" / "master.key").unlink()
    assert str(copy / "keys" / "master.key") in refusal(environ)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_master_key_that_others_can_reach(spoilt, mode):
    copy, environ = spoilt
    (copy / "keys" / "master.key").chmod(mode)
    assert "chmod 600" in refusal(environ)


@pytest.mark.skipif(os.geteuid() == 0, reason=NOT_AS_ROOT)
def test_an_unreadable_master_key(spoilt):
    copy, environ = spoilt
    (copy / "keys" / "master.key").chmod(0)
    assert "cannot be read" in refusal(environ)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_a_master_key_that_is_no_file(spoilt, kind):
    copy, environ = spoilt
    key = copy / "keys" / "master.key"
    key.rename(copy / "elsewhere")
    if kind == "directory":
        key.mkdir(mode=0o700)
    elif kind == "link":
        key.symlink_to(copy / "elsewhere")
    else:
        os.mkfifo(key, 0o600)
    assert "master.key" in refusal(environ)


@pytest.mark.parametrize("content", ["", "\n", "short", "é" * 43, "A" * 44 + "B", "!" * 43])
def test_a_master_key_that_is_none(spoilt, content):
    copy, environ = spoilt
    (copy / "keys" / "master.key").write_text(content)
    assert "32 bytes" in refusal(environ)


def test_another_installations_master_key(spoilt):
    copy, environ = spoilt
    (copy / "keys" / "master.key").write_bytes(urlsafe_b64encode(bytes(32)))
    assert "another master key" in refusal(environ)


def test_a_master_key_by_its_variable(spoilt):
    copy, environ = spoilt
    key = (copy / "keys" / "master.key").read_text().strip()
    (copy / "keys" / "master.key").unlink()
    app = create_app(Settings.from_env(environ | {"KEYTURN_MASTER_KEY": key}))
    services(app).check()
    services(app).store.engine.dispose()
    wrong = urlsafe_b64encode(bytes(32)).decode()
    assert "another master key" in refusal(environ | {"KEYTURN_MASTER_KEY": wrong})
    line = refusal(environ | {"KEYTURN_MASTER_KEY": "tooshort"})
    assert "KEYTURN_MASTER_KEY" in line
    assert "tooshort" not in line


def test_a_master_key_shows_itself_to_nobody(spoilt):
    copy, environ = spoilt
    text = (copy / "keys" / "master.key").read_text().strip()
    key = read_master_key(str(copy / "keys"), None)
    settings = Settings.from_env(environ | {"KEYTURN_MASTER_KEY": text})
    for shown in (repr(key), str(key), repr(settings)):
        assert text not in shown


# The settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYTURN_ISSUER", "http://auth.example.com"),
        ("KEYTURN_ISSUER", "https://auth.example.com/"),
        ("KEYTURN_ISSUER", "https://auth.example.com?x"),
        ("KEYTURN_ISSUER", "https://auth.example.com#x"),
        ("KEYTURN_ISSUER", "https://user@auth.example.com"),
        ("KEYTURN_ISSUER", "auth.example.com"),
        ("KEYTURN_ISSUER", "ftp://auth.example.com"),
        ("KEYTURN_ISSUER", ""),
        ("KEYTURN_ISSUER", "https://[::1"),
        ("KEYTURN_DATABASE_URL", "mysql://root:s3cret@localhost/x"),
        ("KEYTURN_DATABASE_URL", ""),
        ("KEYTURN_TOKEN_TTL", "soon"),
        ("KEYTURN_TOKEN_TTL", "0"),
        ("KEYTURN_TOKEN_TTL", "-1"),
        ("KEYTURN_TOKEN_TTL", "1e3"),
        ("KEYTURN_TOKEN_TTL", ""),
        ("KEYTURN_SIGNING_ALGORITHM", "none"),
        ("KEYTURN_SIGNING_ALGORITHM", "HS256"),
        ("KEYTURN_KEY_PREFIX", "has blank"),
        ("KEYTURN_TRUSTED_PROXIES", "everybody"),
        ("KEYTURN_SCOPE_EXCESS", "whatever"),
        ("KEYTURN_MASTER_KEY", ""),
        ("KEYTURN_TOKEN_TLL", "900"),
    ],
)
def test_a_bad_setting_is_named(name, value):
    with pytest.raises(StartRefused, match=f"^{name}: ") as refused:
        Settings.from_env({name: value})
    assert "s3cret" not in refused.value.description


def test_what_belongs_to_clients_and_tests_is_nothing_to_the_server():
    beside = {"KEYTURN_CLIENT_ID": "x", "KEYTURN_TEST_DATABASE_URL": "y", "PATH": "z"}
    assert Settings.from_env(beside) == Settings()


# And a start that can be ----------------------------------------------------------------------


def test_nothing_is_wrong_with_the_copy_itself(spoilt):
    copy, environ = spoilt
    app = create_app(Settings.from_env(environ))
    services(app).check()
    services(app).store.engine.dispose()
    assert (copy / "keys" / "master.key").stat().st_mode & 0o777 == 0o600
    assert (copy / "keys").stat().st_mode & 0o077 == 0
