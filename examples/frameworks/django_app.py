"""Django: `granian --interface wsgi examples.frameworks.django_app:app`"""

from __future__ import annotations

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from examples.frameworks.policy import LIMITS, ROUTES
from examples.frameworks.policy import settings as asked
from keyturn.django import principal_of
from keyturn.limits.local import LocalLimits


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def bookings(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"bookings_of": principal_of(request).organization})


urlpatterns = [path("health", health), path("bookings", bookings)]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["keyturn.django.KeyturnMiddleware"],
    KEYTURN={
        "VERIFIER": asked(),
        "ROUTES": ROUTES,
        "LIMITS": lambda verifier: LocalLimits(*LIMITS),
    },
)
django.setup(set_prefix=False)
app = get_wsgi_application()
