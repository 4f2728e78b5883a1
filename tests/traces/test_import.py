import io
import json

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_payload, make_trace
from traces import services
from traces.models import Import, Tag, Trace
from traces.pipeline.imports import Loading
from traces.pipeline.pace import LEAST, MOST, Pace
from traces.pipeline.reading import MAX_FAULTS
from training.errors import Invalid
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, OutOfSpace

pytestmark = pytest.mark.django_db


def lines(count: int, **changed: str) -> bytes:
    """A file of `count` traces; `changed` gives the text of some lines: `line_7="not JSON"`."""
    rows = [json.dumps(make_payload(f"{i} + 1?", final_answer=str(i + 1), meta={"row": i})) for i in range(count)]
    for name, text in changed.items():
        rows[int(name.removeprefix("line_")) - 1] = text
    return "\n".join(rows).encode()


def load(data: bytes, *, at_once: bool = True, **options) -> Import:
    return services.import_file(
        file=io.BytesIO(data), file_name="rows.jsonl", at_once=at_once, by=options.pop("by", None), **options
    )


def slow(monkeypatch, rows: int = 2) -> None:
    """From now on a chunk has so many rows."""
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(f"traces.pipeline.pace.{name}", rows)


def test_a_good_file_is_stored_in_the_order_of_its_lines(user):
    row = load(lines(1200), by=user)
    assert (row.status, row.stored_count, row.duplicate_count, row.bad_count) == ("done", 1200, 0, 0)
    assert row.format == "trace"
    traces = list(Trace.objects.visible().order_by("created_at", "id"))
    assert [trace.meta["row"] for trace in traces] == list(range(1200))
    assert {trace.created_by for trace in traces} == {user}


@pytest.mark.parametrize("data", [lines(3), b"not JSON", b""])
def test_the_file_is_kept_only_until_the_import_has_ended(data, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        row = load(data, at_once=False)
    assert row.source_path.read_bytes() == data
    with django_capture_on_commit_callbacks(execute=True):
        work.perform(row.job.pk)
    assert not row.directory.exists()


def test_a_list_and_other_formats_are_read_too():
    rows = [make_payload("one?"), make_payload("two?")]
    assert load(json.dumps(rows).encode()).stored_count == 2
    row = load(b'{"question": "How many?", "answer": "2+3=<<2+3=5>>5\\n#### 5"}', source="gsm8k")
    assert (row.format, row.stored_count) == ("gsm8k", 1)
    assert Trace.objects.filter(source="gsm8k").get().final_answer == "5"


def test_one_bad_line_of_a_thousand_stores_nothing_and_is_named():
    bad = json.dumps(make_payload() | {"final_answer": ""})
    row = load(lines(1000, line_700=bad))
    assert (row.status, row.stored_count, row.bad_count) == ("failed", 0, 1)
    assert row.errors == [
        {
            "loc": ["final_answer"],
            "line": 700,
            "type": "empty",
            "msg": "is empty; it needs at least one character that is not a space",
        }
    ]
    assert not Trace.objects.exists()


def test_bad_rows_can_be_left_out_and_are_kept_aside_with_their_reasons():
    bad = json.dumps(make_payload() | {"steps": []})
    row = load(lines(5, line_2="{not JSON", line_4=bad), skip_bad=True)
    assert (row.status, row.stored_count, row.bad_count) == ("done", 3, 2)
    assert [error["line"] for error in row.errors] == [2, 4]
    rejected = [json.loads(line) for line in row.rejected_path.read_text().splitlines()]
    assert [(entry["line"], entry["row"]) for entry in rejected] == [(2, "{not JSON"), (4, json.loads(bad))]
    assert rejected[1]["errors"][0]["type"] == "empty"


def test_bad_items_of_a_list_are_kept_aside_too():
    row = load(json.dumps([make_payload(), {"prompt": 5}]).encode(), skip_bad=True)
    assert json.loads(row.rejected_path.read_text())["row"] == {"prompt": 5}


def test_a_file_without_one_good_row_fails_even_when_bad_ones_may_be_left_out():
    assert load(b"", skip_bad=True).status == "failed"
    assert load(b"[]\n", skip_bad=True).status == "failed"


def test_reading_stops_after_fifty_faults():
    row = load(b"5\n" * 1000)
    assert len(row.errors) == MAX_FAULTS + 1
    assert row.errors[-1]["type"] == "stopped"
    assert row.bad_count == MAX_FAULTS


def test_what_is_known_already_is_skipped_and_counted():
    make_trace("0 + 1?", final_answer="1")
    row = load(lines(3) + b"\n" + lines(3))
    assert (row.stored_count, row.duplicate_count) == (2, 4)
    again = load(lines(3))
    assert (again.status, again.stored_count, again.duplicate_count) == ("done", 0, 3)


def test_twins_in_different_chunks_are_found(monkeypatch):
    slow(monkeypatch)
    assert load(lines(5) + b"\n" + lines(5)).stored_count == 5


def test_nothing_is_visible_before_the_end(monkeypatch):
    slow(monkeypatch, 10)
    seen = []
    store = Loading._store

    def watch(loading, *chunk):
        store(loading, *chunk)
        seen.append((Trace.objects.count() > 0, Trace.objects.visible().exists()))

    monkeypatch.setattr(Loading, "_store", watch)
    load(lines(30))
    assert (True, False) in seen
    assert all(not visible for _, visible in seen)
    assert Trace.objects.visible().count() == 30


def test_a_large_file_waits_for_a_worker(rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        row = load(lines(3), at_once=False)
    assert row.status == "loading"
    assert [job.target for job in rung] == [row.pk]
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.stored_count, Job.objects.get(kind="import_traces").percent) == ("done", 3, 100)


def test_an_attempt_that_died_leaves_nothing_behind(monkeypatch):
    slow(monkeypatch)
    row = load(lines(10), at_once=False)
    with monkeypatch.context() as broken:
        broken.setattr(Loading, "_conclude", die)
        with pytest.raises(KeyboardInterrupt):
            work.perform(row.job.pk)
    assert Trace.objects.count() == 10
    work.give_back(row.job, "its worker fell silent")
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.stored_count, Trace.objects.count()) == ("done", 10, 10)


