"""The management API over the app in this process, each answer held against its description."""

import re
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator


class Description:
    """What ``/v1/openapi.json`` promises."""

    def __init__(self, spec):
        self.spec = spec
        # Literal segments first: /signing-keys/rotate is no key named "rotate".
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            for path in sorted(spec["paths"], key=lambda path: path.count("{"))
        ]

    def operation(self, method, path):
        """The operation of a request, or None."""
        for pattern, template in self._patterns:
            item = self.spec["paths"][template]
            if pattern.fullmatch(path) and method.lower() in item:
                return item[method.lower()]
        return None

    def operations(self):
        for path, item in self.spec["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def check(self, method, path, response):
        """Status, headers and body are as described."""
        operation = self.operation(method, path)
        if operation is None:
            return
        described = operation["responses"].get(str(response.status_code))
        assert described, f"{method} {path}: {response.status_code} is not described"
        for header in described["headers"]:
            if header != "WWW-Authenticate":
                assert header in response.headers
        if "content" not in described:
            assert response.content == b""
            return
        media_type = response.headers["Content-Type"].partition(";")[0]
        content = described["content"][media_type]
        if media_type != "application/json":
            return
        schema = {**content["schema"], "components": self.spec["components"]}
        Draft202012Validator(schema).validate(response.json())


class Api:
    """One credential's view of the API."""

    def __init__(self, installation, description, credential=None):
        self._http = installation.http
        self.description = description
        self._headers = {"Authorization": f"Bearer {credential}"} if credential else {}

    def __call__(self, method, path, *, headers=(), **also):
        response = self._http.request(
            method, path, headers={**self._headers, **dict(headers)}, **also
        )
        assert re.fullmatch(r"req_[0-9a-f]{24}", response.headers["X-Request-Id"])
        if path.startswith("/v1") and path != "/v1/openapi.json":
            assert response.headers["Cache-Control"] == "no-store"
        if response.status_code >= 400 and path.startswith("/v1") and method != "HEAD":
            error = response.json()["error"]
            assert error["request_id"] == response.headers["X-Request-Id"]
        self.description.check(method, path.partition("?")[0], response)
        return response

    def get(self, path, **also):
        return self("GET", path, **also)

    def post(self, path, **also):
        return self("POST", path, **also)

    def patch(self, path, **also):
        return self("PATCH", path, **also)

    def delete(self, path, **also):
        return self("DELETE", path, **also)


@dataclass
class Tenant:
    """An organization and the one who administers it."""

    organization_id: str
    admin: Any
    key: str
    """The API key that ``admin`` presents."""


def fields_of(response):
    """The fields that a refusal names."""
    return [detail["field"] for detail in response.json()["error"].get("details", ())]
