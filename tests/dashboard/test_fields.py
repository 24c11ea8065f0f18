"""Every form says at each field what is wrong with it, and keeps what was typed, but no secret."""

from dataclasses import dataclass, field

import pyotp
import pytest

from app import create_app
from app.admin import plans, second_factor, sessions
from app.settings import Settings
from tests.support.fields import Fields
from tests.support.pages import COOKIE, form_of
from tests.support.people import ORIGIN, PASSWORD, invited

ODD = "odd\x01"
"""Nothing that one may call anything."""


@dataclass(frozen=True)
class Case:
    """A form: its page, where it is sent to (where that is not its page), and what to type."""

    page: str
    good: dict = field(default_factory=dict)
    """Values beside the wrong one; they are kept."""
    wrong: dict = field(default_factory=dict)
    """By field: a wrong value, where it is not ``ODD``, no choice, or no number."""
    also: dict = field(default_factory=dict)
    """By field: what else must be typed to find its value wrong."""
    free: frozenset = frozenset()
    """Fields that take whatever is typed."""
    to: str | None = None


KEY = {"name": "A key", "description": "What for", "allowed_ips": "192.0.2.0/24",
       "allowed_domains": "example.com", "rate_limits": "10/minute"}  # fmt: skip
WRONG_KEY = {"allowed_ips": "here", "allowed_domains": "no domain!", "rate_limits": "often"}
CLIENT = {"name": "A client", "description": "What for", "token_ttl": "600"}
WRONG_CLIENT = {"jwks": "{}", "jwks_uri": "nowhere", "wildcards": "nothing:*", "token_ttl": "-1"}
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}
PLAN = {"name": "A plan", "max_active_keys": "3", "rate_limits": "5/minute"}
FORMS = {
    "api_keys.new": Case(
        "/api-keys/new",
        {**KEY, "environment": "live", "scopes": ["bookings:read"], "expires": "custom",
         "expires_at": "2999-01-01"},
        {**WRONG_KEY, "expires_at": "soon", "wildcards": "nothing:*"},
    ),
    "api_keys.edit": Case("/api-keys/{key}/edit", KEY, WRONG_KEY),
    "api_key_ends.rotate": Case("/api-keys/{key}/rotate"),
    "api_key_ends.compromised": Case("/api-keys/{key}/compromised"),
    "api_key_ends.revoke": Case("/api-keys/{key}/revoke"),
    "clients.new": Case(
        "/clients/new",
        {**CLIENT, "environment": "live", "scopes": ["bookings:read"]},
        WRONG_CLIENT,
        {"jwks": SIGNS, "jwks_uri": SIGNS},
    ),
    "clients.edit": Case(
        "/clients/{client}/edit", CLIENT, WRONG_CLIENT, {"jwks": SIGNS, "jwks_uri": SIGNS}
    ),
    "client_secrets.new": Case("/clients/{client}/secrets/new"),
    "scopes.new": Case("/scopes/new", {"name": "new:scope", "description": "Something"}),
    "scopes.edit": Case("/scopes/edit?name=bookings:read", {"description": "Something"}),
    "presets.new": Case(
        "/presets/new", {"name": "new", "description": "Something"}, {"wildcards": "nothing:*"}
    ),
    "presets.edit": Case(
        "/presets/edit?name=reader", {"description": "Something"}, {"wildcards": "nothing:*"}
    ),
    "resources.new": Case(
        "/resources/new",
        {"identifier": "urn:new", "name": "New"},
        {"identifier": "nowhere", "wildcards": "nothing:*"},
    ),
    "resources.edit": Case(
        "/resources/{resource}/edit", {"name": "New"}, {"wildcards": "nothing:*"}
    ),
    "organizations.new": Case(
        "/organizations/new",
        {"name": "New", "environments": "live\ntest"},
        {"environments": "l-i-v-e"},
    ),
    "organizations.edit general": Case(
        "/organizations/{organization}/edit/general", {"name": "New"}, {"environments": "l-i-v-e"}
    ),
    "organizations.edit plan": Case("/organizations/{organization}/edit/plan"),
    "organizations.edit keys": Case(
        "/organizations/{organization}/edit/keys", wrong={"prefix": "a b", "key_variable": "a-b"}
    ),
    "organizations.edit errors": Case("/organizations/{organization}/edit/errors"),
    "organizations.edit limits": Case(
        "/organizations/{organization}/edit/limits", wrong={"rate_limits": "often"}
    ),
    "organizations.edit labels": Case("/organizations/{organization}/edit/labels"),
    "organizations.key_policy": Case(
        "/organizations/{organization}/key-policy",
        {"rotate_after_days": "30", "warn_inactive_days": "10", "disable_inactive_days": "20"},
        {"rotate_after_days": "-1", "warn_inactive_days": "-1", "disable_inactive_days": "-1"},
    ),
    "organization.edit general": Case("/organization/edit/general"),
    "organization.key_policy": Case(
        "/organization/key-policy", {"rotate_after_days": "30", "warn_inactive_days": "10"}
    ),
    "plans.new": Case("/plans/new", PLAN, {"max_active_keys": "-1", "rate_limits": "often"}),
    "plans.edit": Case("/plans/{plan}/edit", PLAN, {"rate_limits": "often"}),
    "people.new": Case("/people/new", {"email": "new@example.com", "name": "New"}),
    "people.role": Case("/people/{user}", to="/people/{user}/role"),
    "people.credentials": Case("/people/{me}/credentials"),
    "signing_keys.rotate": Case("/signing-keys/rotate"),
    "inspector.index": Case(
        "/inspector",
        {"key": "kt_live_x", "ip": "192.0.2.1", "origin": "https://example.com",
         "scopes": "bookings:read"},
        {"key": ""},
        free=frozenset({"ip", "origin", "scopes"}),  # a request may bring anything
    ),
    "account.name": Case("/account/name"),
    "account.password": Case(
        "/account/password",
        {"present": PASSWORD, "password": "another good one, really"},
        {"present": "not it", "password": "short"},
    ),
    "second_factor.turn_off": Case("/account/second-factor/off", wrong={"password": "not it"}),
    "second_factor.confirm": Case(
        "/account/second-factor", wrong={"code": "000000"}, to="/account/second-factor/confirm"
    ),
    "sign_in.index": Case(
        "/sign-in", {"email": "a@example.com", "password": "x"}, {"email": "", "password": ""}
    ),
    "sign_in.link": Case("/sign-in", wrong={"secret": "not it"}, to="/sign-in/link"),
    "sign_in.code": Case("/sign-in/code", wrong={"code": "000000"}),
    "sign_in.password": Case(
        "/sign-in/password", {"name": "Ada", "password": PASSWORD}, {"password": "short"}
    ),
}  # fmt: skip
BARE = {
    "account.end_others", "account.end_session", "api_keys.change_status", "appearance.choose",
    "client_secrets.end", "clients.change_status", "clients.delete", "organizations.come_back",
    "organizations.look", "organizations.resume", "organizations.suspend", "people.disable",
    "people.enable", "people.remove", "people.reset", "people.second_factor", "people.sign_out",
    "plans.delete", "presets.delete", "resources.delete", "scopes.remove", "second_factor.begin",
    "second_factor.recovery_codes", "sign_in.sign_out", "signing_keys.retire",
}  # fmt: skip
"""Forms of buttons alone."""


