"""A server on 127.0.0.1 that answers with the very bytes that a test gives it."""

import re
import socketserver
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


class RawServer(socketserver.ThreadingTCPServer):
    """Sends the next of `answers` to each request and closes; keeps the requests.

    Without an answer it just closes; with None it stays silent and keeps the connection open; what is no bytes is sent
    piece by piece.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512  # of connections at once: with the usual 5, a burst has to send its SYN packets again

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: deque[bytes | Iterable[bytes] | None] = deque()
        self.requests: list[bytes] = []
        self.asked = threading.Semaphore(0)  # one for each request
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Queue a well-formed answer."""
        head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers))
        self.answers.append(head.encode() + b"\r\n\r\n" + body)


class _Handler(socketserver.StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            request += line
        if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", request):
            request += self.rfile.read(int(length[1]))
        self.server.requests.append(request)
        self.server.asked.release()
        answer = self.server.answers.popleft() if self.server.answers else b""
        if answer is None:
            self.server.over.wait()
        elif isinstance(answer, bytes):
            self.wfile.write(answer)
        else:
            with suppress(ConnectionError):
                for piece in answer:
                    self.wfile.write(piece)


@contextmanager
def raw_server() -> Iterator[RawServer]:
    with RawServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()
