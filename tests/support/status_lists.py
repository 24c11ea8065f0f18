"""Status lists as a stranger reads them: by the draft, without our library."""

import zlib
from base64 import urlsafe_b64decode

import jwt

from tests.support.tokens import unverified


def place_of(token):
    """(list's URI, index) that a token names."""
    place = unverified(token)["status"]["status_list"]
    return place["uri"], place["idx"]


def read_list(http, uri):
    """The claims of a published list, its signature checked by the published keys."""
    answer = http.get(uri)
    assert answer.status_code == 200, answer.text
    kid = jwt.get_unverified_header(answer.text)["kid"]
    jwks = http.get("/.well-known/jwks.json").json()
    key = next(key for key in jwt.PyJWKSet.from_dict(jwks).keys if key.key_id == kid)
    return jwt.decode(answer.text, key, algorithms=[key.algorithm_name])


def statuses_in(claims):
    """The status at each index (§4.1): bits are counted from the least significant one."""
    bits, lst = claims["status_list"]["bits"], claims["status_list"]["lst"]
    packed = zlib.decompress(urlsafe_b64decode(lst + "=" * (-len(lst) % 4)))
    return [byte >> at & (2**bits - 1) for byte in packed for at in range(0, 8, bits)]


def status_of(http, token):
    """What the list says of a token now."""
    uri, idx = place_of(token)
    return statuses_in(read_list(http, uri))[idx]
