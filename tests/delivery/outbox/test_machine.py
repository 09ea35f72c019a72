"""What this machine cannot do is nobody's attempt."""

from __future__ import annotations

from core.errors import OverloadedError
from core.model.delivery import Delivered
from tests.delivery.outbox.stage import OK, Stage


async def test_no_connection_to_be_had_is_no_attempt(stage: Stage) -> None:
    """Without a free file the delivery waits a moment, and its first attempt is still its first."""
    _, url = await stage.webhook("patient", "file.created")
    answers = iter([OverloadedError("too many open files"), OverloadedError("too many open files"), OK])

    def answer(_url, _body):
        answered = next(answers)
        if isinstance(answered, OverloadedError):
            raise answered
        return answered

    stage.sender.answer = answer
    accepted = await stage.event("waits", "file.created")
    await stage.wait(5)
    assert len(stage.sender.times(url)) == 3
    (delivered,) = stage.story(accepted.position + 1)[1:]
    assert isinstance(delivered, Delivered)
    assert delivered.attempt.number == 1
