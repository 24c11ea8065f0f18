"""The areas of the dashboard: which there are, in which order, and for whom."""

from __future__ import annotations

from app.builtin import (
    AUDIT_READ,
    CLIENTS_READ,
    KEYS_READ,
    ORGANIZATIONS_READ,
    SCOPES_READ,
    SIGNING_KEYS_READ,
    USAGE_READ,
    USERS_READ,
)
from app.web.dashboard import (
    account,
    activity,
    api_key_ends,
    api_keys,
    appearance,
    client_secrets,
    clients,
    inspector,
    limits,
    organization,
    organizations,
    overview,
    people,
    plans,
    presets,
    refusals,
    requests,
    resources,
    scopes,
    second_factor,
    settings,
    sign_in,
    signing_keys,
)
from app.web.dashboard.navigation import INSTALLATION, SETTINGS, Page

PAGES = (
    Page(overview.blueprint, "Overview"),
    Page(
        activity.blueprint,
        "Activity",
        scope=AUDIT_READ,
        about="Who did what to which, as a list and as a file",
    ),
    Page(
        requests.blueprint,
        "Request log",
        scope=USAGE_READ,
        about="Single requests of your credentials: by whom, for what, and how it was answered",
    ),
    Page(
        refusals.blueprint,
        "Why was I refused?",
        scope=AUDIT_READ,
        about="The exact reason of a refusal, by its request ID",
    ),
    Page(
        api_keys.blueprint,
        "api_keys",
        SETTINGS,
        KEYS_READ,
        about="Keys for programs: made, restricted, rotated, revoked",
        also=(api_key_ends.blueprint,),
    ),
    Page(
        inspector.blueprint,
        "Inspector",
        SETTINGS,
        KEYS_READ,
        about="Which rule blocks a key",
    ),
    Page(
        clients.blueprint,
        "Clients",
        SETTINGS,
        CLIENTS_READ,
        about="Services that obtain tokens with a client_id and a secret",
        also=(client_secrets.blueprint,),
    ),
    Page(
        scopes.blueprint,
        "Scopes",
        SETTINGS,
        SCOPES_READ,
        about="What can be granted, and what comes with it",
    ),
    Page(
        presets.blueprint,
        "Presets",
        SETTINGS,
        SCOPES_READ,
        about="Scopes that are granted together, by a name",
    ),
    Page(
        resources.blueprint,
        "Resources",
        SETTINGS,
        SCOPES_READ,
        about="The APIs that tokens are meant for",
    ),
    Page(
        limits.blueprint,
        "Plan and limits",
        SETTINGS,
        USAGE_READ,
        about="What your plan allows, how much of it is used, and the limits that hold",
    ),
    Page(
        organization.blueprint,
        "Organization",
        SETTINGS,
        about="How its keys look, how refusals read, and what it asks of its keys",
    ),
    Page(
        organizations.blueprint,
        "Organizations",
        INSTALLATION,
        ORGANIZATIONS_READ,
        is_for_operator=True,
        about="Who is on which plan, and whose credentials are taken",
    ),
    Page(
        plans.blueprint,
        "Plans",
        INSTALLATION,
        ORGANIZATIONS_READ,
        is_for_operator=True,
        about="How many keys organizations have, and how often they are taken",
    ),
    Page(
        signing_keys.blueprint,
        "Signing keys",
        INSTALLATION,
        SIGNING_KEYS_READ,
        is_for_operator=True,
        about="The keys that sign tokens",
    ),
    Page(people.blueprint, "People", SETTINGS, USERS_READ, about="Who may sign in, and as what"),
)
"""Every area, in the order of the navigation."""

BESIDE = (settings.blueprint, account.blueprint, second_factor.blueprint)
"""Pages that are reached by a heading of the navigation, or by one's own menu."""

OPEN = (sign_in.blueprint, appearance.blueprint)
"""What can be reached without being signed in."""
