"""`make demo-kafka`: every role in a process of its own, on a broker and a PostgreSQL of their own, in about a minute.

It fails as soon as anything is not as it should be, says what it was, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from core.errors import HookledgerError
from delivery.demo.processes import Crew
from tests.brokers.demo.play import Play
from tests.brokers.demo.servers import Servers
from tests.brokers.demo.shown import Shown

LOG_LINES_MAX = 20
THEIRS = tuple(
    f"HOOKLEDGER_{what}" for what in ("DATABASE", "SCHEMA", "KAFKA", "INBOX", "DELIVERIES", "LEDGER", "ROLE")
)
"""How variables begin by which somebody's own commands find servers and topics: those are not for the demo."""
STOPPED = 130
"""The exit code after Ctrl-C."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.brokers.demo", description=__doc__)
    parser.add_argument("--small", action="store_true", help="the small broker, although Apache Kafka could be had")
    # Whoever stops the demo stops what it has started: an end without goodbye would leave that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(THEIRS)]:
        del os.environ[name]
    began, shown, servers = time.monotonic(), Shown(), Servers(small=parser.parse_args().small)
    shown.line("hookledger over Kafka: from portal.events to signed, verified deliveries and to webhook.ledger", "bold")
    if servers.why_small:
        shown.line(
            f"Not on Apache Kafka ({servers.why_small}), but on a small broker that speaks as it does.", "yellow"
        )
    with tempfile.TemporaryDirectory(prefix="hookledger-demo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        try:
            shown.act(f"The servers: {servers.broker_version} and PostgreSQL; their data are gone at the end")
            database = servers.start()
            shown.verified(f"{servers.broker_version} and {database} answer, after {time.monotonic() - began:.0f} s")
            asyncio.run(_play(shown, servers, Path(folder), log))
        except (HookledgerError, AssertionError) as error:
            _show(log)
            print(f"the demo failed: {error}", file=sys.stderr)
            return 1
        except (KeyboardInterrupt, asyncio.CancelledError):
            print("the demo was stopped", file=sys.stderr)
            return STOPPED
        finally:
            servers.end()
    shown.line("")
    shown.line(f"All as it should be, in {time.monotonic() - began:.0f} s", "bold green")
    return 0


async def _play(shown: Shown, servers: Servers, home: Path, log: Path) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    crew = Crew(servers.environment(home), log)
    try:
        await Play(shown, crew, servers.broker, home).run()
    finally:
        await crew.stop_all()


def _show(log: Path) -> None:
    """What the processes said last, as they said it."""
    if log.exists():
        for line in log.read_text(errors="replace").splitlines()[-LOG_LINES_MAX:]:
            print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
