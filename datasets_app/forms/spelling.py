"""Parts of a request as people type them in a form, and back."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from datasets_app.strata import EQUAL, PROPORTIONAL
from traces.filters import read_query
from traces.forms.filters import spell
from training.errors import Invalid
from training.request_fields import within


def read_address(text: str) -> dict[str, Any]:
    """The filters of an address, as the page of traces has them. Raises Invalid."""
    return read_query(dict(parse_qsl(text.removeprefix("?"), keep_blank_values=True)))


def read_quotas(text: str) -> str | dict[str, Any]:
    """`equal`, `proportional`, or a line `value = rows` for each value."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and lines[0] in (EQUAL, PROPORTIONAL):
        return lines[0]
    pairs = (line.rpartition("=") for line in lines)
    return {value.strip(): number_of(rows.strip()) for value, _, rows in pairs}


def spell_quotas(quotas: str | Mapping[str, int] | None) -> str:
    if isinstance(quotas, Mapping):
        return "\n".join(f"{value} = {rows}" for value, rows in quotas.items())
    return "" if quotas in (None, PROPORTIONAL) else str(quotas)


def read_parts(rows: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Parts of a mix from traces and weight; traces are an address with filters, or the key of a dataset.

    Raises Invalid.
    """
    parts: list[dict[str, Any]] = []
    for place, (traces, weight) in enumerate(rows):
        chosen: dict[str, Any] = {"dataset_key": traces}
        if not traces or "=" in traces:
            try:
                chosen = {"filters": read_address(traces)}
            except Invalid as invalid:
                raise Invalid(within(invalid, "mix", place, "filters"))
        parts.append(chosen | ({"weight": number_of(weight)} if weight else {}))
    return parts


def spell_part(part: Mapping[str, Any]) -> tuple[str, str]:
    """Traces and weight."""
    return part.get("dataset_key") or spell(part["filters"]), format(Decimal(str(part["weight"])), "f")


def number_of(text: str) -> Any:
    """The number that a text is, or the text, so that whoever checks it can say what is wrong."""
    if re.fullmatch(r"-?[0-9]{1,20}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]{0,20}\.[0-9]{1,20}", text) else text


def spell_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved request as the fields of the form; of a generated set only how it is taught."""
    same = ("recipe", "instruction", "max_length")
    typed = {name: request[name] for name in same if name in request}
    typed |= {"no_instruction": not request["instruction"]}
    typed |= {f"gate_{name}": action for name, action in request.get("gates", {}).items()}
    if request.get("seeded"):
        return typed
    typed |= {name: request.get(name) for name in ("selection_strategy", "stratify_by", "limit", "seed")}
    typed |= {"filters": spell(request["filters"]), "quotas": spell_quotas(request.get("quotas"))}
    for row, part in enumerate(request.get("mix") or ()):
        typed["selection_strategy"] = "mix"
        typed[f"mix_{row}_traces"], typed[f"mix_{row}_weight"] = spell_part(part)
    return typed
