"""API keys, and what a verifier says to who presents one."""

import pytest

from keyturn import DEFAULT_API_KEY, CredentialRefused

KEY = DEFAULT_API_KEY.generate("live")
TEST_KEY = DEFAULT_API_KEY.generate("test")


def reason_of(verifier, header, **seen):
    with pytest.raises(CredentialRefused) as refused:
        verifier.verify(header, **seen)
    return str(refused.value.reason)
