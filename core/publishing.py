"""The ways a file of portal events is published: by the operator of this machine, or over HTTP with a token.

An entry is a plain event or, where it has a `specversion`, a CloudEvent, which is sent as the plain event it becomes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from core.cloud_event import plain_of
from core.conversation import Conversation
from core.errors import HookledgerError, NotAllowedError, OverloadedError, UnauthorizedError
from core.feed import Outcome
from core.incoming import Rejected
from core.limits import FEED_UNDER_WAY_MAX, REQUEST_EVENTS_MAX
from core.no_answer import no_answer
from core.operations.publish import PUBLISH, Publish, Published

PATH = "/api/ledger/events"
NOT_HERE = (404, 405)
_ENTRY = re.compile(r"\$\[[0-9]+\]")


def _item(raw: bytes) -> bytes | str:
    plain = plain_of(raw, "$")
    return plain.error if isinstance(plain, Rejected) else plain


class ByOperator:
    """To whoever holds the ledger."""

    under_way_max = FEED_UNDER_WAY_MAX
    batch_max = REQUEST_EVENTS_MAX

    def __init__(self, there: Conversation, tenant: str) -> None:
        self._there, self._tenant = there, tenant

    def item(self, raw: bytes) -> bytes | str:
        return _item(raw)

    async def send(self, items: list[bytes]) -> asyncio.Future[Outcome]:
        asked = Publish(self._tenant, [msgspec.Raw(item) for item in items])
        return asyncio.ensure_future(_outcome(await self._there.begin(PUBLISH, asked)))


async def _outcome(coming: asyncio.Future[Published]) -> Outcome:
    published = await coming
    refused = [(one.index, one.reason) for one in published.refused]
    return Outcome({"accepted": published.accepted, "duplicates": published.duplicates}, refused)


class OverHttp:
    """To a `serve` on any machine; one batch after the other, for only so they are taken in the order of the file."""

    under_way_max = 1
    batch_max = REQUEST_EVENTS_MAX

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session, self._url = session, url.rstrip("/") + PATH
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def item(self, raw: bytes) -> bytes | str:
        return _item(raw)

    async def send(self, items: list[bytes]) -> asyncio.Future[Outcome]:
        return asyncio.ensure_future(self._posted(b"[" + b",".join(items) + b"]"))

    async def _posted(self, body: bytes) -> Outcome:
        try:
            async with self._session.post(self._url, data=body, headers=self._headers) as response:
                status, answer = response.status, await response.read()
                retry_after = response.headers.get("Retry-After", "")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise HookledgerError(f"{self._url} is no URL: write it like https://hookledger.example.com") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConnectionError(f"{self._url} does not answer ({no_answer(error)})") from None
        try:
            told = msgspec.json.decode(answer, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = {}
        if status in (200, 422) and "events" in told:
            return _told(told)
        raise _refusal(self._url, status, str(told.get("detail", "")), retry_after)


def _told(told: Mapping[str, Any]) -> Outcome:
    refused = [
        (index, _ENTRY.sub("$", entry["error"], count=1))
        for index, entry in enumerate(told["events"])
        if "error" in entry
    ]
    return Outcome({name: told[name] for name in ("accepted", "duplicates")}, refused)


def _refusal(url: str, status: int, detail: str, retry_after: str) -> HookledgerError | ConnectionError:
    if status == 503:
        after_s = int(retry_after) if retry_after.isdecimal() else 1
        return OverloadedError(detail or f"{url} takes nothing just now", retry_after_s=after_s)
    if status in (502, 504):
        return ConnectionError(f"{url} does not answer ({status})")
    if status == 401:
        return UnauthorizedError(f"{url}: {detail}")
    if status == 403:
        return NotAllowedError(f"{url}: {detail}")
    return HookledgerError(f"{url} answered {status}{f': {detail}' if detail else ''}")
