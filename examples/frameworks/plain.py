"""No framework: the standard library's server. `python -m examples.frameworks.plain [port]`"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from examples.frameworks.policy import LIMITS, POLICY, settings
from keyturn import CredentialRefused, Guard, Verifier
from keyturn.edge import Edge
from keyturn.limits.headers import limit_headers
from keyturn.limits.local import LocalLimits

guard = Guard(Verifier(**settings()), limits=LocalLimits(*LIMITS))
edge = Edge(resource=guard.verifier.resource)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        route = POLICY.of(self.command, path)
        if edge.resource is not None and path == edge.resource.path:
            self.answer(200, edge.resource.document(POLICY.scopes))
        elif route is None:
            self.answer(404, {"detail": "Not Found"})
        elif route.needs is None:
            self.answer(200, {"status": "ok"})
        else:
            seen = edge.seen(
                self.headers.get, peer=self.client_address[0], scheme="http", url=self.path
            )
            try:
                authorization = self.headers.get("Authorization")
                principal, usages = guard.admit(authorization, route, **seen)
            except CredentialRefused as refused:
                told = edge.refusal(refused)
                self.answer(told.status, json.loads(told.body), told.headers)
            else:
                left = limit_headers(usages)
                self.answer(200, {"bookings_of": principal.organization}, left)

    do_POST = do_GET  # noqa: N815 - the name that the server looks for

    def answer(self, status: int, body: Any, headers: list[tuple[str, str]] | None = None) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers or ():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
