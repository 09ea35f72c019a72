"""One screen of `hookledger top`, as wide and as high as the terminal is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.carried import LaneTold
from core.duration import in_words
from core.printing import plain
from core.top_rates import Percentiles, Seen

HEAD_LINES = 9
"""Above the lists of webhooks."""
LIST_LINES = 2
"""An empty line and a heading, above each list."""
NONE = "–"
PIPED = 140
"""As wide where it is no terminal: the longest name of a webhook fits."""
WIDE = 100
"""As many columns, and lists say since when a webhook has been failing."""
_COLUMNS = {"takes": 7, "failed": 6, "since": 11, "open": 6, "due": 6, "for": 7, "under way": 9}


def screen(seen: Seen, where: str, width: int, height: int | None) -> RenderableType:
    """*where* is the data directory. *height* None: it is no terminal; as high as it gets, and nothing is cut."""
    carried = seen.now.carried
    lists: list[tuple[str, Sequence[LaneTold]]] = [
        ("SLOWEST", carried.slowest),
        ("FAILING", carried.failing),
        ("MOST TO DO", carried.fullest),
    ]
    lists = [(title, lanes) for title, lanes in lists if lanes]
    rows = _rows(lists, height)
    head = _head(seen, where, width)
    for line in head:
        line.no_wrap, line.overflow = True, "ignore" if height is None else "ellipsis"
    parts: list[RenderableType] = list(head)
    for (title, lanes), count in zip(lists, rows, strict=True):
        if count:
            parts += [Text(), _list(title, lanes[:count], width)]
    return Group(*parts)


def _rows(lists: Sequence[tuple[str, Sequence[LaneTold]]], height: int | None) -> list[int]:
    """How many webhooks of each list there is room for: shared out evenly, one after the other."""
    if height is None:
        return [len(lanes) for _, lanes in lists]
    room, rows = height - HEAD_LINES, [0] * len(lists)
    for index, (_, lanes) in enumerate(lists):
        left = len(lists) - index
        rows[index] = min(len(lanes), max(room // left - LIST_LINES, 0))
        room -= rows[index] + LIST_LINES if rows[index] else 0
    return rows


def _head(seen: Seen, where: str, width: int) -> Sequence[Text]:
    now, rates, carried = seen.now, seen.rates, seen.now.carried
    state = Text("ready", "bold green") if not carried.reasons else Text("NOT READY", "bold red")
    lines = [
        Text.assemble(("hookledger ", "bold"), now.version, "  ", state, "  ", plain(where), (f"  {now.at}", "dim"))
    ]
    lines.append(Text(plain("; ".join(carried.reasons)), "red") if carried.reasons else Text())
    if rates is None:
        lines += [Text("rates come with the next look", "dim"), Text()]
    else:
        named = (
            ("accepted", rates.accepted),
            ("delivered", rates.delivered),
            ("failed", rates.failed_attempts),
            ("duplicate", rates.duplicates),
            ("rejected", rates.rejected),
            ("commits", rates.commits),
        )
        column = min(width // (len(named) + 1), 14)
        lines.append(Text("".join(name.rjust(column) for name, _ in named) + "   per s", "dim"))
        lines.append(Text("".join(f"{value:,.1f}".rjust(column) for _, value in named), "bold"))
    overdue = f", the first for {in_words(carried.overdue_ms)}" if carried.due else ""
    lines.append(_fact("backlog", f"{carried.open:,} open, {carried.due:,} due{overdue}; {carried.ready:,} in memory"))
    waiting = f"; {carried.unrecorded:,} outcomes and {now.units_waiting:,} units wait for their commit"
    lines.append(_fact("under way", f"{carried.young:,} young, {carried.old:,} old{waiting}"))
    states = ", ".join(f"{carried.lanes[name]:,} {name}" for name in _STATES if carried.lanes.get(name))
    lanes = f"{carried.windows:,} requests, for {carried.lanes.get('all', 0):,} webhooks"
    lines.append(_fact("windows", f"{lanes}: {states}" if states else lanes))
    if rates is not None:
        took = (("delivery", rates.delivery_ms), ("attempt", rates.attempt_ms), ("commit", rates.commit_ms))
        lines.append(_fact("p50, p99", "   ".join(f"{name} {_between(spread)}" for name, spread in took)))
    lags = ", ".join(f"{view} {in_words(lag_ms)}" for view, lag_ms in now.lag_ms.items())
    memory = NONE if now.memory_bytes is None else f"{now.memory_bytes / 2**20:,.0f} MiB"
    cpu = NONE if rates is None else f"{rates.cpu:.0%}"
    lines.append(_fact("behind", f"{lags}   processor {cpu}   memory {memory}"))
    return lines


_STATES = ("hanging", "held", "failing", "spilled")


def _fact(name: str, text: str) -> Text:
    return Text.assemble((f"{name:<11}", "dim"), text)


def _between(spread: Percentiles) -> str:
    if spread.p50 is None or spread.p99 is None:
        return NONE
    return f"{in_words(round(spread.p50))}, {in_words(round(spread.p99))}"


def _list(title: str, lanes: Sequence[LaneTold], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold dim", width=width)
    table.add_column(title, justify="right", no_wrap=True, min_width=len("MOST TO DO"))
    table.add_column("webhook", ratio=1, no_wrap=True, overflow="ellipsis")
    # As wide in each list, so that they stand below each other.
    for name, least in _COLUMNS.items():
        if name != "since" or width >= WIDE:
            table.add_column(name, justify="right", no_wrap=True, min_width=least)
    for lane in lanes:
        style = "red" if lane.failed else "yellow" if lane.hangs else ""
        since = [] if width < WIDE else ["" if lane.failing_since is None else _clock(lane.failing_since)]
        table.add_row(
            str(lane.webhook),
            Text(plain(lane.name).replace("\n", " ")),
            "hangs" if lane.hangs else in_words(lane.took_ms),
            f"{lane.failed:,}" if lane.failed else "",
            *since,
            f"{lane.open:,}",
            f"{lane.due:,}",
            in_words(lane.overdue_ms) if lane.due else "",
            f"{lane.under_way} of {lane.window}",
            style=style,
        )
    return table


def _clock(at: str) -> str:
    """`10-24 11:13`, of an ISO time."""
    return f"{at[5:10]} {at[11:16]}"
