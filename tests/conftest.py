"""What all tests share: how property tests are run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hookledger",
    deadline=None,
    # the machine is shared: how long an example takes says nothing of the code
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("hookledger")
