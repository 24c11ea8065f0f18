"""An issuer that is served, for what verifies its tokens in this process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.installation import (
    FORM,
    ROOT,
    SCOPES,
    TOKEN_PATH,
    Credentials,
    Installation,
    process_environ,
)
from benchmarks.load import HOST
from benchmarks.running import free_port


class Issuer:
    """``flask serve`` of an installation, under the address that its tokens name."""

    def __init__(self, installation: Installation, url: str) -> None:
        self._installation = installation
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20)

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator[Issuer]:
        """For as long as the block lasts."""
        port = free_port()
        url = f"http://{HOST}:{port}"
        installation = Installation(directory, KEYTURN_ISSUER=url)
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "serve", "--port", str(port)],
            cwd=ROOT, env=process_environ(installation.environ),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        issuer = cls(installation, url)
        try:
            issuer._wait()
            yield issuer
        finally:
            issuer.http.close()
            process.terminate()
            process.wait(timeout=30)
            installation.close()

    def client(self, scopes: Sequence[str] = SCOPES) -> Credentials:
        return self._installation.client(scopes=scopes)

    def api_key(self) -> str:
        return self._installation.api_key()

    def token(self, client: Credentials, form: str = FORM.decode()) -> str:
        answer = self.http.post(
            TOKEN_PATH, content=form, auth=client,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                self.http.get("/health").raise_for_status()
                return
            except httpx.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
