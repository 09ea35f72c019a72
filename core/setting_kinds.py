"""What a setting's value may be: how it stands in a file, and in words."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import NamedTuple, Protocol

DATABASE_SCHEMES = ("postgresql://", "postgres://")
"""What a database's URL begins with; a place that begins otherwise is a directory."""

Network = IPv4Network | IPv6Network


class Kind(Protocol):
    """What a setting's value may be. `expected` says it in words."""

    @property
    def expected(self) -> str: ...

    def read(self, value: object) -> object | None:
        """A value of the file as the setting has it; None when it may not be."""
        ...


class Whole(NamedTuple):
    least: int
    most: int

    @property
    def expected(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def read(self, value: object) -> int | None:
        return value if type(value) is int and self.least <= value <= self.most else None


class Seconds(NamedTuple):
    most: int

    @property
    def expected(self) -> str:
        return f"a number of seconds from 0 to {self.most}"

    def read(self, value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= self.most:
            return None
        return float(value)


class Word(NamedTuple):
    words: Collection[str]

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.words)}"

    def read(self, value: object) -> str | None:
        return value if isinstance(value, str) and value in self.words else None


class Text(NamedTuple):
    expected: str = "a text that is not empty"

    def read(self, value: object) -> str | None:
        return value if isinstance(value, str) and value and "\0" not in value else None


class Folder(NamedTuple):
    expected: str = "the path of a folder"

    def read(self, value: object) -> Path | None:
        return Path(value) if isinstance(value, str) and value and "\0" not in value else None


class Networks(NamedTuple):
    expected: str = "a list of networks like 192.168.1.0/24 or fd00::/8"

    def read(self, value: object) -> tuple[Network, ...] | None:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            return None
        try:
            return tuple(ip_network(entry) for entry in value)
        except ValueError:
            return None


class DatabaseUrl(NamedTuple):
    expected: str = "a URL like postgresql://USER@HOST/NAME"

    def read(self, value: object) -> str | None:
        return value if isinstance(value, str) and value.startswith(DATABASE_SCHEMES) and "\0" not in value else None

    @staticmethod
    def shown(value: str) -> str:
        """The URL without what is secret in it, however it is written."""
        value = re.sub(r"(://[^/?#:@]*):.*@", r"\1:…@", value, flags=re.DOTALL)
        return re.sub(r"([?&](?:password|sslpassword|oauth_client_secret)=)[^&]*", r"\1…", value, flags=re.IGNORECASE)


class Texts(NamedTuple):
    expected: str = "a list of texts that are not empty"

    def read(self, value: object) -> tuple[str, ...] | None:
        if not isinstance(value, list) or not all(Text().read(entry) for entry in value):
            return None
        return tuple(value)


class Words(NamedTuple):
    words: Collection[str]

    @property
    def expected(self) -> str:
        return f"a list of {', '.join(self.words)}"

    def read(self, value: object) -> tuple[str, ...] | None:
        return tuple(value) if isinstance(value, list) and all(word in self.words for word in value) else None
