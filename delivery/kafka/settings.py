"""How brokers are reached: their addresses, and what the environment says of kafka-python's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from core.errors import InvalidInputError
from core.settings import KAFKA_PREFIX

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
WORDS: dict[str, tuple[str, ...]] = {
    "compression_type": ("gzip", "snappy", "lz4", "zstd"),
    "sasl_mechanism": ("PLAIN", "GSSAPI", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512", "AWS_MSK_IAM"),
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
}
OURS = {
    "acks",
    "auto_commit_interval_ms",
    "auto_offset_reset",
    "bootstrap_servers",
    "consumer_timeout_ms",
    "enable_auto_commit",
    "enable_idempotence",
    "exclude_internal_topics",
    "group_id",
    "isolation_level",
    "metric_group_prefix",
    "retries",
    "socks5_proxy",
    "transaction_timeout_ms",
    "transactional_id",
}
"""What hookledger itself decides, so that nothing is lost or doubled by chance."""
LEAST = {"max_poll_interval_ms": 60_000, "max_poll_records": 1, "request_timeout_ms": 1_000, "session_timeout_ms": 1}
"""What these must be at least. A group waits the first of them for a member that finishes what it has begun."""
SECRET = ("password", "proxy_url")
"""Settings with one of these in their name are never shown."""

COMMON: dict[str, Any] = {
    "allow_auto_create_topics": False,
    "bootstrap_timeout_ms": 3_000,
    "client_id": "hookledger",
    # a topic that is made later is seen, and so are its new partitions
    "metadata_max_age_ms": 30_000,
    "reconnect_backoff_max_ms": 1_000,
}
CONSUMER: dict[str, Any] = {
    "auto_offset_reset": "earliest",
    "enable_auto_commit": False,
    "fetch_max_wait_ms": 250,
    "heartbeat_interval_ms": 2_000,
    # what a portal took back never happened
    "isolation_level": "read_committed",
    "max_poll_records": 1_000,
    "session_timeout_ms": 6_000,
}
ADMIN: dict[str, Any] = {"request_timeout_ms": 10_000}
PRODUCER: dict[str, Any] = {
    "acks": "all",
    "batch_size": 512 * 1024,
    "delivery_timeout_ms": 30_000,
    "enable_idempotence": True,
    "linger_ms": 5,
    "max_block_ms": 5_000,
    "request_timeout_ms": 10_000,
}


class Settings:
    """Where the brokers are, and what was *said* of how to speak to them, by kafka-python's names."""

    def __init__(self, servers: tuple[str, ...], said: Mapping[str, Any]) -> None:
        self.servers = servers
        self._said = dict(said)

    def consumer(self) -> dict[str, Any]:
        """The arguments of a KafkaConsumer, but for its group."""
        return self._for(KafkaConsumer.DEFAULT_CONFIG, CONSUMER)

    def producer(self) -> dict[str, Any]:
        """The arguments of a KafkaProducer."""
        return self._for(KafkaProducer.DEFAULT_CONFIG, PRODUCER)

    def admin(self) -> dict[str, Any]:
        """The arguments of a KafkaAdminClient."""
        return self._for(KafkaAdminClient.DEFAULT_CONFIG, ADMIN)

    def shown(self) -> dict[str, str]:
        """What was said, for people: without what is secret in it."""
        return {name: "…" if _is_secret(name) else str(value) for name, value in sorted(self._said.items())}

    def __repr__(self) -> str:
        return f"Settings({','.join(self.servers)}, {self.shown()})"

    def _for(self, known: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
        said = {name: value for name, value in self._said.items() if name in known}
        common = {name: value for name, value in COMMON.items() if name in known}
        return {**common, **ours, **said, "bootstrap_servers": list(self.servers)}


def read(servers: str, environment: Mapping[str, str]) -> Settings:
    """*servers* are `HOST:PORT`, several with commas between; InvalidInputError names what is wrong, and its variable.

    An empty variable is as none.
    """
    known = _known()
    said = {}
    for variable, text in sorted(environment.items()):
        if variable.startswith(KAFKA_PREFIX) and text:
            name = variable.removeprefix(KAFKA_PREFIX).lower()
            if name in OURS:
                raise InvalidInputError(f"{variable} cannot be set: hookledger decides it")
            if name not in known:
                raise InvalidInputError(f"{variable} is no setting of kafka-python; {_near(name, known)}")
            said[name] = _read(variable, name, text, known[name])
    settings = Settings(_servers(servers), said)
    consumer = settings.consumer()
    if consumer["heartbeat_interval_ms"] >= consumer["session_timeout_ms"]:
        raise InvalidInputError(
            f"{KAFKA_PREFIX}HEARTBEAT_INTERVAL_MS is {consumer['heartbeat_interval_ms']}, and must be less than "
            f"{KAFKA_PREFIX}SESSION_TIMEOUT_MS, {consumer['session_timeout_ms']}"
        )
    return settings


def _servers(text: str) -> tuple[str, ...]:
    servers = tuple(server.strip() for server in text.split(",") if server.strip())
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise InvalidInputError(f"{server!r} is no broker's address, which is HOST:PORT")
    if not servers:
        raise InvalidInputError("no broker is named: HOST:PORT, several with commas between")
    return servers


def _known() -> dict[str, Any]:
    """What may be said in a text: each setting, with its default."""
    both = {**KafkaConsumer.DEFAULT_CONFIG, **KafkaProducer.DEFAULT_CONFIG, **COMMON, **CONSUMER, **PRODUCER}
    objects = {"ssl_context", "key_serializer", "value_serializer", "key_deserializer", "value_deserializer"}
    objects |= {"sasl_oauth_token_provider", "sasl_kerberos_name"}
    return {
        name: default
        for name, default in both.items()
        if name not in objects | OURS and isinstance(default, str | int | float | None)
    }


def _read(variable: str, name: str, text: str, default: Any) -> Any:
    """The text as kafka-python has it."""
    if name in WORDS and text not in WORDS[name]:
        raise InvalidInputError(f"{variable} is {text!r}, and must be one of {', '.join(WORDS[name])}")
    if isinstance(default, bool):
        if text.lower() not in BOOLEANS:
            raise InvalidInputError(f"{variable} is {text!r}, and must be true or false")
        return BOOLEANS[text.lower()]
    if isinstance(default, int | float) or name.endswith("_bytes"):
        if not text.isdecimal():
            raise InvalidInputError(f"{variable} is {text!r}, and must be a whole number")
        if int(text) < LEAST.get(name, 0):
            raise InvalidInputError(f"{variable} is {text}, and must be at least {LEAST[name]}")
        return int(text)
    if name == "api_version":
        if not all(part.isdecimal() for part in text.split(".")):
            raise InvalidInputError(f"{variable} is {text!r}, and must be a version like 4.1")
        return tuple(int(part) for part in text.split("."))
    return text


def _is_secret(name: str) -> bool:
    return any(part in name for part in SECRET)


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = [one for one in known if one.startswith(name)] or get_close_matches(name, known)
    variables = ", ".join(KAFKA_PREFIX + one.upper() for one in near)
    return f"what comes near: {variables}" if near else "KafkaConsumer and KafkaProducer of kafka-python list them"
