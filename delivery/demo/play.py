"""The demo itself, act by act; it fails with a HookledgerError as soon as anything is not as it should be."""

from __future__ import annotations

import asyncio
import shlex
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.text import Text

from core.errors import HookledgerError
from core.operations import deliveries, delivery_story
from core.operations.telling import AttemptTold
from core.operator import ask_serve
from delivery.demo.arrivals import Arrivals
from delivery.demo.processes import Crew
from delivery.demo.scene import Subscriber, samples, subscribers

RECORDED_S = 10.0
"""An outcome is recorded a few milliseconds after the receiver has answered."""
LOOK_AGAIN_S = 0.05


class Play:
    """What one act leaves for the next."""

    def __init__(self, console: Console, crew: Crew, data: Path) -> None:
        self._console, self._crew, self._data = console, crew, data
        self._subscribers = subscribers()
        self._samples = samples()
        self._token = ""
        self.notes: list[str] = []
        """What was shown, for the end."""

    async def run(self) -> None:
        self._act("A receiver; what comes to /report it fails once, on purpose")
        receiver, at = await self._receiver()
        assert receiver.stdout is not None
        arrivals = Arrivals(self._console, receiver.stdout)
        reading = asyncio.create_task(arrivals.read())
        try:
            self._act("The service")
            service, url = await self._service()
            self._act("Three webhooks, and a token to publish with")
            await self._subscribe(at)
            self._act(f"{len(self._samples)} portal events, one of each trigger, and their deliveries as they arrive")
            created = await self._publish(url)
            self._say("what was failed is due again after 5 s, give or take a tenth")
            await arrivals.wait(created)
            self._check(arrivals, created)
            await self._settled(created)
            self._act("One delivery that was retried, told from the ledger")
            await self._tell(arrivals)
            await self._render_again(arrivals)
            self._act("The views, thrown away and made again from the ledger")
            await self._rebuild(service)
            await self._crew.stop(receiver)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if reading.done() and not reading.cancelled() and (error := reading.exception()) is not None:
            raise error

    async def _receiver(self) -> tuple[Process, str]:
        words = ["listen", "--port", "0", "--json", "--fail", "1", "--fail-path", f"/{self._subscribers[-1].name}"]
        words += [word for _ in self._subscribers for word in ("--secret", "-")]
        self._type(words)
        return await self._crew.start(words, says=2, stdin=_lines(self._subscribers))

    async def _service(self) -> tuple[Process, str]:
        words = ["serve", "--port", "0", "--allow-target", "127.0.0.0/8"]
        self._type(words)
        service, url = await self._crew.start(words, says=1)
        self._say(f"listening on {url}")
        assert service.stdout is not None
        while (line := (await service.stdout.readline()).decode().strip()) != "ready":
            if not line:
                raise HookledgerError("`hookledger serve` ended before it was ready")
        return service, url

    async def _subscribe(self, receiver: str) -> None:
        for one in self._subscribers:
            words = one.words(receiver)
            self._type(words)
            await self._crew.run(words, stdin=one.secret + "\n")
        words = ["token", "create", "--role", "portal", "--json"]
        self._type(words)
        self._token = msgspec.json.decode(await self._crew.run(words))["token"]

    async def _publish(self, url: str) -> int:
        """Each event in a request of its own, as a portal would; how many deliveries that makes."""
        url = f"{url}/api/ledger/events"
        self._say(f"POST {url}")
        created = 0
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"}) as session:
            for sample in self._samples:
                async with session.post(url, data=sample.event, headers={"Content-Type": "application/json"}) as answer:
                    said: dict[str, Any] = await answer.json(content_type=None)
                accepted = said.get("events", [{}])[0]
                if answer.status != 200 or accepted.get("trigger") != sample.trigger:
                    raise HookledgerError(f"a {sample.trigger} was answered {answer.status}: {said}")
                created += accepted["deliveries"]
        self.notes.append(f"{len(self._samples)} portal events accepted, one of each trigger")
        return created

    def _check(self, arrivals: Arrivals, created: int) -> None:
        """Everybody got what they asked for, signed, and nobody anything else."""
        got = {
            one.name: sorted(report.trigger or "" for report in arrivals.requests if _is_first(report, one))
            for one in self._subscribers
        }
        everything, forms, report = got.values()
        if everything != sorted(sample.trigger for sample in self._samples):
            raise HookledgerError(f"the webhook for everything got {len(everything)} of {len(self._samples)} triggers")
        if forms != ["form.filled.out", "form.submit"]:
            raise HookledgerError(f"the webhook for two triggers got {forms}")
        if not report or not all(trigger.startswith("file.") for trigger in report):
            raise HookledgerError(f"the webhook for one file got {report}")
        if len(arrivals.retried) != len(report):
            raise HookledgerError(f"{len(report)} first attempts were failed, and {len(arrivals.retried)} retried")
        signatures, verified = arrivals.signatures
        if verified != signatures:
            raise HookledgerError(f"{verified} of {signatures} signatures hold")
        self.notes += [
            f"{created} deliveries arrived: {', '.join(f'{len(found)} to {name}' for name, found in got.items())}",
            f"{len(arrivals.retried)} of them failed at first, and were retried after about 5 s",
            f"{verified} of {signatures} signatures verified, two in each of {len(arrivals.requests)} requests",
        ]

    async def _settled(self, created: int) -> None:
        """Wait until the ledger has what the receiver answered."""
        try:
            async with asyncio.timeout(RECORDED_S):
                while True:
                    asked = deliveries.CountDeliveries(states=("delivered",))
                    if (await ask_serve(self._data, deliveries.COUNT, asked)).count == created:
                        return
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            raise HookledgerError("the ledger does not say of all deliveries that they were delivered") from None

    async def _tell(self, arrivals: Arrivals) -> None:
        words = ["deliveries", "show", str(arrivals.retried[0].event)]
        self._type(words)
        for line in (await self._crew.run(words)).splitlines():
            self._say(line)

    async def _render_again(self, arrivals: Arrivals) -> None:
        """Every request, rendered from the ledger, is what the receiver got."""
        got = {(report.event or 0, report.retry + 1): report.body for report in arrivals.requests}
        again = {}
        for number in sorted({report.event for report in arrivals.requests if report.event is not None}):
            told = await ask_serve(self._data, delivery_story.SHOW, delivery_story.ShowDelivery(number))
            for step in told.steps:
                if isinstance(step, AttemptTold) and step.request is not None:
                    again[number, step.number] = step.request.body
        if again != got:
            same = sum(again.get(key) == body for key, body in got.items())
            raise HookledgerError(f"{same} of {len(got)} requests can be rendered again from the ledger")
        self.notes.append(f"{len(again)} of {len(got)} requests rendered again from the ledger, byte for byte")

    async def _rebuild(self, service: Process) -> None:
        code = await self._crew.stop(service)
        if code != 0:
            raise HookledgerError(f"`hookledger serve` was asked to stop, and ended with {code}")
        words = ["rebuild", "--json"]
        self._type(words)
        report = msgspec.json.decode(await self._crew.run(words))
        views = report["views"]
        if not all(view["equal"] for view in views):
            raise HookledgerError(f"the views differ from what the ledger says: {views}")
        names = " and ".join(view["view"] for view in views)
        self._say(f"{names}: made again from {report['events']} recorded events, and equal to what they were")
        self.notes.append(f"the views, made again from {report['events']} recorded events, equal the old ones")

    def _act(self, title: str) -> None:
        self._console.print()
        self._console.print(Text(title, "bold"))

    def _type(self, words: list[str]) -> None:
        self._console.print(Text(f"  $ hookledger {shlex.join(words)}", "cyan"), soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(Text(f"  {text}"), soft_wrap=True)


def _is_first(report: Any, subscriber: Subscriber) -> bool:
    return bool(report.path == f"/{subscriber.name}" and not report.retry)


def _lines(known: list[Subscriber]) -> str:
    return "".join(one.secret + "\n" for one in known)
