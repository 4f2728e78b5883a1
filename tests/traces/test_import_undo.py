"""Imports that are taken back."""

import json

import pytest

from datasets_app.models import DatasetItem
from tests.factories import make_trace
from tests.traces.test_api import freeze
from tests.traces.test_import import die, lines, load, slow
from tests.traces.test_twins import story
from traces import services
from traces.models import Band, Import, Score, Trace, Twin
from traces.pipeline import LIBRARY
from traces.pipeline.twins import Look
from tunixrt.jobs import work
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


def undo(row: Import) -> Import:
    """To the end, as a worker would."""
    services.undo_import(row=row, by=None)
    work.perform(row.job.pk)
    row.refresh_from_db()
    return row


def test_an_import_that_is_undone_vanishes_at_once_and_is_then_deleted(user):
    kept = make_trace()
    row = load(lines(5), by=user)
    for trace in Trace.objects.all():
        services.score_trace(trace=trace, by=user)
    services.undo_import(row=row, by=user)
    assert row.status == "undoing"
    assert list(Trace.objects.visible()) == [kept]
    assert Trace.objects.count() == 6
    assert row.to_dict()["progress"] is not None
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.stored_count) == ("undone", 5)
    assert (list(Trace.objects.all()), Score.objects.count()) == ([kept], 1)
    assert load(lines(5)).stored_count == 5


@pytest.mark.parametrize("status", ["waiting", "loading", "failed", "cancelled", "undoing", "undone"])
def test_only_an_import_that_is_done_can_be_undone(status):
    row = load(lines(1))
    Import.objects.update(status=status)
    with pytest.raises(Conflict, match=f"is {status}"):
        services.undo_import(row=row, by=None)
    assert Import.objects.get().status == status


def test_an_import_stays_while_a_dataset_holds_one_of_its_traces():
    row = load(lines(3))
    freeze(row.traces.first())
    with pytest.raises(Conflict, match="1 of its traces are in use as dataset items"):
        services.undo_import(row=row, by=None)
    row.refresh_from_db()
    assert (row.status, Trace.objects.visible().count()) == ("done", 3)


def test_an_import_stays_while_a_correction_stems_from_one_of_its_traces():
    row = load(lines(3))
    Trace.objects.filter(pk=make_trace("corrected").pk).update(parent=row.traces.first())
    with pytest.raises(Conflict, match="1 of its traces have corrections"):
        services.undo_import(row=row, by=None)
    assert Import.objects.get().status == "done"


def test_a_dataset_that_takes_a_row_before_the_deletion_brings_the_import_back():
    row = load(lines(3))
    services.undo_import(row=row, by=None)
    freeze(row.traces.first())
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, row.stored_count, Trace.objects.visible().count()) == ("done", 3, 3)
    assert row.errors[-1]["type"] == "not_undone"
    assert "in use as dataset items. 0 of its traces are deleted already" in row.errors[-1]["msg"]


def test_a_dataset_that_takes_a_row_during_the_deletion_brings_back_what_is_left(monkeypatch):
    slow(monkeypatch)
    row = load(lines(6))
    services.undo_import(row=row, by=None)
    last = row.traces.last()
    tick = Job.tick

    def take(job, done=None, *news):
        if done == 2:
            freeze(last)
        tick(job, done, *news)

    monkeypatch.setattr(Job, "tick", take)
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert row.status == "done"
    assert row.stored_count == Trace.objects.visible().count() < 6
    assert f"{6 - row.stored_count} of its traces are deleted already" in row.errors[-1]["msg"]
    assert DatasetItem.objects.get().trace == last


def test_an_undo_whose_worker_died_goes_on(monkeypatch):
    slow(monkeypatch)
    row = load(lines(7))
    services.undo_import(row=row, by=None)
    made_progress = Job.made_progress

    def die_later(job):
        made_progress(job)
        if Trace.objects.count() == 3:
            die()

    with monkeypatch.context() as broken:
        broken.setattr(Job, "made_progress", die_later)
        with pytest.raises(KeyboardInterrupt):
            work.perform(row.job.pk)
    assert (Import.objects.get().status, Trace.objects.count(), Trace.objects.visible().count()) == ("undoing", 3, 0)
    work.give_back(row.job, "its worker fell silent")
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, Trace.objects.count()) == ("undone", 0)


@pytest.mark.parametrize("begun", [False, True])
def test_an_undo_ends_the_search_for_near_duplicates_first(monkeypatch, begun):
    row = load(lines(3), at_once=False)
    work.perform(row.job.pk)
    assert row.job.kind == "find_twins"
    if begun:
        keep = Look.keep

        def undo_first(look, *progress):
            services.undo_import(row=Import.objects.get(), by=None)
            keep(look, *progress)

        monkeypatch.setattr(Look, "keep", undo_first)
        work.perform(row.job.pk)
    else:
        services.undo_import(row=Import.objects.get(), by=None)
    assert [job.kind for job in Job.objects.open()] == ["clear_import"]
    assert Job.objects.get(kind="find_twins").status == "cancelled"
    work.perform(row.job.pk)
    assert (Import.objects.get().status, Trace.objects.count(), Band.objects.count()) == ("undone", 0, 0)


def test_near_duplicates_of_what_was_undone_are_looked_at_again():
    first, second, third = (load(json.dumps(story(name)).encode()) for name in ("Ann", "Bob", "Cyd"))
    older = {twin.trace.imported_by: twin.older.imported_by for twin in Twin.objects.all()}
    assert older == {second: first, third: first}
    undo(first)
    assert not Twin.objects.exists()
    assert [job.kind for job in Job.objects.open()] == ["find_twins"]
    work.perform(Job.objects.get(target=LIBRARY).pk)
    older = {twin.trace.imported_by: twin.older.imported_by for twin in Twin.objects.all()}
    assert older == {third: second}
    assert list(Import.objects.order_by("created_at").values_list("twin_count", flat=True)) == [None, 0, 1]


def test_the_api_undoes(api):
    row = load(lines(3))
    response = api.post(f"/api/traces/imports/{row.pk}/undo")
    assert (response.status_code, response.json()["status"]) == (202, "undoing")
    assert api.get("/api/traces").json()["data"] == []
    assert api.post(f"/api/traces/imports/{row.pk}/undo").status_code == 409
    work.perform(row.job.pk)
    assert api.get(f"/api/traces/imports/{row.pk}").json()["status"] == "undone"


def test_what_an_import_left_that_failed_for_good_is_deleted_by_a_worker(monkeypatch):
    slow(monkeypatch)
    row = load(lines(5), at_once=False)
    with monkeypatch.context() as broken:
        broken.setattr("traces.pipeline.imports.Loading._conclude", die)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                work.perform(row.job.pk)
            work.give_back(row.job, "its worker fell silent")
    row.refresh_from_db()
    assert (row.status, Trace.objects.count()) == ("failed", 5)
    assert row.job.kind == "clear_import"
    work.perform(row.job.pk)
    row.refresh_from_db()
    assert (row.status, Trace.objects.count()) == ("failed", 0)
