"""Apache Kafka that lets people in by name only, and whom it knows do nothing, at a second port beside its open one."""

from __future__ import annotations

from tests.brokers.apache import ApacheBroker
from tests.brokers.broker import free_port

PASSWORD = "let-me-in"


class GuardedBroker(ApacheBroker):
    """Who comes to its open port may do all; the user `portal`, who comes to the other one, nothing."""

    def __init__(self) -> None:
        self.guarded = f"127.0.0.1:{free_port()}"
        super().__init__()

    @property
    def words(self) -> dict[str, str]:
        """What the environment says of how to come in as `portal`."""
        said = {
            "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "SASL_MECHANISM": "PLAIN",
            "SASL_PLAIN_USERNAME": "portal",
            "SASL_PLAIN_PASSWORD": PASSWORD,
        }
        return {f"HOOKLEDGER_KAFKA_{name}": value for name, value in said.items()}

    def _said(self) -> str:
        login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_portal="{PASSWORD}";'
        lines = []
        for line in super()._said().splitlines():
            name = line.partition("=")[0]
            is_list = name in ("listeners", "advertised.listeners")
            lines.append(f"{line},SASL_PLAINTEXT://{self.guarded}" if is_list else line)
        return "\n".join(
            [
                *lines,
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
                "inter.broker.listener.name=PLAINTEXT",
                "sasl.enabled.mechanisms=PLAIN",
                f"listener.name.sasl_plaintext.plain.sasl.jaas.config={login}",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users=User:ANONYMOUS",
            ]
        )
