"""``/v1/openapi.json`` and ``/docs``: valid, complete, and true."""

import json
import re

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.support import Description

SECRETS = ("key", "client_secret", "sign_in_secret", "password", "digest", "private_key")


def test_it_is_valid(description):
    assert description.spec["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(description.spec).validate()


def test_every_route_is_described_and_nothing_else(installation, description):
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in installation.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1")
    }
    described = {(method, path) for method, path, _ in description.operations()}
    assert {one for one in described if one[1].startswith("/v1")} == routed
    installation.client()  # the first credential opens the first status list
    # What lies under Flask's routes, or is no part of the management API.
    for method, path in described:
        if not path.startswith("/v1"):
            answer = installation.http.request(method, path.replace("{number}", "1"))
            assert answer.status_code != 404, path
    metadata = installation.http.get("/.well-known/oauth-authorization-server").json()
    issuer = metadata["issuer"]
    for name, url in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            assert url.removeprefix(issuer) in description.spec["paths"]


def test_operations_have_names_summaries_and_refusals(description):
    names = [operation["operationId"] for _, _, operation in description.operations()]
    assert len(names) == len(set(names))
    for method, path, operation in description.operations():
        assert operation["summary"], path
        assert operation["tags"], path
        assert "security" in operation, path
        assert "422" not in operation["responses"]
        refusals = {status for status in operation["responses"] if status >= "400"}
        assert refusals, path
        if path.startswith("/v1/") and operation["security"]:
            assert {"400", "401", "403", "429", "500", "503"} <= refusals
            assert ("413" in refusals) == ("requestBody" in operation)
            for status in refusals:
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}
        assert method in ("GET", "POST", "PATCH", "DELETE")


def test_every_field_that_is_taken_has_a_limit(description):
    schemas = description.spec["components"]["schemas"]

    def walk(schema, where):
        if "$ref" in schema:
            return walk(schemas[schema["$ref"].rpartition("/")[2]], where)
        for part in schema.get("anyOf", ()):
            walk(part, where)
        kind = schema.get("type")
        if kind == "string":
            assert {"maxLength", "pattern", "format"} & schema.keys(), where
        elif kind == "integer":
            assert {"minimum", "maximum"} <= schema.keys(), where
        elif kind == "array":
            assert "maxItems" in schema, where
            walk(schema["items"], where + "[]")
        elif kind == "object":
            # GitHub's report is GitHub's to extend.
            assert where == "/v1/leaks[]" or schema["additionalProperties"] is False, where
            for name, one in schema["properties"].items():
                walk(one, f"{where}.{name}")
        return None

    for _, path, operation in description.operations():
        if not path.startswith("/v1"):
            continue
        for parameter in operation.get("parameters", ()):
            if parameter["name"] != "name":  # of a scope: RFC 6749 sets its form, not its length
                walk(parameter["schema"], f"{path}?{parameter['name']}")
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]
            assert list(content) == ["application/json"]
            walk(content["application/json"]["schema"], path)


def test_examples_work_as_they_stand(description, operator, things):
    """Whoever presses the button of the try-it page sends them."""
    tried = 0
    for method, path, operation in description.operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or not operation["security"]:
            continue  # none that a credential of ours opens
        made = things(operator.organization_id)
        url = path.replace(
            "{name}", "{scope_name}" if "/scopes/" in path else "{preset}"
        ).format_map(made)
        response = operator.admin(method, url, json=content["example"])
        # Whose permits are drawn is for whoever presses it to say.
        expected = [404] if path == "/v1/leases" else [200, 201, 204]
        assert response.status_code in expected, (path, response.text)
        tried += 1
    assert tried > 12


def test_secrets_are_in_the_answers_to_creation_alone(description):
    schemas = description.spec["components"]["schemas"]
    shows = {
        name
        for name, schema in schemas.items()
        for field, kind in schema.get("properties", {}).items()
        # A verdict's `key` is a record, which is looked at by itself.
        if field in SECRETS and "$ref" not in json.dumps(kind)
    }
    assert shows <= {
        "CreatedApiKey",
        "CreatedClient",
        "CreatedSecret",
        "SignIn",
        "TokenRequest",
        "PresentedToken",
        "Inspecting",
        "Verifying",
    }
    for _, path, operation in description.operations():
        for status, response in operation["responses"].items():
            if any(f'schemas/{name}"' in json.dumps(response) for name in shows):
                assert status == "201" or path.endswith("/reset")


def test_it_is_for_everybody_and_may_be_kept(api):
    response = api().get("/v1/openapi.json")
    assert response.headers["Cache-Control"] == "public, max-age=300"
    again = api().get("/v1/openapi.json", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api()("POST", "/v1/openapi.json").status_code == 405


def test_security_schemes(description):
    schemes = description.spec["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    flow = schemes["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "http://127.0.0.1:8000/oauth/token"
    named = {
        scope
        for _, _, operation in description.operations()
        for one in operation["security"]
        for scope in one.get("oauth2", ())
    }
    assert named <= flow["scopes"].keys()


def test_the_page_loads_from_here_alone(api, installation):
    page = api().get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    for url in loaded:
        if not url.startswith("data:"):
            assert url.startswith("/"), url
            assert api().get(url).status_code == 200
    assert sum(url.startswith("/docs/") for url in loaded) == 4
    for name in ("..%2fpage.html", "%2e%2e/values.py", "page.html", "swagger-ui.css.map", "x"):
        assert api().get(f"/docs/{name}").status_code == 404
    assert api().get("/docs/").status_code == 404


def test_each_installation_describes_itself(tmp_path):
    from tests.support.installation import installed

    with installed(tmp_path, KEYTURN_ISSUER="https://auth.example.com") as other:
        spec = Description(other.http.get("/v1/openapi.json").json()).spec
    assert spec["servers"] == [{"url": "https://auth.example.com"}]
    flow = spec["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://auth.example.com/oauth/token"
