"""A server that is faulty below HTTP: it hangs, drips, breaks off, or never comes to an end."""

from __future__ import annotations

import itertools
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[], Iterable[bytes]]
"""What is sent on a connection, piece by piece."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# So far apart that no single wait is long, and near enough that a test need not wait.
_APART = 0.02


def _byte_by_byte(text: bytes) -> Iterator[bytes]:
    for at in range(len(text)):
        yield text[at : at + 1]
    yield from itertools.repeat(b"")


FAULTS: dict[str, Script] = {
    "hangs up": lambda: (),
    "says nothing": lambda: itertools.repeat(b""),
    "drips its status line": lambda: _byte_by_byte(b"HTTP/1.1 200 " + b"O" * 10_000),
    "drips a header": lambda: itertools.chain([_HEAD + b"X-Long: "], itertools.repeat(b"x")),
    "has headers without end": lambda: itertools.chain([_HEAD], itertools.repeat(b"X-More: 1\r\n")),
    "drips its body": lambda: itertools.chain(
        [_HEAD + b"Content-Length: 100000\r\n\r\n{"], itertools.repeat(b" ")
    ),
    "drips a chunk's length": lambda: itertools.chain(
        [_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"0")
    ),
    "breaks off": lambda: [_HEAD + b'Content-Length: 100\r\n\r\n{"keys":'],
    "is no HTTP": lambda: [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "is without end": lambda: itertools.chain([_HEAD + b"\r\n"], itertools.repeat(b" " * 65536)),
    "says 100 for ever": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


class Faulty:
    """On 127.0.0.1; each connection is answered by `script`."""

    def __init__(self) -> None:
        self.script: Script = FAULTS["hangs up"]
        self.connections = 0
        self.ended = threading.Event()
        faulty = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                faulty.connections += 1
                with suppress(OSError):
                    self.request.recv(65536)
                    for piece in faulty.script():
                        self.request.sendall(piece)
                        if faulty.ended.wait(_APART) or _is_left(self.request):
                            return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def _is_left(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        connection.setblocking(True)


@contextmanager
def running_faulty() -> Iterator[Faulty]:
    faulty = Faulty()
    thread = threading.Thread(target=faulty.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield faulty
    finally:
        faulty.ended.set()
        faulty.server.shutdown()
        thread.join()
        faulty.server.server_close()