def die(*_):
    """Ends the attempt as a kill would: nobody tidies up."""
    raise KeyboardInterrupt


def test_work_that_was_given_to_another_adds_no_rows(monkeypatch):
    slow(monkeypatch)
    row = load(lines(10), at_once=False)
    store = Loading._store

    def lose(loading, *chunk):
        if loading.stored == 4:
            Job.objects.update(status="queued", owner=None)
        store(loading, *chunk)

    monkeypatch.setattr(Loading, "_store", lose)
    work.perform(row.job.pk)
    assert Trace.objects.count() == 4
    assert row.job.status == "queued"


def test_an_import_can_be_cancelled_before_and_while_it_loads(monkeypatch):
    waiting = load(lines(3), at_once=False)
    services.cancel_import(row=waiting)
    waiting.refresh_from_db()
    assert waiting.status == "cancelled"

    slow(monkeypatch)
    row = load(lines(10), at_once=False)
    store = Loading._store

    def cancel(loading, *chunk):
        if loading.stored == 4:
            services.cancel_import(row=Import.objects.get(pk=row.pk))
        store(loading, *chunk)

    monkeypatch.setattr(Loading, "_store", cancel)
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.stored_count, Trace.objects.count()) == ("cancelled", 0, 0)
    with pytest.raises(Conflict, match="has ended"):
        services.cancel_import(row=row)


def test_an_unexpected_failure_is_told_and_leaves_nothing(monkeypatch):
    row = load(lines(3), at_once=False)
    row.source_path.unlink()
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert row.status == "failed"
    assert "FileNotFoundError" in row.errors[0]["msg"]


@pytest.mark.parametrize(
    ("options", "loc"),
    [({"format": "csv"}, "format"), ({"source": "x" * 201}, "source"), ({"source": "a\0"}, "source")],
)
def test_wrong_options_are_refused_before_anything_is_kept(options, loc, home):
    with pytest.raises(Invalid) as caught:
        load(lines(1), **options)
    assert caught.value.faults[0].loc == (loc,)
    assert not (home / "imports").exists()
    assert not Import.objects.exists()


def test_a_full_disk_is_told_as_such(monkeypatch, home):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OutOfSpace):
        load(lines(1))
    assert list((home / "imports").iterdir()) == []


def test_a_disk_that_fills_up_while_a_file_is_read_is_told_as_such():
    row = load(lines(3) + b"\n{}" * 5000, at_once=False, skip_bad=True)
    row.rejected_path.symlink_to("/dev/full")
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.errors[0]["type"]) == ("failed", "disk_full")
    while (job := row.job).is_open:
        work.perform(job.pk)
    assert not Trace.objects.exists()


def test_a_chunk_grows_and_shrinks_with_the_time_it_takes():
    pace = Pace()
    assert pace.rows == LEAST
    with pace.over([0] * LEAST):
        pass
    assert pace.rows == 2 * LEAST
    with pace.over([]):
        pass
    assert pace.rows == 2 * LEAST
    for _ in range(10):
        with pace.over([0] * MOST):
            pass
    assert pace.rows == MOST


def test_tags_that_rows_bring_along_are_stored_of_new_rows_only():
    tagged = json.dumps(make_payload("tagged?", meta={"tags": ["easy", "sum", "easy"]})).encode()
    load(tagged + b"\n" + tagged)
    load(tagged)
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["easy", "sum"]


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pieces=st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\n", b"[", b",", b"]", lines(1), lines(2)]), max_size=8
    ),
    name=st.sampled_from(["a.jsonl", "a.json", "a.gz", "a.zst", "a.parquet", "a"]),
    skip_bad=st.booleans(),
)
def test_no_file_leaves_anything_half_stored(pieces, name, skip_bad):
    with transaction.atomic():
        row = services.import_file(
            file=io.BytesIO(b"".join(pieces)), file_name=name, skip_bad=skip_bad, at_once=True, by=None
        )
        assert row.status in ("done", "failed")
        assert row.traces.count() == row.stored_count
        assert Trace.objects.visible().count() == Trace.objects.count()
        assert (row.status == "failed") == (row.bad_count > 0 and not (skip_bad and row.stored_count))
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("skip_bad", [False, True])
def test_large_files_are_stored_in_order_whatever_the_chunks(monkeypatch, skip_bad):
    slow(monkeypatch, 7)
    row = load(lines(100), skip_bad=skip_bad)
    assert (row.status, row.stored_count) == ("done", 100)
    traces = Trace.objects.visible().order_by("created_at", "id")
    assert [trace.meta["row"] for trace in traces] == list(range(100))
