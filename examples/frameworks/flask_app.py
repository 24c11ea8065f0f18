"""Flask: `granian --interface wsgi examples.frameworks.flask_app:app`"""

from __future__ import annotations

from flask import Flask

from examples.frameworks.policy import LIMITS, POLICY, settings
from keyturn import Guard, Verifier
from keyturn.flask import current_principal, protect, register_refusals
from keyturn.limits.local import LocalLimits

app = Flask(__name__, static_folder=None)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/bookings")
@app.post("/bookings", endpoint="create")
def bookings() -> dict[str, str | None]:
    return {"bookings_of": current_principal.organization}


register_refusals(app)
protect(app, Guard(Verifier(**settings()), limits=LocalLimits(*LIMITS)), POLICY)
