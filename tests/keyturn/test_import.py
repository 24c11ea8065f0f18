"""What `import keyturn` brings into a process."""

import subprocess
import sys
from pathlib import Path

import keyturn

ROOT = Path(keyturn.__file__).parents[1]


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_no_framework_and_no_server():
    modules = loaded_by("import keyturn")
    assert "keyturn.bearer" in modules
    for name in ("flask", "werkzeug", "sqlalchemy", "authlib", "app", "fastapi", "django"):
        assert name not in modules


def test_the_http_client_comes_when_something_is_asked():
    modules = loaded_by(
        "import keyturn; keyturn.Verifier('https://a.example', 'https://b.example')"
    )
    assert "httpx" not in modules


def test_a_source_of_tokens_needs_no_other_client():
    modules = loaded_by(
        "from keyturn.client import TokenSource; TokenSource('https://a.example', 'c', 's')"
    )
    assert modules.isdisjoint({"httpx", "requests", "flask", "pytest"})


def test_flask_comes_with_the_flask_module():
    assert "flask" in loaded_by("import keyturn.flask")


def test_version():
    assert keyturn.__version__ == "0.1.0"
    assert (ROOT / "keyturn" / "py.typed").exists()
