"""Near-duplicates in the library."""

import json

import pytest
from django.core.management import call_command

from tests.factories import make_payload, make_trace
from tests.factories import store as store_payloads
from tests.traces.test_import import die, load
from traces import services
from traces.models import Band, Import, Trace, Twin
from traces.pipeline import LIBRARY, twins
from training.problems import generate_traces
from tunixrt.jobs import work
from tunixrt.jobs.models import Job

pytestmark = pytest.mark.django_db

STORY = [
    "has 48 boxes in the old barn, and each of the boxes holds exactly 12 red apples and 3 green pears",
    "so we multiply the number of boxes by the number of apples: 48 × 12 = 576 apples are in the barn",
    "then the pears are counted in the same way, which gives 48 × 3 = 144 pears, and together that makes 720",
]


def story(name: str, end: str = "720") -> dict:
    """A trace that nearly repeats that of any other name."""
    return make_payload(f"{name} counts fruit. How much is it?", steps=STORY, final_answer=end)


def search() -> Job:
    return services.find_twins(by=None, at_once=True)


def older() -> dict[str, str]:
    """The prompt of each near-duplicate → that of the oldest trace it repeats."""
    return {twin.trace.prompt.split()[0]: twin.older.prompt.split()[0] for twin in Twin.objects.all()}


def store(*names: str) -> list[Trace]:
    return store_payloads([story(name) for name in names])


def test_a_near_duplicate_is_a_twin_of_the_oldest_trace_it_repeats():
    store("Ann", "Bob")
    make_trace("How far is the moon?")
    store("Cyd")
    assert search().status == "done"
    assert older() == {"Bob": "Ann", "Cyd": "Ann"}
    assert all(0.8 <= similarity < 1 for similarity in Twin.objects.values_list("similarity", flat=True))
    assert {trace.prompt.split()[0] for trace in Trace.objects.by_twin_is(True)} == {"Bob", "Cyd"}


def test_an_older_trace_that_is_looked_at_later_becomes_the_one_that_is_repeated():
    first, *_ = store("Ann", "Bob", "Cyd")
    Trace.objects.filter(pk=first.pk).update(imported_by=load(b"", skip_bad=True))  # out of sight
    search()
    assert older() == {"Cyd": "Bob"}
    Trace.objects.filter(pk=first.pk).update(imported_by=None)
    search()
    assert older() == {"Bob": "Ann", "Cyd": "Ann"}


def test_an_import_is_compared_when_it_is_done_and_says_how_many(user):
    store("Ann")
    search()
    row = load(b"\n".join(json.dumps(story(name)).encode() for name in ("Bob", "Cyd")) + b"\n" + b"", by=user)
    assert (row.status, row.stored_count, row.twin_count) == ("done", 2, 2)
    assert older() == {"Bob": "Ann", "Cyd": "Ann"}
    assert load(json.dumps(make_payload("Another?")).encode()).twin_count == 0


def test_generated_problems_are_compared_by_their_key_not_by_their_text():
    services.store_traces(payloads=generate_traces("addition", count=1500, seed=7, difficulty=5), by=None)
    groups = Trace.objects.values("group").distinct().count()
    assert search().done == 1500
    assert Twin.objects.count() == 1500 - groups
    assert groups > 1490
    again = services.store_traces(payloads=generate_traces("addition", count=3, seed=7, difficulty=5), by=None)
    search()
    assert Twin.objects.filter(trace__in=again).count() == 3


def test_the_twin_goes_with_the_trace_that_it_repeats():
    ann, _ = store("Ann", "Bob")
    search()
    services.delete_trace(trace=ann)
    assert not Twin.objects.exists()


def test_a_search_whose_worker_died_goes_on(monkeypatch):
    monkeypatch.setattr(twins, "LOOK_ROWS", 2)
    names = ("Ann", "Bob", "Cyd", "Dan", "Eve")
    store(*names)
    job = services.find_twins(by=None)
    made_progress = Job.made_progress

    def die_later(job):
        made_progress(job)
        if job.done == 4:
            die()

    with monkeypatch.context() as broken:
        broken.setattr(Job, "made_progress", die_later)
        with pytest.raises(KeyboardInterrupt):
            work.perform(job.pk)
    assert older() == dict.fromkeys(("Bob", "Cyd", "Dan"), "Ann")
    work.give_back(Job.objects.get(), "its worker fell silent")
    work.perform(job.pk)
    job.refresh_from_db()
    assert (job.status, job.done, job.total) == ("done", 5, 5)
    assert older() == dict.fromkeys(names[1:], "Ann")
    assert Band.objects.count() == len(set(Band.objects.values_list("trace", "hash")))


def test_a_band_that_many_share_remembers_the_first_only(monkeypatch):
    monkeypatch.setattr(twins, "HOT", 3)
    store("Ann")
    services.store_traces(payloads=[story("Bob", str(i)) for i in range(10)], by=None)
    search()
    assert older() == {"Bob": "Ann"}
    assert Twin.objects.count() == 10
    assert max(Band.objects.filter(hash=band).count() for band in set(hashes()) - {twins.HOT_ONLY}) == 3
    assert search().done == 0  # all were looked at, those without a band of their own too


def hashes() -> list[int]:
    return list(Band.objects.values_list("hash", flat=True))


def test_a_trace_that_is_deleted_during_the_search_is_left_out(monkeypatch):
    store("Ann", "Bob", "Cyd")
    keep = twins.Look.keep

    def delete_first(look, *progress):
        Trace.objects.filter(prompt__startswith="Ann").delete()
        keep(look, *progress)

    monkeypatch.setattr(twins.Look, "keep", delete_first)
    assert search().status == "done"
    assert Band.objects.values("trace").distinct().count() == 2


def test_what_an_unfinished_import_has_staged_is_not_compared():
    store("Ann")
    staged = Import.objects.create(status="loading", file_bytes=1)
    Trace.objects.filter(pk=store("Bob")[0].pk).update(imported_by=staged)
    search()
    assert not Twin.objects.exists()
    assert Job.objects.get(target=LIBRARY).done == 1


def test_the_command_tells_what_it_found(capsys):
    store("Ann", "Bob")
    call_command("find_twins")
    assert "2 traces compared: 1 near-duplicates more" in capsys.readouterr().out
    call_command("find_twins", "--json")
    assert json.loads(capsys.readouterr().out) == {"compared": 0, "new": 0}
