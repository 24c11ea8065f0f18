"""The route policy: what each route asks. A route that is not here stops the start."""

from keyturn import AUTHENTICATED, PUBLIC, Route, RoutePolicy, all_of

BOOKING, WIDGET = "booking", "widget"
"""Classes of routes that plans and keys may have limits of their own for."""

POLICY = RoutePolicy(
    {
        "GET /health": PUBLIC,
        "GET /api/v1/users/me": AUTHENTICATED,
        "GET /v1/experiences": all_of("experiences:read"),
        "GET /v1/experiences/{id}": all_of("experiences:read"),
        "GET /v1/services": all_of("experiences:read"),
        "GET /v1/event-types": all_of("experiences:read"),
        "GET /v1/properties": all_of("properties:read"),
        "GET /v1/properties/{id}": all_of("properties:read"),
        "GET /v1/availability": all_of("availability:read"),
        "PUT /v1/availability": all_of("availability:write"),
        "GET /v1/bookings": all_of("bookings:read"),
        "GET /v1/bookings/{id}": all_of("bookings:read"),
        "POST /v1/bookings": Route(all_of("bookings:create"), BOOKING),
        "PATCH /v1/bookings/{id}": Route(all_of("bookings:write"), BOOKING),
        "GET /v1/analytics": all_of("analytics:read"),
        "GET /v1/widget/experiences": Route(
            all_of("widget:access", "experiences:read", "availability:read"), WIDGET
        ),
        "POST /v1/widget/bookings": Route(all_of("widget:access", "bookings:create"), WIDGET),
    }
)
