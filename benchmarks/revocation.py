"""How long a revoked credential goes on working at a verifier that asks nobody."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks.installation import AUDIENCE
from benchmarks.report import table
from benchmarks.serving import Issuer
from keyturn import CredentialRefused, Verifier

POLL = timedelta(seconds=1)
REVOCATIONS = 100
APART = 0.25
"""Seconds between two of them, on average: they meet the poll at any of its moments."""


def revocation(directory: Path, revocations: int = REVOCATIONS) -> None:
    """From the answer to a ``DELETE`` of a secret to the first refusal; print the table."""
    with Issuer.running(directory) as issuer:
        admin = issuer.client(["keyturn:clients:read", "keyturn:clients:write"])
        headers = {
            "Authorization": f"Bearer {issuer.token(admin, 'grant_type=client_credentials')}"
        }
        with closing(Verifier(issuer.url, AUDIENCE, status_interval=POLL)) as verifier:
            waiting: dict[str, float] = {}
            took: list[float] = []
            for _ in range(revocations):
                client = issuer.client()
                token = f"Bearer {issuer.token(client)}"
                verifier.verify(token)
                path = f"/v1/clients/{client.client_id}/secrets"
                secret = issuer.http.get(path, headers=headers).raise_for_status().json()["data"][0]
                begun = time.monotonic()
                issuer.http.delete(f"{path}/{secret['id']}", headers=headers).raise_for_status()
                waiting[token] = begun
                _watch(verifier, waiting, took, random.uniform(0, 2 * APART))
            while waiting:
                _watch(verifier, waiting, took, 0.1)
    ends = quantiles(took, n=100, method="inclusive")
    figures = [f"{one:.2f}" for one in (median(took), ends[98], max(took))]
    heads = [f"seconds from DELETE to refusal, poll {POLL.seconds} s", "p50", "p99", "longest"]
    print(table(heads, [[f"{len(took)} client secrets", *figures]]))


def _watch(
    verifier: Verifier, waiting: dict[str, float], took: list[float], seconds: float
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for token, begun in tuple(waiting.items()):
            try:
                verifier.verify(token)
            except CredentialRefused:
                took.append(time.monotonic() - begun)
                del waiting[token]
        time.sleep(0.005)
