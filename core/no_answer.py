"""Why somebody who was asked over HTTP gave no answer, in words."""

from __future__ import annotations

import os

import aiohttp


def no_answer(error: Exception) -> str:
    """As one says it behind "it does not answer"; aiohttp tells of its own connections as well."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"its name cannot be looked up: {error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate: {getattr(error.certificate_error, 'verify_message', '') or error.certificate_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
