"""The log of this process: lines with a name and facts, for people on a terminal or one JSON object a line.

Nothing of a payload, no secret, token or URL is ever a fact of a line. What foreign words still bring along is taken
out before it is written, and so is what could steer a terminal.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from typing import Any, Literal, TextIO

from core.clock import to_iso
from core.histogram import Histogram
from core.limits import LOG_FACT_CHARS_MAX, LOG_OFTEN_MAX, LOG_OFTEN_S
from core.log_lines import LINES

ROOT = "hookledger"
LEVELS = ("debug", "info", "warning", "error", "critical")

Form = Literal["console", "json"]

_SECRETS = (
    (re.compile(r"\bwhsec_\S+"), "whsec_[redacted]"),
    (re.compile(r"\b(hlt_[0-9a-f]+)\.[\w-]+"), r"\1.[redacted]"),
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]+"), r"\1 [redacted]"),
    (re.compile(r"(://)[^/@\s]+@"), r"\1[redacted]@"),
    (re.compile(r"(://[^\s?#]*)[?#][^\s'\"]*"), r"\1?[redacted]"),
)


class Log:
    """Says lines of core/log_lines.py on the part's own logger, so that the standard library can turn it down."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{part}")

    def is_on(self, level: int) -> bool:
        """Whether lines as loud as this are written; to ask costs next to nothing."""
        return self._logger.isEnabledFor(level)

    def say(self, line: str, bug: BaseException | None = None, /, **facts: object) -> None:
        """Write the line of this name; with a traceback where it was a *bug* of ours."""
        level, text, _ = LINES[line]
        if self._logger.isEnabledFor(level):
            self._logger.log(level, text.format(**facts), exc_info=bug, extra={"line": line, "facts": facts})


def set_up(stream: TextIO, form: Form, level: str) -> LogHandler:
    """From here on, what this process says goes to *stream*; of others' libraries only what is worth a warning."""
    handler = LogHandler(stream)
    handler.setFormatter(_Json() if form == "json" else _Console())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
    # It logs a traceback for whatever a stranger sends that is not HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It says at every try that a broker is away; delivery/kafka says so once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return handler


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes lines, and holds back what comes too often: of one name, LOG_OFTEN_MAX in LOG_OFTEN_S, then one that says
    how many more there were."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.written = Counter(dict.fromkeys(LEVELS, 0))
        """Lines by level, those held back among them."""
        self._often: dict[str, tuple[float, int]] = {}

    async def samples(self) -> list[tuple[str, tuple[str, ...], float | Histogram]]:
        """For `/metrics`."""
        return [("hookledger_log_lines_total", (level,), count) for level, count in self.written.items()]

    def emit(self, record: logging.LogRecord) -> None:
        self.written[record.levelname.lower()] += 1
        self._say_held_back(record.created)
        line = getattr(record, "line", None)
        if line is not None and LINES[line].often:
            since, count = self._often.setdefault(line, (record.created, 0))
            self._often[line] = since, count + 1
            if count >= LOG_OFTEN_MAX:
                return
        super().emit(record)

    def close(self) -> None:
        self._say_held_back(float("inf"))
        super().close()

    def _say_held_back(self, now_s: float) -> None:
        for line, (since, count) in list(self._often.items()):
            if not 0 <= now_s - since < LOG_OFTEN_S:
                del self._often[line]
                if count > LOG_OFTEN_MAX:
                    super().emit(_held_back(line, count - LOG_OFTEN_MAX))


def _held_back(name: str, more: int) -> logging.LogRecord:
    facts = {"name": name, "more": more}
    level, text, _ = LINES["log.held_back"]
    record = logging.LogRecord(f"{ROOT}.log", level, "", 0, text.format(**facts), None, None)
    record.__dict__.update(line="log.held_back", facts=facts)
    return record


class _Console(logging.Formatter):
    """`2026-11-24T10:00:00.250Z INFO webhook.enabled: webhook 7 is enabled [tenant=1]`."""

    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "line", record.name)
        text = f"{_at(record)} {record.levelname} {name}: {_clean(record.getMessage())}"
        said = LINES[name].text if name in LINES else ""
        more = [
            f"{fact}={_clean(str(value))}"
            for fact, value in getattr(record, "facts", {}).items()
            if f"{{{fact}" not in said and value not in (None, "")
        ]
        if more:
            text += f" [{' '.join(more)}]"
        for line in _traceback(self, record):
            text += f"\n    {line}"
        return text


class _Json(logging.Formatter):
    """One object a line: when, how loud, which line by name, its text, then its facts."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "line", record.name),
            "text": _clean(record.getMessage()),
        }
        for name, fact in getattr(record, "facts", {}).items():
            told[name] = fact if isinstance(fact, int | float | None) else _clean(str(fact))
        traceback = _traceback(self, record)
        if traceback:
            told["traceback"] = "\n".join(traceback)
        return json.dumps(told)


def _at(record: logging.LogRecord) -> str:
    return to_iso(round(record.created * 1_000))


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [_clean(line) for line in formatter.formatException(record.exc_info).split("\n")]


def _clean(text: str) -> str:
    """Without secrets, without what could steer a terminal or begin a line of its own, and not endless."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    if len(text) > LOG_FACT_CHARS_MAX:
        text = f"{text[:LOG_FACT_CHARS_MAX]}…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
