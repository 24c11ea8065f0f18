"""Journals of tests: lines, segments, and tokens that are journalled."""

import json
import time

GRANT = {"grant_type": "client_credentials"}
LIMIT = 1 << 20


def ask(installation, client, **form):
    return installation.http.post("/oauth/token", data=GRANT | form, auth=client)


def a_line(number=0, **also):
    event = {
        "id": f"evt_{number:014x}0000000000000000",
        "time": time.time_ns(),
        "type": "token.issued",
        "actor_type": "client",
        "actor_id": "client_x",
        "organization_id": "org_x",
        "target_type": "token",
        "target_id": f"jti-{number}",
        "details": {},
    }
    return json.dumps(event | also).encode() + b"\n"


def segment(installation, *lines, name="0-1-0"):
    installation.journal_dir.mkdir(exist_ok=True)
    (installation.journal_dir / f"{name}.jsonl").write_bytes(b"".join(lines))
