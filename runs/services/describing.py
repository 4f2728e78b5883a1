"""What people write on a run: its name, notes, tags. Each change is an event."""

from django.db import transaction
from django.utils import timezone

from runs.models import Run, RunTag
from runs.services.launching import checked_name
from traces.services import tag_name
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults
from tunixrt.lib.errors import Rule

MAX_NOTES = 10_000
MAX_TAGS = 50


def describe_run(*, run: Run, name: object = None, notes: object = None, tags: object = None, by=None) -> Run:
    """Changes what is given and leaves the rest. Raises Invalid at the field, Rule for too many tags."""
    with transaction.atomic():
        run = _locked(run)
        if name is not None:
            _rename(run, name, by)
        if notes is not None:
            _write_notes(run, notes, by)
        if tags is not None:
            _retag(run, _checked_tags(tags), by)
    return run


@transaction.atomic
def tag_run(*, run: Run, tag: str, by=None) -> Run:
    return describe_run(run=run, tags=[*_locked(run).tag_names, tag], by=by)


@transaction.atomic
def untag_run(*, run: Run, tag: str, by=None) -> Run:
    return describe_run(run=run, tags=[name for name in _locked(run).tag_names if name != tag.strip()], by=by)


def _locked(run: Run) -> Run:
    """The run as it is now; nobody else describes it until the transaction ends."""
    return Run.objects.select_for_update(no_key=True).get(pk=run.pk)


def _rename(run: Run, name: object, by) -> None:
    checked = checked_name(name)
    if not checked:
        raise Invalid(Fault(("name",), "is empty; a run needs one", "empty"))
    if checked != run.name:
        run.note(f"renamed from {run.name}", by)
        run.name = checked
        run.save(update_fields=["name"])


def _write_notes(run: Run, notes: object, by) -> None:
    text = _checked_notes(notes)
    if text != run.notes:
        run.note("notes changed" if text else "notes taken away", by)
        run.notes, run.noted_by, run.noted_at = text, by, timezone.now()
        run.save(update_fields=["notes", "noted_by", "noted_at"])


def _retag(run: Run, names: list[str], by) -> None:
    before = set(run.tag_names)
    for word, changed in (("tagged", set(names) - before), ("no longer tagged", before - set(names))):
        if changed:
            run.note(f"{word} {', '.join(sorted(changed))}", by)
    run.tags.exclude(name__in=names).delete()
    RunTag.objects.bulk_create([RunTag(run=run, name=name) for name in names if name not in before])


def _checked_notes(notes: object) -> str:
    if not isinstance(notes, str):
        raise Invalid(Fault(("notes",), f"must be text, not {echo(notes)}", "wrong_type"))
    text = notes.replace("\r\n", "\n").strip()
    faults = list(text_faults(text, ("notes",)))
    if len(text) > MAX_NOTES:
        msg = f"are {len(text):,} characters long; at most {MAX_NOTES:,} are kept"
        faults.append(Fault(("notes",), msg, "too_long"))
    if faults:
        raise Invalid(faults)
    return text


def _checked_tags(tags: object) -> list[str]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Invalid(Fault(("tags",), f"must be a list of texts, not {echo(tags)}", "wrong_type"))
    names = list(dict.fromkeys(tag_name(tag, ("tags", i)) for i, tag in enumerate(tags)))
    if len(names) > MAX_TAGS:
        raise Rule(f"A run has at most {MAX_TAGS} tags, not {len(names)}.", code="too_many")
    return names
