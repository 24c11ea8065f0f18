"""`make demo`: from an empty directory to a guarded API, told in steps.

Everything is real: a server and an API in processes of their own, the server's command line, HTTP,
and clients that we did not write. Each claim is checked; the exit status says whether all held.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from examples.bookings.commandline import CommandLine, Refused
from examples.bookings.declare import declare, read_catalogue
from examples.bookings.stage import (
    HOST,
    Failed,
    Served,
    Stage,
    Story,
    decoded,
    free_port,
    masked,
    until,
)

AUDIENCE = read_catalogue()["resource"]["identifier"]
API = "examples.bookings.app:create_app"
MAX_STALENESS = 1
"""Seconds for which the API uses what it was told about a key. By default 15; short, to watch."""
FEED = 1
"""Seconds within which a served process knows what a command has changed."""
NARROW = "bookings:read experiences:read"
NEEDED = re.compile(r'scope="([^"]*)"')


class Demo:
    """The steps, in order; what one makes is what the next ones use."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self.stage = stage
        self.story = story
        self.issuer = f"http://{HOST}:{free_port()}"
        self.token_endpoint = f"{self.issuer}/oauth/token"
        self.api_url = f"http://{HOST}:{free_port()}"
        self.http = httpx.Client(base_url=self.api_url, trust_env=False, timeout=10)
        self.line: CommandLine
        self.api: Served
        self.introspector: dict[str, Any]
        self.desk: dict[str, Any]
        self.live_key: dict[str, Any]
        self.test_key: dict[str, Any]
        self.answer: httpx.Response

    def play(self) -> None:
        self.install()
        self.register()
        self.open_api()
        token, narrow = self.get_tokens()
        self.use_token(token)
        self.use_key()
        self.refuse(narrow)
        self.revoke()
        self.separate(token)

    # A server, its clients and an API -----------------------------------------------------------

    def install(self) -> None:
        self.story.step("A server, in an empty directory")
        os.environ.update(
            KEYTURN_ISSUER=self.issuer,
            KEYTURN_DATABASE_URL=f"sqlite:///{self.stage.path('keyturn.db')}",
            KEYTURN_KEYS_DIR=str(self.stage.path("keys")),
            KEYTURN_JOURNAL_DIR=str(self.stage.path("journal")),
        )
        self.line = CommandLine()
        self.story.shell("flask bootstrap")
        self.line.flask("bootstrap")
        self.story.shell("flask serve")
        port = self.issuer.rpartition(":")[2]
        server = self.stage.serve(
            "server", sys.executable, "-m", "flask", "serve", "--host", HOST, "--port", port
        )
        self.story.shell("python -m examples.bookings.declare")
        made: dict[str, list[str]] = {}
        for kind, name, missing in declare(self.line):
            made.setdefault(kind, []).extend([name] * missing)
        server.wait_for(f"{self.issuer}/health/ready")
        self.story.fact("serves", self.issuer)
        for kind, names in made.items():
            self.story.listing(f"{kind}s", {f"{len(names)}": " ".join(names)})
        self.story.expect(
            [len(names) for names in made.values()] == [9, 4, 1],
            "scopes, presets and the API are declared",
        )

    def register(self) -> None:
        self.story.step("Who may ask, and for what")
        # One as everybody would, in a process of its own; the others by the same commands in ours.
        self.desk = self.create(
            "client", "--name", "Booking desk", "--preset", "full", flask=self.stage.flask
        )
        self.introspector = self.create(
            "client", "--name", "Booking API", "--scope", "keyturn:introspect"
        )
        self.live_key = self.create("key", "--name", "Widget", "--preset", "widget")
        self.test_key = self.create(
            "key", "--name", "Trial", "--preset", "full", "--environment", "test"
        )
        prefixes = self.live_key["key"][:8], self.test_key["key"][:8]
        self.story.expect(
            prefixes == ("kt_live_", "kt_test_"), "a key says which environment it belongs to"
        )

    def create(
        self, kind: str, *options: str, flask: Callable[..., Any] | None = None
    ) -> dict[str, Any]:
        self.story.shell(f"flask {kind} create {shlex.join(options)}")
        made: dict[str, Any] = (flask or self.line.flask)(kind, "create", *options)
        secret = made.get("key") or made["client_secret"]
        self.story.fact(made.get("client_id") or made["id"], masked(secret), width=36)
        return made

    def open_api(self) -> None:
        self.story.step("The booking API, guarded by the library keyturn")
        self.story.shell(f"granian --interface wsgi --factory {API}")
        self.api = self.stage.serve(
            "api",
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", API),
            *("--host", HOST, "--port", self.api_url.rpartition(":")[2]),
            *("--blocking-threads", "8", "--no-ws", "--log-level", "error"),
            ISSUER=self.issuer,
            AUDIENCE=AUDIENCE,
            CLIENT_ID=self.introspector["client_id"],
            CLIENT_SECRET=self.introspector["client_secret"],
            MAX_STALENESS=str(MAX_STALENESS),
        )
        self.api.wait_for(f"{self.api_url}/health")
        self.story.fact("serves", self.api_url)
        self.story.fact("tokens", "verified offline, by the server's published keys")
        self.story.fact("API keys", f"asked about, remembered for {MAX_STALENESS} s (default 15)")

    # Tokens -------------------------------------------------------------------------------------

    def get_tokens(self) -> tuple[str, str]:
        """One that has all that the client holds, and a narrow one."""
        self.story.step("A token, by three clients that we did not write")
        tokens = {
            "curl": self.by_curl(),
            "Authlib": self.by_authlib(),
            "requests-oauthlib": self.by_requests_oauthlib(),
        }
        for client, token in tokens.items():
            count = len(token["scope"].split())
            self.story.expect(
                (token["token_type"], token["expires_in"]) == ("Bearer", 900),
                f"{client:<19} {masked(token['access_token'])}  Bearer, 900 s, {count} scopes",
            )
        wide, narrow = tokens["curl"], tokens["Authlib"]
        header, claims = decoded(wide["access_token"])
        self.story.listing("header of curl's", header)
        self.story.listing("claims", claims)
        self.story.expect(
            (header["typ"], header["alg"], claims["aud"], claims["env"])
            == ("at+jwt", "ES256", AUDIENCE, "live"),
            "an RFC 9068 access token for this API, live",
        )
        self.story.expect(
            {"bookings:write", "bookings:create"} <= set(claims["scope"].split()),
            "bookings:write has brought bookings:create",
        )
        self.story.expect(
            set(narrow["scope"].split()) == set(NARROW.split()),
            f"Authlib's client has asked for less and got that: {NARROW}",
        )
        return wide["access_token"], narrow["access_token"]

    def by_curl(self) -> dict[str, Any]:
        token: dict[str, Any]
        client_id, client_secret = self.desk["client_id"], self.desk["client_secret"]
        command = (
            'curl -sS -u "$CLIENT_ID:$CLIENT_SECRET" \\\n'
            '     -d grant_type=client_credentials "$ISSUER/oauth/token"'
        )
        if shutil.which("curl") is None:
            self.story.say("    (there is no curl here: httpx sends what curl would)")
            form = {"grant_type": "client_credentials"}
            answer = httpx.post(self.token_endpoint, data=form, auth=(client_id, client_secret))
            token = answer.raise_for_status().json()
            return token
        self.story.shell(command)
        token = self.stage.shell(
            command, ISSUER=self.issuer, CLIENT_ID=client_id, CLIENT_SECRET=client_secret
        )
        return token

    def by_authlib(self) -> dict[str, Any]:
        from authlib.integrations.requests_client import OAuth2Session

        client_id, client_secret = self.desk["client_id"], self.desk["client_secret"]
        with OAuth2Session(client_id, client_secret, scope=NARROW) as session:
            return dict(session.fetch_token(self.token_endpoint, grant_type="client_credentials"))

    def by_requests_oauthlib(self) -> dict[str, Any]:
        from oauthlib.oauth2 import BackendApplicationClient
        from requests_oauthlib import OAuth2Session

        # It insists on https; this server is on the loopback interface of this machine.
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
        client_id, client_secret = self.desk["client_id"], self.desk["client_secret"]
        with OAuth2Session(client=BackendApplicationClient(client_id)) as session:
            token = session.fetch_token(
                self.token_endpoint,
                client_id=client_id,
                client_secret=client_secret,
                resource=AUDIENCE,
            )
        return {**token, "scope": " ".join(token["scope"])}

    # Calls --------------------------------------------------------------------------------------

    def use_token(self, token: str) -> None:
        self.story.step("The token opens the API")
        slots = self.call("GET", "/v1/availability", token)
        self.row(200, f"{len(slots)} slots")
        booking = self.call("POST", "/v1/bookings", token, booking_of(slots[0], 2, "Ada"))
        self.row(201, f"{booking['id']} for {booking['guests']}")
        self.call("PATCH", f"/v1/bookings/{booking['id']}", token, {"guests": 3})
        self.row(200, "for 3")
        report = self.call("GET", "/v1/analytics", token)
        self.row(200, f"revenue {report['revenue'] / 100:.2f}")

    def use_key(self) -> None:
        key = self.live_key["key"]
        self.story.step(f"The API key {masked(key)} opens it too")
        found = self.call("GET", "/v1/widget/experiences", key)
        self.row(200, f"{len(found)} experiences with their slots")
        slot = {"experience_id": found[1]["id"], **found[1]["slots"][0]}
        booking = self.call("POST", "/v1/widget/bookings", key, booking_of(slot, 1, "Grace"))
        self.row(201, f"{booking['id']} for {booking['guests']}")

    def refuse(self, narrow: str) -> None:
        self.story.step("What does not open it: what the caller is told, and what we know")
        key = self.live_key["key"]
        self.call("GET", "/v1/bookings", None)
        self.refusal(401, "missing", "no credential")
        self.call("GET", "/v1/bookings", altered(key, -1))
        self.refusal(401, "bad_checksum", "a key, one letter wrong: refused without asking")
        self.call("GET", "/v1/bookings", altered(narrow, narrow.rindex(".") + 1))
        self.refusal(401, "bad_signature", "a token, one letter wrong")
        self.call("GET", "/v1/analytics", narrow)
        self.refusal(403, "insufficient_scope", "the narrow token")
        self.call("GET", "/v1/bookings", key)
        self.refusal(403, "insufficient_scope", "the widget's key")

    def revoke(self) -> None:
        self.story.step("The key is revoked")
        key, key_id = self.live_key["key"], self.live_key["id"]
        self.call("GET", "/v1/experiences", key)
        self.row(200, "before")
        self.story.shell(f"flask key revoke {key_id}")
        self.line.flask("key", "revoke", key_id)
        bound = MAX_STALENESS + FEED

        def refused() -> bool:
            self.call("GET", "/v1/experiences", key)
            return self.answer.status_code == 401

        after = until(refused, bound)
        self.refusal(401, "revoked", "the revoked key")
        self.story.expect(
            after is not None,
            f"refused {after or bound:.1f} s after it was revoked; the bound is {bound} s: "
            f"{MAX_STALENESS} in the API, {FEED} in the server",
        )

    def separate(self, token: str) -> None:
        self.story.step("A test credential sees the sandbox and nothing else")
        key = self.test_key["key"]
        live = self.call("GET", "/v1/experiences", token)
        self.row(200, "live: " + ", ".join(one["title"] for one in live))
        test = self.call("GET", "/v1/experiences", key)
        self.row(200, "test: " + ", ".join(one["title"] for one in test))
        self.story.expect(
            not {one["id"] for one in live} & {one["id"] for one in test}, "nothing is in both"
        )
        bookings = self.call("GET", "/v1/bookings", token)
        self.row(200, f"live: {len(bookings)} bookings")
        self.call("GET", f"/v1/bookings/{bookings[0]['id']}", key)
        self.row(404, "test: no such booking")
        count = len(self.call("GET", "/v1/bookings", key))
        self.row(200, f"test: {count} bookings")
        self.story.expect((len(bookings), count) == (2, 0), "live bookings are not in the sandbox")

    def call(self, method: str, path: str, credential: str | None, body: Any = None) -> Any:
        """The answer's data; None when there is none."""
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        self.answer = self.http.request(method, path, headers=headers, json=body)
        return self.answer.json().get("data")

    def row(self, status: int, says: str) -> None:
        request = self.answer.request
        self.story.expect(
            self.answer.status_code == status,
            f"{self.answer.status_code}  {request.method:<6} {request.url.path:<29} {says}",
        )

    def refusal(self, status: int, reason: str, who: str) -> None:
        self.row(status, who)
        code = self.answer.json()["code"]
        needed = NEEDED.search(self.answer.headers.get("WWW-Authenticate", ""))
        told = f"{code}, needs {needed[1]}" if needed else code
        logged = self.logged(self.answer.headers["X-Request-Id"])
        self.story.expect(logged == reason, f"  told: {told:<41}  our log: {logged}")

    def logged(self, request_id: str) -> str | None:
        """The reason that the API's log gives for a refusal."""
        line = re.compile(rf"refused \S+ \S+: (\S+) .*\({request_id}\)")
        until(lambda: line.search(self.api.log()) is not None, 2)
        found = line.search(self.api.log())
        return found[1] if found else None


def booking_of(slot: dict[str, Any], guests: int, name: str) -> dict[str, Any]:
    """The body of a booking of this slot."""
    place = {field: slot[field] for field in ("experience_id", "starts_at")}
    return {**place, "guests": guests, "name": name}


def altered(credential: str, at: int) -> str:
    """The same with another character at this place."""
    at %= len(credential)
    other = "A" if credential[at] != "A" else "B"
    return credential[:at] + other + credential[at + 1 :]


def main() -> int:
    began = time.monotonic()
    story = Story()
    story.say("Keyturn: turn a key into a token. One server, one API, tokens and API keys.")
    stage = Stage()
    try:
        with stage:
            Demo(stage, story).play()
    except (Failed, Refused, KeyboardInterrupt) as failure:
        if stage.interrupted:
            story.say("\nInterrupted; everything is cleaned up.")
            return 130
        story.say(f"\nThe demo cannot go on: {failure}")
        return 1
    return story.end(time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
