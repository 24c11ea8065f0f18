"""What the adapters for ASGI and Django tell of single requests, where that is wanted."""

import asyncio
import sys

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from keyturn import AsyncGuard, RoutePolicy, all_of
from keyturn.starlette import protect
from keyturn.testing import AUDIENCE, TestIssuer
from keyturn.usage import UsageReporter
from tests.keyturn.support import with_django_settings


def in_asgi(issuer, calls, usage):
    async def view(request):
        return PlainTextResponse("booked", 200 if request.path_params["number"] == 7 else 404)

    async def main():
        verifier = issuer.async_verifier()
        app = Starlette(routes=[Mount("/v1", routes=[Route("/bookings/{number:int}", view)])])
        guard = AsyncGuard(verifier, usage=UsageReporter(verifier, **usage))
        policy = RoutePolicy({"GET /v1/bookings/{number}": all_of("a:read")})
        protect(app, guard, policy, request_id=lambda scope: "req-1")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://api.test"
        ) as http:
            answers = [await http.get(path, headers=headers) for path, headers in calls]
        await guard.close()
        return [answer.status_code for answer in answers]

    return asyncio.run(main())


def in_django(issuer, calls, usage):
    with_django_settings()
    from django.http import HttpResponse
    from django.test import Client, override_settings
    from django.urls import path

    from keyturn.django import KeyturnMiddleware

    doors = []

    class Remembered(KeyturnMiddleware):
        def __init__(self, get_response):
            super().__init__(get_response)
            doors.append(self._door)

    def view(request, number):
        return HttpResponse("booked", status=200 if number == 7 else 404)

    settings = {"issuer": issuer.url, "audience": AUDIENCE, "http_client": issuer.http_client}
    said = {
        "VERIFIER": {**settings, "client_id": "a", "client_secret": "b"},
        "ROUTES": {"GET /v1/bookings/{number}": all_of("a:read")},
        "REQUEST_ID": lambda request: "req-1",
        "USAGE": usage,
    }
    urls = type("Urls", (), {"urlpatterns": (path("v1/bookings/<int:number>", view),)})
    this = sys.modules[__name__]
    this.Remembered = Remembered
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[f"{__name__}.Remembered"], KEYTURN=said):
        statuses = [Client().get(path, headers=headers).status_code for path, headers in calls]
    for door in doors:
        door.guard.close()
    return statuses


@pytest.mark.row("S2-43")
@pytest.mark.parametrize(
    ("serve", "template"),
    [(in_asgi, "/v1/bookings/{number:int}"), (in_django, "/v1/bookings/<int:number>")],
    ids=["ASGI", "Django"],
)
def test_single_requests_are_reported(serve, template):
    """As the Flask adapter does it."""
    issuer = TestIssuer()
    good, other = issuer.api_key("a:read"), issuer.api_key("b:read")
    calls = [
        ("/v1/bookings/7?secret=x", good),
        ("/v1/bookings/404", good),
        ("/v1/bookings/7", other),
        ("/v1/bookings/7", "x.y.z"),
        ("/nowhere", good),
    ]
    sent = [
        (path, {"Authorization": f"Bearer {key}", "User-Agent": "curl/8"}) for path, key in calls
    ]
    assert serve(issuer, sent, {"requests": 1.0}) == [200, 404, 403, 401, 404]
    names = ("credential_id", "method", "route", "status", "outcome", "reason", "request_id")
    found = [tuple(one.get(name) for name in names) for one in issuer.requests]
    assert found == [
        ("key_1", "GET", template, 200, "success", None, "req-1"),
        ("key_1", "GET", template, 404, "success", None, "req-1"),
        ("key_2", "GET", template, 403, "refused", "insufficient_scope", "req-1"),
    ]
    assert {(one["ip"], one["user_agent"]) for one in issuer.requests} == {("127.0.0.1", "curl/8")}
