"""What a customer of the booking API runs: the key is in the environment, and nowhere else.

BOOKINGS_API_KEY=… python -m examples.bookings.caller http://127.0.0.1:8001 BOOKINGS_API_KEY
"""

from __future__ import annotations

import os
import sys

import httpx


def main() -> None:
    url, variable = sys.argv[1:]
    try:
        key = os.environ[variable]
    except KeyError:
        raise SystemExit(f"put your API key into {variable}") from None
    headers = {"Authorization": f"Bearer {key}"}
    response = httpx.get(f"{url}/v1/experiences", headers=headers, timeout=10)
    response.raise_for_status()
    for experience in response.json()["data"]:
        print(experience["id"], experience["title"])


if __name__ == "__main__":
    main()
