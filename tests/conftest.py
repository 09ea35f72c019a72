"""What all tests share: how property tests are run, and what tests say at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "hookledger",
    deadline=None,
    # the machine is shared: how long an example takes says nothing of the code
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("hookledger")

FAULTS = Path("tests/faults")
SMALL_ONLY = pytest.StashKey[str]()
"""What the last line says of the brokers, if not all could be had."""


@pytest.fixture(name="tell")
def _tell(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Say something of what a test saw: it is printed at the end of the run, whichever process ran the test."""
    return lambda said: record_property("told", said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests told, the fault suite's count, and which databases and brokers there were."""
    ran = list(_ran(terminalreporter))
    for report in ran:
        for name, said in report.user_properties:
            if name == "told":
                terminalreporter.write_line(f"{report.nodeid.removeprefix('tests/')}: {said}")
    faults = [report for report in ran if Path(report.fspath).is_relative_to(FAULTS)]
    if faults:
        passed = sum(report.passed for report in faults)
        terminalreporter.write_line(f"fault suite: {passed} of {len(faults)} faults met as expected")
    for database in sorted({said for report in ran for name, said in report.user_properties if name == "database"}):
        terminalreporter.write_line(f"databases: {database}")
    brokers = {said for report in ran for name, said in report.user_properties if name == "broker"}
    for broker in sorted(brokers):
        terminalreporter.write_line(f"brokers: {broker}")
    if brokers and not any(broker.startswith("Apache") for broker in brokers):
        terminalreporter.config.stash[SMALL_ONLY] = f"Kafka was tested on the small broker only, {min(brokers)}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, below what pytest says last, where something was not tested at all."""
    said = config.stash.get(SMALL_ONLY, None)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if said is not None and terminal is not None:
        terminal.write_line(said)


def _ran(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if report.when == "call":
                yield report
