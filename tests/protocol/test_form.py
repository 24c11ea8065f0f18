"""What may be sent to the OAuth endpoints, and what is refused before anything is done with it."""

import pytest

FORM = "application/x-www-form-urlencoded"
GRANT = "grant_type=client_credentials"
ENDPOINTS = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"]


@pytest.fixture(scope="module")
def service(installation):
    return installation.client(["bookings:read", "keyturn:introspect"])


def send(server, service, body, *, content_type=FORM, path="/oauth/token", params=None, **headers):
    if content_type is not None:
        headers["Content-Type"] = content_type
    content = body if isinstance(body, bytes) else body.encode()
    return server.post(path, content=content, headers=headers, auth=service, params=params)


def refusal(response):
    return response.status_code, response.json()["error"]


@pytest.mark.rfc("6749", "3.2")
@pytest.mark.parametrize(
    "body",
    [
        GRANT,
        GRANT + "&",
        "&&" + GRANT + "&&",
        GRANT + "&scope=bookings:read",
        GRANT + "&scope=bookings%3Aread",
        GRANT + "&scope=bookings%3aread",
        "grant%5Ftype=client%5Fcredentials",
        GRANT + "&unknown=%F0%9F%98%80",
        GRANT + "&unknown",
        GRANT + "&=x",
        GRANT + "&a=b=c",
    ],
)
def test_forms_that_are_fine(server, service, body):
    assert send(server, service, body).status_code == 200


@pytest.mark.rfc("6749", "3.2")
@pytest.mark.parametrize(
    "empty", ["scope=", "scope", "resource=", "audience=", "client_id=", "client_secret="]
)
def test_a_parameter_without_a_value_counts_as_left_out(server, service, empty):
    assert send(server, service, f"{GRANT}&{empty}").status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        FORM + "; charset=UTF-8",
        FORM + ";charset=utf-8",
        FORM + '; charset="utf-8"',
        FORM + " ; Charset=Utf-8",
        FORM + ";",
        "Application/X-WWW-Form-URLencoded",
    ],
)
def test_media_types_that_are_a_form(server, service, content_type):
    assert send(server, service, GRANT, content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, GRANT),
        ("application/json", '{"grant_type":"client_credentials"}'),
        ("application/json", GRANT),
        ("text/plain", GRANT),
        ("multipart/form-data; boundary=x", "--x\r\n\r\n--x--"),
        ("application/x-www-form-urlencoded-not", GRANT),
        (FORM + "; charset=iso-8859-1", GRANT),
        (FORM + "; charset=utf-16", GRANT),
        (FORM + ", application/json", GRANT),
        ("", GRANT),
    ],
)
def test_media_types_that_are_not(server, service, content_type, body):
    response = send(server, service, body, content_type=content_type)
    assert refusal(response) == (400, "invalid_request")
    assert FORM in response.json()["error_description"]


@pytest.mark.rfc("6749", "3.2")
@pytest.mark.parametrize(
    "body",
    [
        f"{GRANT}&{GRANT}",
        f"{GRANT}&grant_type=password",
        f"{GRANT}&scope=bookings:read&scope=bookings:read",
        f"{GRANT}&scope=bookings:read&sc%6Fpe=bookings:read",
        f"{GRANT}&client_id=a&client_id=b",
        f"{GRANT}&unknown=1&unknown=2",
    ],
)
def test_no_parameter_twice(server, service, body):
    response = send(server, service, body)
    assert refusal(response) == (400, "invalid_request")
    assert response.json()["error_description"] == "A parameter is repeated"


@pytest.mark.rfc("9700", "4.3.2")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "params",
    [
        {"grant_type": "client_credentials"},
        {"client_id": "a", "client_secret": "b"},
        {"token": "x"},
        {"scope": "bookings:read"},
        {"utm_source": "x"},
    ],
)
def test_no_parameter_in_the_url(server, service, path, params):
    response = send(server, service, GRANT + "&token=x", path=path, params=params)
    assert refusal(response) == (400, "invalid_request")
    assert "URL" in response.json()["error_description"]


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=client_credentials&x=\xff",
        b"grant_type=client_credentials&x=%ff",
        b"grant_type=client_credentials&x=%c3%28",
        b"grant_type=client_credentials&x=%ed%a0%80",
        b"grant_type=client_credentials&%ff=x",
        b"grant_type=client_credentials&x=\xc3\xa9",
        b"grant_type=client_credentials%00",
        b"grant_type=client_credentials&scope=bookings:read%00",
        b"grant_type=client_credentials&scope=%0d%0aSet-Cookie:x",
        b"grant_type=client_credentials&x=%1b[31m",
        b"grant_type=client_credentials&x=%e2%80%ae",
        b"grant_type=client_credentials&x=\x00",
        b"grant_type=client_credentials\n",
        b"\x00\x01\x02",
    ],
)
def test_what_is_not_clean_text_is_refused(server, service, body):
    assert refusal(send(server, service, body)) == (400, "invalid_request")


@pytest.mark.parametrize("fields", [1, 63])
def test_as_many_fields_as_anybody_needs(server, service, fields):
    body = GRANT + "".join(f"&f{n}=x" for n in range(fields))
    assert send(server, service, body).status_code == 200


@pytest.mark.parametrize("body", [GRANT + "&a=b" * 64, "&" * 5000, "a=b&" * 10000])
def test_and_not_more(server, service, body):
    assert refusal(send(server, service, body)) == (400, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_empty_body_is_a_clear_refusal(server, service, path):
    response = send(server, service, b"", path=path)
    assert refusal(response) == (400, "invalid_request")
    assert "missing" in response.json()["error_description"]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_64_kib_are_read_and_not_one_byte_more(server, service, path):
    fits = f"{GRANT}&token=x&pad=".encode()
    fits += b"x" * (64 * 1024 - len(fits))
    assert send(server, service, fits, path=path).status_code == 200
    # What is not read is not waited for either: the connection ends with the answer.
    response = send(server, service, fits + b"x", path=path, Connection="close")
    assert refusal(response) == (413, "invalid_request")
