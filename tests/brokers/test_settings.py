"""What the environment says of how brokers are reached."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from core.settings import KAFKA_PREFIX
from delivery.kafka.settings import read


def said(**environment):
    return read("broker.example:9092", {KAFKA_PREFIX + name: value for name, value in environment.items()})


def test_any_setting_of_the_client_may_be_said():
    """Texts, numbers and switches reach the clients that know them, in their own types."""
    settings = said(
        SECURITY_PROTOCOL="SASL_SSL",
        SASL_MECHANISM="SCRAM-SHA-512",
        SASL_PLAIN_USERNAME="portal",
        SSL_CAFILE="/etc/ca.pem",
        SSL_CHECK_HOSTNAME="false",
        SESSION_TIMEOUT_MS="30000",
        COMPRESSION_TYPE="zstd",
        API_VERSION="4.1",
    )
    both = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "portal",
        "ssl_cafile": "/etc/ca.pem",
        "ssl_check_hostname": False,
        "api_version": (4, 1),
        "bootstrap_servers": ["broker.example:9092"],
    }
    consumer, producer = settings.consumer(), settings.producer()
    assert {name: consumer[name] for name in both} == both
    assert {name: producer[name] for name in both} == both
    assert consumer["session_timeout_ms"] == 30_000
    assert producer["compression_type"] == "zstd"
    assert "compression_type" not in consumer
    assert "session_timeout_ms" not in producer


def test_other_variables_and_empty_ones_say_nothing():
    """Of an environment only what begins as ours is read, and what is empty is as if it were not there."""
    settings = read("a:1", {"HOOKLEDGER_KAFKA": "a:1", f"{KAFKA_PREFIX}LINGER_MS": "", "HOME": "/"})
    assert settings.shown() == {}


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SSL_CAFIL": "x"}, "HOOKLEDGER_KAFKA_SSL_CAFILE"),
        ({"SASL_USERNAME": "x"}, "HOOKLEDGER_KAFKA_SASL_PLAIN_USERNAME"),
        ({"WATER": "x"}, "no setting"),
        ({"ACKS": "0"}, "hookledger decides it"),
        ({"GROUP_ID": "x"}, "hookledger decides it"),
        ({"ISOLATION_LEVEL": "read_uncommitted"}, "hookledger decides it"),
        ({"MAX_POLL_INTERVAL_MS": "30000"}, "at least 60000"),
        ({"MAX_POLL_RECORDS": "0"}, "at least 1"),
        ({"HEARTBEAT_INTERVAL_MS": "6000"}, "less than HOOKLEDGER_KAFKA_SESSION_TIMEOUT_MS"),
        ({"SSL_CONTEXT": "x"}, "no setting"),
        ({"SECURITY_PROTOCOL": "TLS"}, "SASL_SSL"),
        ({"LINGER_MS": "five"}, "whole number"),
        ({"CHECK_CRCS": "perhaps"}, "true or false"),
        ({"API_VERSION": "new"}, "version"),
    ],
)
def test_what_is_said_wrongly_is_named(environment, says):
    """The error names the variable, and what may have been meant, or what it may be."""
    with pytest.raises(InvalidInputError, match=says) as refused:
        said(**environment)
    assert KAFKA_PREFIX + next(iter(environment)) in str(refused.value)


@pytest.mark.parametrize("servers", ["", "broker.example", "broker.example:", ":9092", "a:1,b", "a:99999"])
def test_an_address_is_host_and_port(servers):
    """What is no address is refused before anybody is connected to."""
    with pytest.raises(InvalidInputError, match="HOST:PORT"):
        read(servers, {})


def test_several_brokers_may_be_named():
    """They stand with commas between, and IPv6 in brackets."""
    assert read("a:1, [::1]:9092", {}).servers == ("a:1", "[::1]:9092")


def test_secrets_are_not_shown():
    """Whatever prints the settings prints no password."""
    settings = said(SASL_PLAIN_PASSWORD="hush-1", SSL_PASSWORD="hush-2", SASL_PLAIN_USERNAME="portal")
    assert settings.shown() == {"sasl_plain_password": "…", "sasl_plain_username": "portal", "ssl_password": "…"}
    assert "hush" not in f"{settings!r}{settings}"
    assert settings.consumer()["sasl_plain_password"] == "hush-1"
