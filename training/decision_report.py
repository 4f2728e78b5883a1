"""A decision as markdown: the word and its reason, how sure it is, and where things got better or worse."""

from collections.abc import Sequence

from training.decision import Decided, Evidence
from training.markdown import escape
from training.slices import Slice

SHOWN = 100  # slices in a report, those with the smallest p; eval.json has all


def decision_line(found: Decided) -> str:
    """A reason may name slices, which are other people's words; its brackets stay readable: they alone make no link."""
    reason = escape(found.decision.reason).replace(r"\(", "(").replace(r"\)", ")")
    return f"**{found.decision}.** {reason}"


def evidence_table(seen: Evidence) -> str:
    """What the decision rests on; nothing that was not measured has a number."""
    rows = {
        f"right before, of {seen.n} (95 %; Wilson 1927)": f"{seen.base_right} ({_share(*seen.base_interval)})",
        f"right after, of {seen.n}": f"{seen.other_right} ({_share(*seen.other_interval)})",
        "difference (95 %; Bonett and Price 2012)": f"{_points(seen.difference)} ({_span(*seen.interval)})",
        "difference (95 %; paired bootstrap)": _bootstrap(seen),
        "McNemar's exact test": seen.p,
        "smallest difference that so many items show": _size(seen.detectable, "none"),
        "items that show the difference seen": _needed(seen),
        "noise floor between seeds": _size(seen.noise.limit if seen.noise else None, "not measured"),
        "not counted": _left_out(seen),
    }
    return _table(("how sure", ""), rows.items())


def slices_section(cut: Sequence[Slice] | None) -> list[str]:
    """A table of the slices; nothing where there are none."""
    if not cut:
        return []
    kept = sorted(range(len(cut)), key=lambda place: cut[place].p_value)[:SHOWN]
    rows = [_slice_cells(cut[place]) for place in sorted(kept)]
    head = ("slice", "items", "before", "after", "won", "lost", "difference (95 %)", "p", "p among all (Holm)", "")
    left = [f"{len(cut) - SHOWN} slices with a larger p are in eval.json only."] if len(cut) > SHOWN else []
    return ["## Slices", _table(head, rows), *left]


def _slice_cells(each: Slice) -> tuple[str, ...]:
    counts = map(str, (each.n, each.base_right, each.other_right, each.won, each.lost))
    difference = f"{_points(each.difference)} ({_span(*each.interval)})"
    return (f"{each.dimension}: {escape(each.label)}", *counts, difference, each.p, each.holm, each.mark)


def _bootstrap(seen: Evidence) -> str:
    narrow = f", too narrow: only {seen.changed} changed" if seen.few_changed else ""
    return _span(*seen.bootstrap) + narrow


def _needed(seen: Evidence) -> str:
    if seen.is_sure or seen.items_needed is None:
        return "–"
    return f"about {seen.items_needed}"


def _left_out(seen: Evidence) -> str:
    return f"{seen.skipped} skipped in both, {seen.asked_in_one} in one, {seen.repeated} that ask the same as another"


def _table(head: Sequence[str], rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _size(difference: float | None, none: str) -> str:
    return none if difference is None else f"{100 * difference:.1f} points"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def _span(low: float, high: float) -> str:
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _share(low: float, high: float) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f} %"
