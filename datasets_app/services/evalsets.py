"""Evalsets: of a split, of a file, of a list, of a generated problem; and their items as a file again."""

import secrets
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError, transaction

from datasets_app.evalset_files import EVALSET, SHIPPED, read_items
from datasets_app.models import Dataset, EvalItem, EvalSet
from datasets_app.rows import check_split, read_lines
from training.canonical import sha256_hex
from training.errors import Fault, Invalid, echo
from training.evalsets import canonical_lines, evalset_sha256, item_from_row, validate_items, write_evalset
from training.files import file_sha256
from training.held_out import held_out_items
from training.json_rules import text_faults
from tunixrt.lib.errors import Rule, Unavailable

MAX_NAME = 200
DEFAULT_COUNT = 100


def evalset_for(dataset: Dataset, by) -> EvalSet:
    """The questions that a run on this dataset is examined on: its test split, else valid. Rule when both are empty."""
    for split in ("test", "valid"):
        if dataset.splits.get(split):
            return evalset_from_split(dataset=dataset, split=split, by=by)
    raise Rule(
        f"{dataset} has no rows in its test and valid splits. Name an evalset to examine the run on.",
        code="evalset_needed",
    )


def evalset_from_split(*, dataset: Dataset, split: str, by=None) -> EvalSet:
    """The rows of a split as questions. Raises Rule when the split is empty."""
    check_split(split)
    dataset.check_readable()
    items = [item_from_row(row) for row in read_lines(dataset.rows_path, split)]
    if not items:
        raise Rule(f"{dataset} has no rows in its {split} split.", code="empty_split")
    origin = str(EvalSet.Origin.SPLIT)
    return _store_evalset(items, name=f"{dataset} {split}", origin=origin, by=by, dataset=dataset, split=split)


def evalset_from_file(*, path: Path, name: str, by, format: str = EVALSET) -> EvalSet:
    """The questions of a file: an evalset, or traces in one of the formats that imports read. Raises Invalid with
    lines, OSError when the file cannot be read."""
    return _store_evalset(read_items(path, format), name=name, origin=str(EvalSet.Origin.FILE), by=by)


def evalset_from_items(*, items: object, name: str, by) -> EvalSet:
    """The questions of a list. Raises Invalid with the index of each item that breaks a rule."""
    if not isinstance(items, list):
        raise Invalid(Fault(("items",), f"must be a list of items, not {echo(items)}", "wrong_type"))
    try:
        validate_items(items)
    except Invalid as invalid:
        raise Invalid(Fault(("items", *fault.loc), fault.msg, fault.type) for fault in invalid.faults)
    return _store_evalset(items, name=name, origin=str(EvalSet.Origin.FILE), by=by)


def evalset_from_problem(
    *,
    problem: str,
    count: int = DEFAULT_COUNT,
    seed: int | None = None,
    difficulty: int | None = None,
    name="",
    by=None,
) -> EvalSet:
    """Generated questions that no dataset teaches: see `training.held_out`. Without a seed one is drawn; the items' ids
    tell it. Raises Invalid for an unknown problem, a number that cannot be, or more questions than there are.
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    items = held_out_items(problem, count=count, seed=seed, difficulty=difficulty)
    called = name or f"{problem}, difficulty {items[0]['difficulty']}, seed {seed}"
    return _store_evalset(items, name=called, origin=str(EvalSet.Origin.PROBLEM), by=by)


def shipped_evalset(*, name: str, by) -> EvalSet:
    """An evalset that comes with the program. Raises Invalid when there is none of that name."""
    if name not in SHIPPED:
        raise Invalid(Fault(("name",), f"must be one of {', '.join(SHIPPED)}, not {echo(name)}", "unknown_value"))
    return evalset_from_file(path=SHIPPED[name], name=name, by=by)


def open_items(evalset: EvalSet) -> BinaryIO:
    """The items as canonical JSON lines, whose SHA-256 is the evalset's hash.

    Raises Unavailable when their file is lost or was altered and the database, which knows no steps, cannot give it.
    """
    if evalset.path.is_file() and not evalset.path.is_symlink() and file_sha256(evalset.path) == evalset.sha256:
        return evalset.path.open("rb")
    lines = canonical_lines(item.to_dict() for item in evalset.items.all())
    if sha256_hex(lines) == evalset.sha256:
        return BytesIO(lines.encode())
    raise Unavailable(f"{evalset.path} is lost or was altered. Make or import this evalset again: that restores it.")


def _check_name(name: str) -> None:
    faults = list(text_faults(name, ("name",)))
    if len(name) > MAX_NAME:
        faults.append(Fault(("name",), f"is {len(name)} characters long; at most {MAX_NAME} are allowed", "too_long"))
    if faults:
        raise Invalid(faults)


def _store_evalset(items: list[dict], *, name: str, origin: str, by, **fields: Any) -> EvalSet:
    """The evalset with these items: the one that is there already, or a new one."""
    _check_name(name)
    sha256 = evalset_sha256(items)
    evalset = EvalSet(name=name, sha256=sha256, origin=origin, item_count=len(items), created_by=by, **fields)
    if not evalset.path.is_file() or file_sha256(evalset.path) != sha256:
        write_evalset(evalset.path, items)
    try:
        with transaction.atomic():
            if existing := EvalSet.objects.filter(sha256=sha256).first():
                return existing
            evalset.save()
            EvalItem.objects.bulk_create(EvalItem.from_item(evalset, i, item) for i, item in enumerate(items))
            return evalset
    except IntegrityError:  # somebody else has stored the same at the same moment
        return EvalSet.objects.get(sha256=sha256)
