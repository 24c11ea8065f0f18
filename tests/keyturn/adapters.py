"""The same small API by each framework, as a server of its own: `python -m tests.keyturn.adapters
flask 8000`, with ISSUER, AUDIENCE, CLIENT_ID and CLIENT_SECRET in the environment.

Every profile, and every request id, is what a request asks for by X-Profile and X-Id.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from keyturn import (
    AUTHENTICATED,
    PUBLIC,
    AsyncGuard,
    AsyncVerifier,
    Guard,
    Proxies,
    Route,
    RoutePolicy,
    Verifier,
    all_of,
    any_of,
)
from keyturn.limits.local import LocalLimits
from keyturn.profiles import DEFAULT_PROFILE
from keyturn.usage import UsageReporter

ROUTES = {
    "GET /health": PUBLIC,
    "GET /me": AUTHENTICATED,
    "GET /rooms": AUTHENTICATED,  # and the view is declared to ask for more
    "GET /halls": AUTHENTICATED,  # and the view asks for more in its midst
    "GET /bookings": all_of("bookings:read"),
    "POST /bookings": Route(any_of("bookings:create", "bookings:write"), "booking"),
    "DELETE /bookings/{id}": Route(all_of("bookings:burn"), "booking"),
}
LIMITS = ("1000/day", "2/day:booking", "100/minute:booking")
USAGE = {"interval": timedelta(milliseconds=100), "requests": 1.0}
PROXIES = Proxies.of(["127.0.0.1"])
PROFILE, ID = "X-Profile", "X-Id"


def asked():
    return {
        "issuer": os.environ["ISSUER"],
        "audience": os.environ["AUDIENCE"],
        "client_id": os.environ["CLIENT_ID"],
        "client_secret": os.environ["CLIENT_SECRET"],
    }


def guarding(kind, verifier):
    return kind(verifier, limits=LocalLimits(*LIMITS), usage=UsageReporter(verifier, **USAGE))


def shown(principal, *asked):
    for scope in asked:
        principal.require(scope)
    return {"id": principal.id, "organization": principal.organization}


def flask_app():
    from flask import Flask, jsonify, request

    from keyturn.flask import current_principal, protect, register_refusals, require_scope

    app = Flask("bookings", static_folder=None)
    guard = guarding(Guard, Verifier(**asked()))

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.get("/rooms")
    @require_scope(guard, "rooms:read")
    def rooms():
        return jsonify(shown(current_principal))

    @app.get("/halls")
    def halls():
        return jsonify(shown(current_principal, "halls:read"))

    @app.get("/me", endpoint="me")
    @app.get("/bookings", endpoint="list")
    @app.post("/bookings", endpoint="create")
    @app.delete("/bookings/<int:number>", endpoint="delete")
    def view(number=0):
        return jsonify(shown(current_principal))

    register_refusals(
        app,
        realm="bookings",
        request_id=lambda: request.headers.get(ID),
        profile=lambda: request.headers.get(PROFILE, DEFAULT_PROFILE),
    )
    protect(app, guard, RoutePolicy(ROUTES), proxies=PROXIES)
    return app


def header_of(scope, name, default=None):
    for known, value in scope["headers"]:
        if known == name.lower().encode():
            return value.decode()
    return default


def told_in_asgi():
    return {
        "realm": "bookings",
        "request_id": lambda scope: header_of(scope, ID),
        "profile": lambda scope: header_of(scope, PROFILE, DEFAULT_PROFILE),
        "proxies": PROXIES,
    }


def starlette_app():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    from keyturn import Route as Asked
    from keyturn.starlette import admit, principal_of, protect

    guard = guarding(AsyncGuard, AsyncVerifier(**asked()))

    async def health(request):
        return JSONResponse({"status": "ok"})

    async def rooms(request):
        return JSONResponse(shown(await admit(request.scope, guard, Asked(all_of("rooms:read")))))

    async def halls(request):
        return JSONResponse(shown(principal_of(request.scope), "halls:read"))

    async def view(request):
        return JSONResponse(shown(principal_of(request.scope)))

    bookings = Mount("/bookings", routes=[Route("/{id:int}", view, methods=["DELETE"])])
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/me", view),
            Route("/rooms", rooms),
            Route("/halls", halls),
            Route("/bookings", view),
            Route("/bookings", view, methods=["POST"]),
            bookings,
        ]
    )
    protect(app, guard, RoutePolicy(ROUTES), **told_in_asgi())
    return app


def fastapi_app():
    from typing import Annotated

    from fastapi import APIRouter, Depends, FastAPI

    from keyturn import Principal
    from keyturn.fastapi import current_principal, protect, requires

    app = FastAPI(docs_url=None, redoc_url=None)
    router = APIRouter(prefix="/bookings")
    guard = guarding(AsyncGuard, AsyncVerifier(**asked()))

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health():
        return {"status": "ok"}

    async def rooms(principal):
        return shown(principal)

    rooms.__annotations__["principal"] = Annotated[Principal, Depends(requires("rooms:read"))]
    app.get("/rooms")(rooms)

    async def halls(principal):
        return shown(principal, "halls:read")

    async def view(principal):
        return shown(principal)

    current = Annotated[Principal, Depends(current_principal)]
    halls.__annotations__["principal"] = view.__annotations__["principal"] = current
    app.get("/halls")(halls)
    app.api_route("/me", methods=["GET", "HEAD"])(view)
    router.get("")(view)
    router.post("")(view)

    async def numbered(number: int, principal):
        return shown(principal)

    numbered.__annotations__.update(view.__annotations__, number=int)
    router.delete("/{number:int}")(numbered)
    app.include_router(router)
    routes = {**ROUTES, "GET /openapi.json": PUBLIC}
    protect(app, guard, RoutePolicy(routes), **told_in_asgi())
    return app


def django_urls(is_async):
    from django.http import JsonResponse
    from django.urls import path
    from django.views import View

    from keyturn.django import principal_of, require_scope

    def health(request):
        return JsonResponse({"status": "ok"})

    if is_async:

        @require_scope("rooms:read")
        async def rooms(request):
            return JsonResponse(shown(principal_of(request)))

        async def me(request):
            return JsonResponse(shown(principal_of(request)))
    else:

        @require_scope("rooms:read")
        def rooms(request):
            return JsonResponse(shown(principal_of(request)))

        def me(request):
            return JsonResponse(shown(principal_of(request)))

    def halls(request):
        return JsonResponse(shown(principal_of(request), "halls:read"))

    class Bookings(View):
        def get(self, request, number=0):
            return JsonResponse(shown(principal_of(request)))

        post = get

    class Booking(View):
        delete = Bookings.get

    return [
        path("health", health),
        path("me", me),
        path("rooms", rooms),
        path("halls", halls),
        path("bookings", Bookings.as_view()),
        path("bookings/<int:number>", Booking.as_view()),
    ]


def django_app(urls, is_async, **said):
    """`urls`: makes them, once there are settings to import views with."""
    import django
    from django.conf import settings

    class Urls:
        urlpatterns = ()

    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=Urls,
        MIDDLEWARE=["keyturn.django.KeyturnMiddleware"],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        KEYTURN={
            **said,
            "VERIFIER": asked(),
            "USAGE": USAGE,
            "LIMITS": lambda verifier: LocalLimits(*LIMITS),
            "REALM": "bookings",
            "REQUEST_ID": lambda request: request.headers.get(ID),
            "PROFILE": lambda request: request.headers.get(PROFILE, DEFAULT_PROFILE),
            "PROXIES": PROXIES,
        },
    )
    django.setup(set_prefix=False)
    Urls.urlpatterns = urls(is_async)
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    return get_asgi_application() if is_async else get_wsgi_application()


def django_wsgi():
    return django_app(django_urls, is_async=False, ROUTES=ROUTES)


def django_asgi():
    return django_app(django_urls, is_async=True, ROUTES=ROUTES)


def rest_framework():
    return django_app(rest_urls, is_async=False)


def rest_urls(is_async):
    from django.http import JsonResponse
    from django.urls import path
    from rest_framework.views import APIView

    from keyturn.drf import KeyturnAuthentication, has_scope

    def health(request):
        return JsonResponse({"status": "ok"})

    class Guarded(APIView):
        """What each method asks is in its permissions, and nowhere else."""

        authentication_classes = (KeyturnAuthentication,)
        asks: dict = {}  # noqa: RUF012

        def get_permissions(self):
            found = self.asks.get(self.request.method.replace("HEAD", "GET"), ())
            return [permission() for permission in found]

    def answer(self, request, number=0):
        return JsonResponse(shown(request.auth))

    class Halls(Guarded):
        asks: dict = {"GET": [has_scope()]}  # noqa: RUF012

        def get(self, request):
            return JsonResponse(shown(request.auth, "halls:read"))

    def view(**asks):
        methods = dict.fromkeys(map(str.lower, asks), answer)
        return type("View", (Guarded,), {"asks": asks, **methods}).as_view()

    writer = has_scope(any_of("bookings:create", "bookings:write"), route_class="booking")
    burner = has_scope("bookings:burn"), has_scope(route_class="booking")
    return [
        path("health", health),
        path("me", view(GET=[has_scope()])),
        path("rooms", view(GET=[has_scope(), has_scope("rooms:read")])),
        path("halls", Halls.as_view()),
        path("bookings", view(GET=[has_scope("bookings:read")], POST=[writer])),
        path("bookings/<int:number>", view(DELETE=burner)),
    ]


ADAPTERS = {
    "flask": ("wsgi", "flask_app"),
    "starlette": ("asgi", "starlette_app"),
    "fastapi": ("asgi", "fastapi_app"),
    "django": ("wsgi", "django_wsgi"),
    "django under ASGI": ("asgi", "django_asgi"),
    "django REST framework": ("wsgi", "rest_framework"),
}

if __name__ == "__main__":
    from granian import Granian

    interface, factory = ADAPTERS[sys.argv[1]]
    Granian(
        f"tests.keyturn.adapters:{factory}",
        address="127.0.0.1",
        port=int(sys.argv[2]),
        interface=interface,
        factory=True,
    ).serve()
