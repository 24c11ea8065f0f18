"""A form that a service sends again is not read again; everything about it is still looked at."""

import io

import pytest

from app.errors import OAuthError
from app.web import forms

BODY = b"grant_type=client_credentials&scope=bookings%3Aread+bookings%3Awrite"


def read(body, **also):
    sent = {"CONTENT_TYPE": forms.FORM, "wsgi.input": io.BytesIO(body), **also}
    return forms.read_form({"CONTENT_LENGTH": str(len(body)), **sent})


def test_the_same_body_is_the_same_form():
    assert read(BODY)[0] == {
        "grant_type": "client_credentials",
        "scope": "bookings:read bookings:write",
    }
    assert read(BODY) is read(BODY)
    with pytest.raises(TypeError):
        read(BODY)[0]["scope"] = "everything"


@pytest.mark.parametrize(
    "around",
    [
        {"QUERY_STRING": "scope=x"},
        {"CONTENT_TYPE": "application/json"},
        {"CONTENT_LENGTH": str(len(BODY) + 1)},
        {"HTTP_TRANSFER_ENCODING": "gzip, chunked"},
    ],
)
def test_what_is_wrong_around_it_is_seen_each_time(around):
    read(BODY)
    with pytest.raises(OAuthError):
        read(BODY, **around)


@pytest.mark.parametrize(
    "body",
    [
        BODY + b"&client_id=c&client_secret=s",
        BODY + b"&client_assertion=a.b.c",
        b"grant_type=x&subject_token=kt_live_x",
        b"token=kt_live_x",
        b"scope=" + b"x" * forms._MEMORABLE,
    ],
    ids=["secret", "assertion", "key", "token", "long"],
)
def test_what_may_be_a_secret_or_large_is_not_kept(body):
    assert read(body) == read(body)
    assert read(body) is not read(body)
