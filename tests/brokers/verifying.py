"""A receiver that lets others judge each request: the package `standardwebhooks`, and DocSpace's rule by hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import standardwebhooks
from aiohttp import web


class Post(NamedTuple):
    """One request: the webhook it is for, and its `webhook-id`."""

    webhook: str
    delivery: str


class VerifyingReceiver:
    """Each webhook has a path of its own; answers 200, also to what is wrong, which is noted."""

    def __init__(self) -> None:
        self.url = ""
        self.secrets: dict[str, str] = {}
        """By webhook, `whsec_…`: both of its signatures are made with it."""
        self.posts: list[Post] = []
        self.wrong: list[str] = []
        self.waiting: Counter[str] = Counter()
        """Requests that wait for their answer, by webhook."""
        self._answers = asyncio.Event()
        self._answers.set()
        self._came = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/{webhook}", self._hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        self.answer()
        if self._runner is not None:
            await self._runner.cleanup()

    def hold(self) -> None:
        """From here on requests are taken, and wait for their answer."""
        self._answers.clear()

    def answer(self) -> None:
        """Those that wait, and all that come."""
        self._answers.set()

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until what came makes it so, but no longer than so; whether it is."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return False
        return True

    @property
    def deliveries(self) -> Counter[str]:
        """How often each came, by its `webhook-id`."""
        return Counter(post.delivery for post in self.posts)

    async def _hear(self, request: web.Request) -> web.Response:
        webhook, body = request.match_info["webhook"], await request.read()
        self._judge(webhook, request, body)
        self.posts.append(Post(webhook, request.headers.get("webhook-id", "")))
        self.waiting[webhook] += 1
        self._came.set()
        try:
            await self._answers.wait()
        finally:
            self.waiting[webhook] -= 1
        return web.Response(text="thank you")

    def _judge(self, webhook: str, request: web.Request, body: bytes) -> None:
        secret = self.secrets[webhook]
        try:
            standardwebhooks.Webhook(secret).verify(body, dict(request.headers))
        except standardwebhooks.WebhookVerificationError as error:
            self.wrong.append(f"standardwebhooks of a request to {webhook}: {error}")
        # DocSpace's key is the secret as typed, its digits are capitals.
        ours = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()
        theirs = request.headers.get("x-docspace-signature-256", "nothing")
        if not hmac.compare_digest(ours, theirs):
            self.wrong.append(f"x-docspace-signature-256 of a request to {webhook}: {theirs}, not {ours}")
