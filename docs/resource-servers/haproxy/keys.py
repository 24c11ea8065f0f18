"""Write an issuer's ES256 keys as the four PEM files that haproxy.cfg names.

    python3 keys.py https://auth.example.com /etc/haproxy/keyturn && systemctl reload haproxy

Run it every two minutes: a key is published five minutes before it signs. Exit status 1: nothing
has changed, so there is no need to reload; 2: the keys could not be had, and those there are stay.
"""

import base64
import json
import sys
import urllib.request
from pathlib import Path

FILES = 4
# SubjectPublicKeyInfo of a P-256 key, up to its point (RFC 5480).
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def pem(jwk):
    """A P-256 key in the form that OpenSSL reads."""
    point = b"".join(base64.urlsafe_b64decode(jwk[name] + "=") for name in ("x", "y"))
    if len(point) != 64:
        raise ValueError("not a point of P-256")
    lines = base64.encodebytes(SPKI + point).decode().replace("\n", "")
    wrapped = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{wrapped}\n-----END PUBLIC KEY-----\n"


def main(issuer, directory):
    try:
        with urllib.request.urlopen(f"{issuer}/.well-known/jwks.json", timeout=5) as answer:
            keys = json.load(answer)["keys"]
        written = [pem(key) for key in keys if key.get("alg") == "ES256"]
    except (OSError, ValueError, KeyError) as error:
        print(f"no keys: {error!r}", file=sys.stderr)
        return 2
    if not 0 < len(written) <= FILES:
        print(f"{len(written)} keys, and there are {FILES} files", file=sys.stderr)
        return 2
    # HAProxy wants each file that is named: what is not needed repeats the first.
    written += written[:1] * (FILES - len(written))
    changed = False
    for number, text in enumerate(written, 1):
        path = Path(directory) / f"key-{number}.pem"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed = True
    return 0 if changed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
