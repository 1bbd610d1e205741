"""A real HTTP server for tests that speaks chat completions and misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behave = Callable[["Handler", dict[str, Any], int], None]
"""Answers a request: the handler, the body, and how often this very prompt has been asked, from 1."""


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the server's `behave` and remembers it."""

    server: Served

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.note(self.path, dict(self.headers), body)
        self.server.behave(self, body, self.server.count(body))

    def send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def reply(self, text: str, finish: str = "stop", prompt_tokens: int = 7) -> None:
        usage = {"completion_tokens": len(text.split()), "prompt_tokens": prompt_tokens}
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        self.send(200, json.dumps({"choices": [choice], "usage": usage}).encode(), Content_Type="application/json")

    def drip(self, seconds: float) -> None:
        """A reply that never ends: a byte now and then."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return


class Served(ThreadingHTTPServer):
    """The server with what it was asked."""

    daemon_threads = True

    def __init__(self, behave: Behave) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def note(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        with self._lock:
            self.seen.append((path, headers, body))

    def count(self, body: dict[str, Any]) -> int:
        with self._lock:
            return sum(seen["messages"] == body["messages"] for _, _, seen in self.seen)


@contextmanager
def serve(behave: Behave) -> Iterator[Served]:
    """The server while the test runs."""
    server = Served(behave)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
