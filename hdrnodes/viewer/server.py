"""Serves the viewer's page to this machine alone, to whoever knows the token in its address.

    /INVITATION/                             leads to the page, once
    /TOKEN/                                  the page
    /TOKEN/page/NAME                         its modules and style
    /TOKEN/picture/SIDE/FRAME                what there is to know of a picture, or {"error": ...}
    /TOKEN/tile/SIDE/FRAME/LEVEL/COLUMN/ROW  half floats, rows from the top, channels together, little-endian
    /TOKEN/pixel/SIDE/FRAME/X/Y              a pixel's values as the file has them

Anything else, and any request without the token or by another host's name, is refused. Another page that is open in
the browser can reach the port, but neither guess the token nor read an answer. A browser that is started with an
address gets an invitation: every user of the machine can read what a process was started with.
"""

from __future__ import annotations

import json
import secrets
import socket
import socketserver
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

from hdrnodes import __version__
from hdrnodes.errors import HdrnodesError
from hdrnodes.viewer.pictures import Pictures
from hdrnodes.viewer.web_page import MEDIA_TYPES, page_files, served_page

LOOPBACK = "127.0.0.1"


class ViewServer(ThreadingHTTPServer):
    """Serves pictures until it is shut down.

    Args:
        pictures: to look at.
        port: 0 takes any that is free.

    Raises:
        HdrnodesError: the port is taken, or not for this user.
    """

    daemon_threads = False  # those that the interpreter's end cuts short are reported by OpenImageIO's bindings

    def __init__(self, pictures: Pictures, port: int = 0) -> None:
        self.pictures = pictures
        self.token = secrets.token_urlsafe(24)
        self._invitations: set[str] = set()
        self._connections: set[socket.socket] = set()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise HdrnodesError(f"port {port}", f"cannot be listened on ({why})", "choose another") from error

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's looks its own name up, which can take seconds
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):  # typeshed: it may be a datagram
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Hang up on browsers, which keep their connections open, so that the threads for them end; wait for those."""
        for connection in tuple(self._connections):
            with suppress(OSError):  # it has hung up by itself
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def invite(self) -> str:
        """An address that leads to the page, to whoever is the first to open it."""
        invitation = secrets.token_urlsafe(24)
        self._invitations.add(invitation)
        return f"http://{LOOPBACK}:{self.server_port}/{invitation}/"

    def takes(self, invitation: str) -> bool:
        """Whether it was given and is not used; from now on it is."""
        try:
            self._invitations.remove(invitation)
        except KeyError:
            return False
        return True

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        error = sys.exception()
        if error and not isinstance(error, ConnectionError):  # the browser has lost interest
            _tell(f"viewer: {_in_a_line(error)}")


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    protocol_version = "HTTP/1.1"
    server_version = f"hdrnodes/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        hosts = {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}
        token, slash, asked = self.path[1:].partition("/")
        known = self.headers.get("Host") in hosts
        if known and self.server.takes(token):
            self._send(b"", "text/plain", HTTPStatus.SEE_OTHER, location=f"/{self.server.token}/")
            return
        allowed = secrets.compare_digest(token.encode(), self.server.token.encode())
        if not known or not allowed or not slash:
            self._send(b"refused: open the address that hdrnodes printed", "text/plain", HTTPStatus.FORBIDDEN)
            return
        try:
            self._answer(*asked.split("/"))
        except LookupError:
            self._send(b"there is no such thing here", "text/plain", HTTPStatus.NOT_FOUND)
        except HdrnodesError as error:
            self._send(str(error).encode(), "text/plain", HTTPStatus.NOT_FOUND)
        except ConnectionError:
            raise  # the browser has lost interest, which is no fault
        except Exception as error:  # noqa: BLE001 - one answer that trips over a bug must not cost the next
            told = f"{asked or 'the page'}: {_in_a_line(error)}"
            _tell(told)
            self._send(told.encode(), "text/plain", HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, what: str, *where: str) -> None:
        pictures = self.server.pictures
        if what == "" and not where:
            nonce = secrets.token_urlsafe(12)
            self._send(served_page(pictures, nonce), "text/html; charset=utf-8", nonce=nonce)
            return
        if what == "page" and len(where) == 1:
            self._send(page_files()[where[0]], MEDIA_TYPES[PurePosixPath(where[0]).suffix])
            return
        match what, _whole_numbers(where):
            case "picture", [side, frame]:
                try:
                    self._send_json(pictures.get(side, frame).about())
                except HdrnodesError as error:  # an answer like another: the page says it, and goes on
                    self._send_json({"error": str(error)})
            case "tile", [side, frame, level, column, row]:
                tile = pictures.get(side, frame).pyramid.tile(level, column, row)
                self._send(tile.astype("<f2", copy=False).tobytes(), "application/octet-stream")
            case "pixel", [side, frame, x, y]:
                self._send_json(pictures.get(side, frame).reading(x, y))
            case _:
                raise LookupError(what)

    def _send_json(self, value: object) -> None:
        self._send(json.dumps(value, allow_nan=False).encode(), "application/json")

    def _send(
        self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, nonce: str = "", location: str | None = None
    ) -> None:
        scripts = f"script-src 'self' 'nonce-{nonce}'" if nonce else "script-src 'self'"
        policy = f"default-src 'none'; {scripts}; style-src 'self'; connect-src 'self'; img-src data:"
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **({} if location is None else {"Location": location}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each tile is of no use to anybody."""


def _in_a_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {said}' if said else ''}"


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _whole_numbers(words: tuple[str, ...]) -> list[int]:
    try:
        return [int(each) for each in words]
    except ValueError as error:
        raise LookupError(*words) from error
