"""A mirror on this machine that can misbehave, and a small file to ask it for."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chainrule.datasets.fetch import DataFile

CONTENT = bytes(range(256)) * 800  # 204,800 bytes


class Mirror:
    """A server on this machine: `answers` says what it sends, `requests` what was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[str] = []

    def url(self, path: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        self.answers[path] = answer
        return self.address + path


def sends(body: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """`body`, after promising `length` bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def fails(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """An HTTP error."""
    return lambda request: request.send_error(status)


def drips(body: bytes, pieces: int, pause: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """`body` in pieces with a pause before each."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        step = -(-len(body) // pieces)
        for start in range(0, len(body), step):
            time.sleep(pause)
            request.wfile.write(body[start : start + step])
            request.wfile.flush()

    return answer


@contextmanager
def serving() -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            try:
                served.answers.get(self.path, fails(404))(self)
            except (BrokenPipeError, ConnectionResetError):
                return  # the client had enough

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def data_file(*mirrors: str, content: bytes = CONTENT, name: str = "numbers.bin") -> DataFile:
    """A file of 204,800 bytes in the folder "toy"."""
    return DataFile(
        folder="toy",
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        mirrors=mirrors,
    )
