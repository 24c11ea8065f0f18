"""Starlette: `granian --interface asgi examples.frameworks.starlette_app:app`"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.frameworks.policy import LIMITS, POLICY, settings
from keyturn import AsyncGuard, AsyncVerifier
from keyturn.limits.local import LocalLimits
from keyturn.starlette import principal_of, protect


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def bookings(request: Request) -> JSONResponse:
    return JSONResponse({"bookings_of": principal_of(request.scope).organization})


app = Starlette(
    routes=[Route("/health", health), Route("/bookings", bookings, methods=["GET", "POST"])]
)
protect(app, AsyncGuard(AsyncVerifier(**settings()), limits=LocalLimits(*LIMITS)), POLICY)
