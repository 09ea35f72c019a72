"""Each test has a data directory of its own, and a receiver; no process outlives it."""

from __future__ import annotations

from tests.end_to_end.conftest import _place, _receiver  # noqa: F401 -- fixtures: pytest finds them by being here
