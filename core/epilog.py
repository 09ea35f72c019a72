"""What a command's help ends with: how it is typed, and what is typed next."""

from __future__ import annotations

from collections.abc import Sequence


def epilog(*examples: str, then: Sequence[str] = ()) -> str:
    """Lines as click prints them: behind `\\b` it leaves them as they are."""
    lines = ["\b", "For example:", *(f"  $ {example}" for example in examples)]
    if then:
        lines += ["", "\b", "Then:", *(f"  $ {line}" for line in then)]
    return "\n".join(lines)
