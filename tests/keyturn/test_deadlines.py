"""A deadline below TLS, where `test_bad_day` is without it."""

import ssl
from urllib.parse import urlsplit

import httpx
import pytest

from keyturn import deadlines
from tests.keyturn.support import FakeIssuer
from tests.support.faulty import FAULTS, running_faulty
from tests.support.tls import tls_before


def trusting(authority):
    """As ours, and trusts one authority more: that of the test."""
    client = deadlines.client(trust_env=False)
    client._transport._pool._ssl_context = ssl.create_default_context(cafile=authority)
    return client


def test_an_exchange_by_tls(issuer, tmp_path):
    with (
        tls_before(urlsplit(issuer.url).port, tmp_path) as by_tls,
        trusting(by_tls.authority) as client,
        deadlines.within(20),
    ):
        for _ in range(3):
            assert client.get(by_tls.url + FakeIssuer.JWKS).json() == {"keys": issuer.keys}


@pytest.mark.parametrize("fault", ["says nothing", "drips a header", "drips its body"])
def test_a_deadline_by_tls(tmp_path, fault):
    with (
        running_faulty() as faulty,
        tls_before(urlsplit(faulty.url).port, tmp_path) as by_tls,
        trusting(by_tls.authority) as client,
        deadlines.within(0.5),
    ):
        faulty.script = FAULTS[fault]
        with pytest.raises(httpx.TimeoutException):
            client.get(by_tls.url, timeout=60)


def test_a_stranger_s_certificate(issuer, tmp_path):
    with (
        tls_before(urlsplit(issuer.url).port, tmp_path) as by_tls,
        deadlines.client(trust_env=False) as client,
        deadlines.within(20),
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(by_tls.url)


def test_a_block_within_a_block(issuer):
    with deadlines.client(trust_env=False) as client, deadlines.within(20):
        with deadlines.within(0), pytest.raises(httpx.TimeoutException):
            client.get(issuer.url + FakeIssuer.JWKS)
        assert client.get(issuer.url + FakeIssuer.JWKS).status_code == 200