def test_every_form_is_here():
    sent_to = {
        rule.endpoint.removeprefix("dashboard.")
        for rule in create_app(Settings()).url_map.iter_rules()
        if rule.endpoint.startswith("dashboard.") and "POST" in (rule.methods or ())
    }
    assert {name.partition(" ")[0] for name in FORMS} | BARE == sent_to - {"unknown"}


@pytest.fixture(scope="module")
def places(installation):
    """What parts of paths name."""
    installation.preset("reader", ["bookings:read"])
    client = installation.client()
    plan = plans.create(installation.desk, installation.operator, plans.NewPlan(name="Small"))
    return {
        "key": installation.api_key().id,
        "client": client.client_id,
        "resource": installation.resource("urn:tours"),
        "organization": installation.organization(),
        "plan": plan.id,
        "user": invited(installation, role="member").user.id,
    }


@pytest.fixture
def browser(installation, site, stranger, places):
    """``browser(name)`` is somebody who sees that form, and the parts of its paths."""

    def begin(name):
        if name in ("sign_in.index", "sign_in.link"):
            return stranger, places
        if name == "sign_in.password":
            link = stranger.form("/sign-in", "/dashboard/sign-in/link")
            secret = invited(installation).secret
            stranger.post("/sign-in/link", {**link, "secret": secret})
            return stranger, places
        ada = site()
        if name == "people.credentials":
            ada.send("/api-keys/new", name="Mine", scopes=["bookings:read"], environment="live")
        if name.startswith("second_factor") or name == "sign_in.code":
            desk = installation.desk
            session = sessions.find(desk, ada.http.cookies[COOKIE])
            second_factor.begin(desk, session, ORIGIN)
            if name != "second_factor.confirm":
                app = pyotp.TOTP(second_factor.enrolment(desk, session).secret)
                opened = second_factor.confirm(desk, session, app.now(), ORIGIN).opened
                ada.http.cookies.set(
                    COOKIE, opened.secret, domain=ada.http.base_url.host, path="/dashboard"
                )
        if name == "sign_in.code":
            stranger.send("/sign-in", email=ada.user.email, password=PASSWORD)
            return stranger, places
        return ada, {**places, "me": ada.user.id}

    return begin


def wrong_value(case, one):
    """None: this field cannot be wrong."""
    if one.name in case.wrong:
        return case.wrong[one.name]
    if one.is_choice:
        return "no-such-choice"
    if one.kind == "checkbox" or one.name in case.free:
        return None
    return {"number": "many", "date": "soon"}.get(one.kind, ODD)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(browser, name):
    case = FORMS[name]
    site, places = browser(name)
    path, to = case.page.format(**places), (case.to or case.page).format(**places)
    action = f"/dashboard{to}" if case.to else ""
    page = site.get(path)
    assert page.status_code == 200, page.text
    fields = Fields(page.text, action).fields
    assert fields
    assert set(case.good) <= set(fields)
    for one in fields.values():
        typed = wrong_value(case, one)
        if typed is None:
            continue
        sent = form_of(site.get(path), action) | case.good | case.also.get(one.name, {})
        sent[one.name] = typed
        answer = site.post(to, sent)
        assert answer.status_code in (400, 403, 409), (one.name, answer.status_code)
        again = action if f'action="{action}"' in answer.text else ""
        shown = Fields(answer.text, again)
        assert shown.wrong(one.name), (one.name, shown.texts)
        kept = form_of(answer, again)
        for other in fields.values():
            if other.is_secret:
                assert kept[other.name] == [""], other.name
            elif other is not one or not one.is_choice:
                was = sent.get(other.name, [])
                lines = [was] if isinstance(was, str) else was
                assert kept.get(other.name, []) == lines, (one.name, other.name)
