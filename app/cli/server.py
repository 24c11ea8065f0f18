"""``flask bootstrap`` and ``flask serve``: from an empty checkout to a served token."""

from __future__ import annotations

import gc
import json
import logging
import os
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.admin.bootstrap import Bootstrapped, begin_signing, bootstrap
from app.admin.contention import until_settled
from app.cli.shipping import PATIENCE, shipped_beside
from app.crypto.master_key import create_master_key
from app.errors import StartRefused, Unavailable
from app.oauth.metadata import TOKEN
from app.observe.logs import GRANIAN
from app.settings import Settings, forget_secrets
from app.storage.schema import is_ahead
from app.wiring import Services, services

THREADS = 32
"""Blocking threads of a worker: as many slow bodies can wait before others have to."""

QUEUE = 8192
HEADER_TIMEOUT_MS = 5000


def register(app: Flask) -> None:
    """Add both commands."""
    app.cli.add_command(bootstrap_command)
    app.cli.add_command(serve_command)


@click.command("bootstrap")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@with_appcontext
def bootstrap_command(as_json: bool) -> None:
    """Make what is missing: master key, tables, signing keys, administrator, first client.

    Changes nothing that is there; safe to repeat. Secrets are printed once, on the first start.
    """
    found = services(current_app)
    try:
        made = _prepare(found)
    except (StartRefused, Unavailable) as error:
        raise SystemExit(f"keyturn: {error.description}") from None
    if as_json:
        click.echo(json.dumps(made and _as_dict(found, made)))
    elif made is not None:
        click.echo(_welcome(found, made))


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=THREADS, show_default=True, type=click.IntRange(1, 256))
@with_appcontext
def serve_command(host: str, port: int, workers: int, threads: int) -> None:
    """Serve on Granian, the production WSGI server."""
    found = services(current_app)
    try:
        found.check()
    except (StartRefused, Unavailable) as error:
        raise SystemExit(f"keyturn: {error.description}") from None
    # Workers are forked: a connection left open here would be one that they all talk over.
    found.store.engine.dispose()
    _show_metrics(found.settings)
    # What is imported stays: a full collection that looks at it stops a worker for 200 ms.
    gc.collect()
    gc.freeze()
    click.echo(f"Keyturn serves {found.settings.issuer} on http://{host}:{port} (Ctrl+C ends it)")
    server = Granian(
        "wsgi:app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backlog=QUEUE,
        backpressure=QUEUE,
        # HTTP/2 in the clear is for nobody, and none of the limits here would bound it.
        http=HTTPModes.http1,
        # Whoever does not even finish his headers is not waited for.
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        websockets=False,
        # Its warnings are about the number of threads, which is meant.
        log_level=LogLevels.error,
        log_dictconfig=GRANIAN,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=8,
    )
    with shipped_beside(found):
        server.serve(target_loader=_begin)


def _begin(_target: str) -> Any:
    """The app in a worker: seen by metrics at once, its journal shipped by another process."""
    app = import_module("wsgi").app
    # Here, because a worker that is spawned reads the settings anew; and Granian copies the
    # environment into that of every request.
    forget_secrets(os.environ)
    found = services(app)
    found.shipper.stand_by(PATIENCE)
    background = found.background
    background.start()
    background.then(logging.shutdown)  # counts of repeated lines are to be written yet
    return app


def _show_metrics(settings: Settings) -> None:
    if settings.metrics_token is None and settings.metrics_port is None:
        return
    from app.observe import exposition, worker_files

    directory = Path(settings.metrics_dir)
    try:
        worker_files.clean(directory)
        if settings.metrics_port is not None:
            exposition.listen(directory, settings.metrics_port)
    except OSError as error:
        raise SystemExit(f"keyturn: The metrics cannot be shown: {error}") from None


def _prepare(found: Services) -> Bootstrapped | None:
    if found.settings.master_key is None:
        create_master_key(found.settings.keys_dir, secrets.token_bytes)
    if not is_ahead(found.store):
        upgrade()
    made = until_settled(lambda: bootstrap(found.desk))
    until_settled(lambda: begin_signing(found.desk))
    found.check()
    return made


def _token_request(found: Services, made: Bootstrapped) -> str:
    return (
        f"curl -u {made.client_id}:{made.client_secret} \\\n"
        f"     -d grant_type=client_credentials {found.settings.issuer}{TOKEN}"
    )


def _as_dict(found: Services, made: Bootstrapped) -> dict[str, str]:
    return {
        "organization_id": made.organization_id,
        "email": made.email,
        "sign_in_link": made.sign_in_link,
        "client_id": made.client_id,
        "client_secret": made.client_secret,
        "scope": made.scope,
        "token_endpoint": found.settings.issuer + TOKEN,
    }


def _welcome(found: Services, made: Bootstrapped) -> str:
    return f"""
Keyturn is set up. Both secrets below are shown once and kept as hashes only.

  Dashboard, one sign-in for {made.email} until {made.sign_in_expires_at:%H:%M} UTC:
    {made.sign_in_link}

  A first token (this client may read the administration, and change nothing):
    {_token_request(found, made)}

  A client of your own:
    .venv/bin/flask scope add bookings:read
    .venv/bin/flask client create --name my-service --scope bookings:read
"""
