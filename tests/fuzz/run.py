"""Look for inputs that break a target: `python -m tests.fuzz.run TARGET --runs N --seed S`.

Atheris guides the inputs by coverage; where it has no build (it has one for Linux on x86-64), true inputs are changed
blindly. Prints how many inputs it tried, and how many were taken for what they might be. What breaks a target is
printed as base64, with the line that tries it again.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import random
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TARGETS = ("answers", "cloud_events", "incoming", "kafka_events", "retry_after", "upcaster")
LENGTH_MAX = 2_048
HANGS_S = 20
MODULES = re.compile(r'^MODULES = \(((?:"[\w.]+",? ?)+)\)', re.MULTILINE)
IS_GUIDED = find_spec("atheris") is not None

Look = Callable[[bytes], None]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("target", choices=TARGETS, nargs="?")
    words.add_argument("--list", action="store_true", help="Print what there is to try.")
    words.add_argument("--runs", type=int, default=100_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--again", metavar="BASE64", help="Try this one input.")
    said = words.parse_args()
    if said.list or said.target is None:
        print(*TARGETS)
        return
    target = load(said.target)
    if said.again is not None:
        target.look(base64.b64decode(said.again))
        return
    (guided if IS_GUIDED else blindly)(
        counting(said.target, target, said.runs, said.seed), target, said.runs, said.seed
    )


def load(name: str) -> Any:
    """The target; what it tries is instrumented as it is imported."""
    found = MODULES.search(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{name} does not say which MODULES it tries")
    if IS_GUIDED:
        import atheris

        watched: Any = atheris.instrument_imports(include=re.findall(r"[\w.]+", found[1]), enable_loader_override=False)
    else:
        watched = nullcontext()
    with watched:
        return importlib.import_module(f"tests.fuzz.{name}")


def counting(name: str, target: Any, runs: int, seed: int) -> Look:
    """`look` of a target, that counts, and says what broke it."""
    tried = taken = 0

    def look(data: bytes) -> None:
        nonlocal tried, taken
        tried += 1
        try:
            taken += target.look(data)
        except BaseException:
            again = base64.b64encode(data).decode()
            print(f"{name}: broken by input {tried} of seed {seed}", file=sys.stderr)
            print(f"again: python -m tests.fuzz.run {name} --again {again}", file=sys.stderr, flush=True)
            raise
        if tried == runs:
            how = "guided by coverage" if IS_GUIDED else "changed blindly"
            print(f"{name}: {tried} inputs tried, {taken} taken, {how}", flush=True)

    return look


def guided(look: Look, target: Any, runs: int, seed: int) -> None:
    import atheris

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for index, data in enumerate(target.seeds()):
            corpus.joinpath(str(index)).write_bytes(data)
        flags = (f"-runs={runs}", f"-seed={seed}", f"-timeout={HANGS_S}", f"-max_len={LENGTH_MAX}", "-verbosity=0")
        atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={folder}/", str(corpus)], look)
        atheris.Fuzz()


def blindly(look: Look, target: Any, runs: int, seed: int) -> None:
    chance = random.Random(seed)
    seeds = target.seeds()
    for _ in range(runs):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at = chance.randint(0, len(data))
            match chance.randint(0, 3):
                case 0:
                    data[at:at] = chance.randbytes(chance.randint(1, 4))
                case 1:
                    del data[at : at + chance.randint(1, 8)]
                case 2:
                    data[at : at + 1] = chance.randbytes(1)
                case _:
                    other = chance.choice(seeds)
                    data[at:] = other[chance.randint(0, len(other)) :]
        look(bytes(data[:LENGTH_MAX]))


if __name__ == "__main__":
    main()
