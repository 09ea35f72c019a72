"""The port of a sender: one HTTP request to a webhook's target, and what became of it."""

from __future__ import annotations

import asyncio
import os
import re
from ipaddress import IPv6Address
from ssl import SSLContext, SSLError
from typing import Final, Protocol

import msgspec
from aiohttp import ClientConnectorCertificateError, ClientConnectorDNSError, ClientConnectorError, InvalidURL
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from core.errors import InvalidInputError
from core.limits import WEBHOOK_URL_CHARS_MAX
from delivery.addresses import RefusedAddressError

_HOST: Final = re.compile(r"(?!.{254})([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The target answered. `headers` and `body` are cut at their limits; `body` is as it came, never decompressed.
    `truncated`: there was more of the body, or it broke off."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool


class Unreached(msgspec.Struct, frozen=True, gc=False):
    """There was no answer; `reason` is for people, and holds nothing secret."""

    reason: str


Outcome = Answered | Unreached


class Target:
    """A URL as a sender needs it for each request, prepared once per version of a webhook.

    `head` is the first lines of each request; `origin` names the connections that may be shared with other targets;
    `request` is what aiohttp's connector reads of a request.
    """

    __slots__ = ("head", "origin", "request", "ssl", "url")

    def __init__(self, url: str, ssl: bool, tls: SSLContext | bool, loop: asyncio.AbstractEventLoop) -> None:
        parsed = parse_url(url, ssl)
        self.url = url
        self.ssl = ssl
        self.head = request_head(parsed)
        self.origin = f"{parsed.origin()} {'verified' if ssl else 'unverified'}"
        self.request = ClientRequest("POST", parsed, loop=loop, ssl=tls)


class Sender(Protocol):
    """Makes one request at a time per call; what a receiver does is never an exception."""

    def target(self, url: str, ssl: bool) -> Target:
        """Prepare a URL; InvalidInputError when it is not one that we post to."""
        ...

    async def post(self, target: Target, head_lines: bytes, body: bytes) -> Outcome:
        """Post once. `head_lines` are whole header lines (`Name: value\\r\\n`); the sender adds the request line,
        Host and Content-Length. OverloadedError: this machine could not try."""
        ...

    async def close(self) -> None:
        """Close every connection. A post that is still under way is cancelled."""
        ...


def parse_url(url: str, ssl: bool) -> URL:
    """The URL of a target, or InvalidInputError that says what is wrong with it."""
    if len(url) > WEBHOOK_URL_CHARS_MAX:
        raise InvalidInputError(
            f"the URL is longer than {WEBHOOK_URL_CHARS_MAX} characters", limit="WEBHOOK_URL_CHARS_MAX"
        )
    if any(char <= " " or char == "\x7f" for char in url):
        raise InvalidInputError("the URL has spaces or control characters in it")
    try:
        parsed = URL(url)
    except ValueError as error:
        raise InvalidInputError(f"this is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise InvalidInputError("the URL must begin with https:// or http://")
    if ssl and parsed.scheme != "https":
        raise InvalidInputError("the URL must begin with https://; to allow http, and any certificate, say --no-ssl")
    if "@" in parsed.raw_authority:
        raise InvalidInputError("leave user name and password out of the URL: whoever sees the webhook would see them")
    host = parsed.raw_host
    if not host or not parsed.port or not (_is_ipv6(host) or _HOST.fullmatch(host)):
        raise InvalidInputError("the URL has no valid host and port")
    return parsed


def request_head(url: URL) -> bytes:
    """The first two lines of each request to this URL: what to do, and Host."""
    return f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n".encode("ascii")


def request_bytes(target_head: bytes, head_lines: bytes, body: bytes) -> bytes:
    """One whole request as it goes over the wire."""
    return b"".join((target_head, head_lines, b"Content-Length: %d\r\n\r\n" % len(body), body))


def why_not_connected(error: Exception) -> str:
    """Say in a few words why the connector did not get through to a target."""
    if isinstance(error, InvalidURL):
        return "cannot connect: the host is neither a name nor a plainly written address"
    if isinstance(error, ClientConnectorCertificateError):
        cause = error.certificate_error
        return f"certificate: {getattr(cause, 'verify_message', '') or cause}"
    cause = error.os_error if isinstance(error, ClientConnectorError) else error
    if isinstance(cause, RefusedAddressError):
        return str(cause)
    if isinstance(error, ClientConnectorDNSError):
        return f"DNS: {cause.strerror or cause}" if isinstance(cause, OSError) else f"DNS: {cause}"
    if isinstance(cause, SSLError):
        return f"TLS: {(cause.reason or str(cause)).replace('_', ' ').lower()}"
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return f"cannot connect: {os.strerror(cause.errno).lower()}"
    return f"cannot connect: {cause}"


def _is_ipv6(host: str) -> bool:
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False
