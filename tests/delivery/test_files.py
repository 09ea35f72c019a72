"""How many files the parts of a process may take: together never more than there are."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import HookledgerError
from core.limits import CONNECTIONS_MAX, IDLE_LINES_MAX, OPEN_FILES_MAX, YOUNG_REQUESTS_MAX
from delivery.files import KEPT, OPEN_FILES_MIN, PER_REQUEST, open_files_max, shares


@given(st.integers(OPEN_FILES_MIN, 2 * OPEN_FILES_MAX), st.integers(1, 16_384))
def test_the_shares_fit_into_the_whole(files, young_requests_max):
    """However few or many files there are: all requests, connections and idle lines have room, and each has some."""
    given = shares(files, young_requests_max)
    requests = given.young_requests + given.old_requests
    assert KEPT + PER_REQUEST * requests + given.idle_lines + given.connections + given.backlog <= files
    assert min(given) > 0
    assert given.young_requests <= young_requests_max


def test_with_many_files_each_share_is_its_limit():
    """Where files are no question, the limits are what they are called, and the rest is for requests that hang."""
    young, old, idle, connections, _ = shares(OPEN_FILES_MAX)
    assert (young, idle, connections) == (YOUNG_REQUESTS_MAX, IDLE_LINES_MAX, CONNECTIONS_MAX)
    assert old > 10_000


@contextmanager
def allowed(files):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_few_files_are_said_so():
    """A process that may open hardly any files is told how many it needs, and how it gets them."""
    with allowed(1_000):
        assert open_files_max() == 1_000
    with allowed(OPEN_FILES_MIN - 1), pytest.raises(HookledgerError, match=f"at least {OPEN_FILES_MIN}.*ulimit -n"):
        open_files_max()
