"""FastAPI: `granian --interface asgi examples.frameworks.fastapi_app:app`; see /docs"""

from typing import Annotated

from fastapi import Depends, FastAPI

from examples.frameworks.policy import LIMITS, ROUTES, settings
from keyturn import PUBLIC, AsyncGuard, AsyncVerifier, Principal, RoutePolicy
from keyturn.fastapi import current_principal, protect
from keyturn.limits.local import LocalLimits

app = FastAPI(title="Bookings", redoc_url=None, swagger_ui_oauth2_redirect_url=None)
Caller = Annotated[Principal, Depends(current_principal)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/bookings")
@app.post("/bookings")
async def bookings(caller: Caller) -> dict[str, str | None]:
    return {"bookings_of": caller.organization}


policy = RoutePolicy({**ROUTES, "GET /docs": PUBLIC, "GET /openapi.json": PUBLIC})
protect(app, AsyncGuard(AsyncVerifier(**settings()), limits=LocalLimits(*LIMITS)), policy)
