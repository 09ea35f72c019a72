"""The places and receivers of the end-to-end tests, for what is seen of them from outside."""

from __future__ import annotations

from tests.end_to_end.conftest import _place, _receiver

__all__ = ["_place", "_receiver"]
