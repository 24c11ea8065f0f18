"""What all of them share: what each route asks, and as whom this API asks the issuer."""

from __future__ import annotations

import os

from keyturn import PUBLIC, Route, RoutePolicy, all_of

ROUTES = {
    "GET /health": PUBLIC,
    "GET /bookings": all_of("bookings:read"),
    "POST /bookings": Route(all_of("bookings:create"), route_class="booking"),
}
POLICY = RoutePolicy(ROUTES)
LIMITS = ("600/minute", "60/minute:booking")


def settings() -> dict[str, str]:
    """What a verifier is made of, from the environment."""
    names = ("issuer", "audience", "client_id", "client_secret")
    return {name: os.environ[name.upper()] for name in names}
