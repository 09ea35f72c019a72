"""The settings: one table of their types, defaults and meanings, and the file they may stand in."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import msgspec

from core.errors import InvalidInputError
from core.limits import INTAKE_BYTES_MAX, READY_BYTES_MAX, REQUEST_BYTES_MAX, STOP_S, YOUNG_REQUESTS_MAX
from core.setting_kinds import DatabaseUrl, Folder, Kind, Network, Networks, Seconds, Text, Texts, Whole, Word, Words

FILE = "hookledger.toml"
"""Looked for where one stands, unless `--config` names another."""

PREFIX = "HOOKLEDGER_"
FILE_VARIABLE = "HOOKLEDGER_CONFIG"
KEY_VARIABLE = "HOOKLEDGER_KEY"
KAFKA_PREFIX = "HOOKLEDGER_KAFKA_"
"""Before the name of any setting of the Kafka client, which delivery/kafka/settings.py reads."""
SECRETS = {KEY_VARIABLE: "The master key; without it, the file master.key in the data directory."}
"""Variables that are no flag and stand in no file, because others read those; their values are never printed."""

DATABASE_SCHEMA = "hookledger"
"""Where in a database the tables are, unless somebody names another schema."""

MIB = 1024 * 1024
GIB = 1024 * MIB
SHOWN_CHARS_MAX = 60
"""Of a wrong value, in an error."""

Role = Literal["api", "inbox", "outbox", "worker"]
LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of `serve`. To add one is to add it here: its type, its kind, what it is, and its default.

    `name` is its key in the file, `--name` with dashes its flag, `HOOKLEDGER_NAME` its variable.
    """

    data: Annotated[Path, Folder(), "The data directory."] = Path("hookledger-data")
    database: Annotated[
        str | None,
        DatabaseUrl(),
        "The PostgreSQL database that has the ledger; without it, it is in the data directory.",
    ] = None
    schema: Annotated[str, Text(), "Where in the database the ledger's tables are."] = DATABASE_SCHEMA
    role: Annotated[
        tuple[Role, ...], Words(get_args(Role)), "What this process does, of several on one database; without it, all."
    ] = ()
    kafka: Annotated[
        str | None,
        Text(),
        "Kafka's brokers, HOST:PORT with commas between: portal events, deliveries and outcomes go through them.",
    ] = None
    inbox_topic: Annotated[
        tuple[str, ...], Texts(), "A topic of Kafka that portal events are read from; several may be given."
    ] = ("portal.events",)
    inbox_tenant: Annotated[
        tuple[str, ...],
        Texts(),
        "Names of topics that are a tenant's, like portal.events.{tenant}; several may be given.",
    ] = ()
    inbox_dead_topic: Annotated[
        str, Text(), "The topic that gets records that are no portal events, with the reason in their headers."
    ] = "portal.events.dead"
    inbox_group: Annotated[str, Text(), "The group in which processes share these topics."] = "hookledger"
    deliveries_topic: Annotated[
        str, Text(), "The topic that brings deliveries from the process with --role outbox to those with --role worker."
    ] = "webhook.deliveries"
    deliveries_group: Annotated[str, Text(), "The group in which workers share that topic."] = "hookledger-workers"
    ledger_topic: Annotated[str, Text(), "The topic that tells what is recorded of webhooks and deliveries."] = (
        "webhook.ledger"
    )
    host: Annotated[str, Text(), "The address to listen on."] = "127.0.0.1"
    port: Annotated[int, Whole(0, 65_535), "The port to listen on; 0: any free one, which the first line says."] = 8420
    allow_target: Annotated[
        tuple[Network, ...],
        Networks(),
        "A private network whose addresses webhooks may call; several may be given.",
    ] = ()
    log_format: Annotated[LogFormat, Word(get_args(LogFormat)), "How the log looks: for people, or for programs."] = (
        "console"
    )
    log_level: Annotated[LogLevel, Word(get_args(LogLevel)), "What is worth less is not logged."] = "info"
    stop_s: Annotated[
        float, Seconds(3_600), "Seconds that a stopping `serve` waits for requests under way; then it cuts them off."
    ] = STOP_S
    young_requests_max: Annotated[
        int, Whole(1, 16_384), "Requests to receivers under way at once, not counting those that are slow already."
    ] = YOUNG_REQUESTS_MAX
    ready_bytes_max: Annotated[
        int, Whole(MIB, 64 * GIB), "Bytes of memory for deliveries that are due; the rest waits on disk."
    ] = READY_BYTES_MAX
    intake_bytes_max: Annotated[
        int,
        Whole(REQUEST_BYTES_MAX, 64 * GIB),
        "Bytes of memory for requests that wait for their commit; more is answered 503.",
    ] = INTAKE_BYTES_MAX


class Setting(NamedTuple):
    """One row of the table."""

    name: str
    kind: Kind
    default: Any
    help: str

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def table() -> dict[str, Setting]:
    """All settings by name, in their order."""
    defaults = Settings()
    rows = {}
    for name, said in get_type_hints(Settings, include_extras=True).items():
        kind, meaning = said.__metadata__
        rows[name] = Setting(name, kind, getattr(defaults, name), meaning)
    return rows


def read_file(path: Path) -> dict[str, Any]:
    """The settings that a file holds, by name; InvalidInputError says in which file what is wrong with which key.

    A relative path in it is meant from where the file is: it names the same ledger wherever one stands.
    """
    try:
        text = path.read_bytes().decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not TOML: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"{path} is not TOML: {_one_line(error)}") from None
    except RecursionError:
        raise InvalidInputError(f"{path} cannot be read: it is nested too deep") from None
    rows = table()
    read = {}
    for key, value in found.items():
        if key not in rows:
            raise InvalidInputError(f"{path}: {key!r} is no setting; {_near(key, rows)}")
        setting = rows[key].kind.read(value)
        if setting is None:
            raise InvalidInputError(f"{path}: {key} is {_shown(value)}, and must be {rows[key].kind.expected}")
        read[key] = path.parent / setting if isinstance(setting, Path) else setting
    return read


def strangers(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings and are none, each with what comes near: somebody meant something by them."""
    rows = table()
    known = {row.variable for row in rows.values()} | {FILE_VARIABLE, *SECRETS}
    found = sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and not name.startswith(KAFKA_PREFIX) and name not in known
    )
    return {name: _near(name.removeprefix(PREFIX).lower(), rows) for name in found}


def _near(key: str, rows: Collection[str]) -> str:
    """What may have been meant."""
    variable = PREFIX + key.upper()
    if variable in SECRETS:
        return f"it is a secret: set {variable}"
    near = [name for name in rows if name.startswith(key)] or get_close_matches(key.replace("-", "_"), rows)
    return f"what comes near: {', '.join(near)}" if near else f"there are {', '.join(rows)}"


def _shown(value: object) -> str:
    """A value of the file in a few words."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
