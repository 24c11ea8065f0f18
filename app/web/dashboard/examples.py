"""A client's token request, ready to be pasted."""

from __future__ import annotations

from string import Template
from typing import NamedTuple
from urllib.parse import urlencode

from app.admin.clients import ClientView
from app.oauth.metadata import TOKEN
from app.records import Organization
from keyturn.scope import Grant

SHOWN = 5
"""Scopes that an example names; a client that holds more asks for all of them by none."""


class Example(NamedTuple):
    """One language's."""

    language: str
    code: str


_CURL = {
    "client_secret_basic": Template(
        'curl -u "$client_id:$secret" \\\n     -d "$form" \\\n     $issuer$path'
    ),
    "client_secret_post": Template(
        "curl -d client_id=$client_id \\\n"
        '     -d "client_secret=$secret" \\\n'
        '     -d "$form" \\\n'
        "     $issuer$path"
    ),
}
_PYTHON = Template(
    """\
# pip install keyturn
import os

from keyturn.client import TokenSource

source = TokenSource(
    "$issuer",
    "$client_id",
    os.environ["KEYTURN_CLIENT_SECRET"],$arguments
)
print(source.token())
"""
)
_SIGNING = Template(
    """\
# pip install keyturn
from pathlib import Path

from keyturn.client import ClientKey, TokenSource

source = TokenSource(
    "$issuer",
    "$client_id",
    client_key=ClientKey(Path("client.pem").read_bytes()),$arguments
)
print(source.token())
"""
)
_NODE = Template(
    """\
const id = "$client_id";
const secret = process.env.KEYTURN_CLIENT_SECRET;
const response = await fetch("$issuer$path", {
  method: "POST",
  headers: { Authorization: "Basic " + btoa(`$${id}:$${secret}`) },
  body: new URLSearchParams("$form"),
});
const { access_token } = await response.json();
console.log(access_token);
"""
)
_GO = Template(
    """\
// go get golang.org/x/oauth2
config := clientcredentials.Config{
	ClientID:     "$client_id",
	ClientSecret: os.Getenv("KEYTURN_CLIENT_SECRET"),
	TokenURL:     "$issuer$path",
	EndpointParams: url.Values{$values},
}
token, err := config.Token(context.Background())
"""
)


def token_requests(
    client: ClientView, organization: Organization, issuer: str, secret: str | None = None
) -> tuple[Example, ...]:
    """A secret stands in curl's alone, where it is known."""
    asked = _asked(client, organization)
    said = {
        "client_id": client.client_id,
        "issuer": issuer,
        "path": TOKEN,
        "form": urlencode({"grant_type": "client_credentials", **asked}),
        "arguments": "".join(f'\n    {name}="{value}",' for name, value in asked.items()),
        "values": ", ".join(f'"{name}": {{"{value}"}}' for name, value in asked.items()),
    }
    curl = _CURL.get(client.token_endpoint_auth_method)
    if curl is None:
        return (Example("Python", _SIGNING.substitute(said)),) if _signs(client) else ()
    return (
        Example("curl", curl.substitute(said, secret=secret or "$KEYTURN_CLIENT_SECRET")),
        Example("Python", _PYTHON.substitute(said)),
        Example("Node", _NODE.substitute(said)),
        Example("Go", _GO.substitute(said)),
    )


def _signs(client: ClientView) -> bool:
    return client.jwks is not None or client.jwks_uri is not None


def _asked(client: ClientView, organization: Organization) -> dict[str, str]:
    """What this client would ask for; nothing where that would be everything it holds."""
    flat = organization.catalogue.expand(Grant.of(client.scopes))
    asked = {"scope": str(flat)} if 0 < len(flat) <= SHOWN else {}
    return asked | ({"resource": client.audiences[0]} if client.audiences else {})
