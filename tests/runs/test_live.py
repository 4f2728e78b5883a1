"""The page of a run while it is open: one question for all that changes, and 304 while nothing has."""

import json
import threading
from datetime import timedelta
from functools import partial

import pytest
from django.urls import reverse
from django.utils import timezone

from runs import panels, watching
from runs.models import Run
from runs.services import launch_run
from tests.runs.making import TINY, begin, write_losses
from training.files import append_line
from tunixrt.jobs import work
from tunixrt.jobs.models import Beacon, Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def training(run):
    begin(run).tick(1, 400, "training")
    write_losses(run, [4.0])
    return run


@pytest.fixture
def ask(client_in, training):
    """Asks as the page does: what it has in the tag, the query of its address."""
    return lambda tag="", query="": client_in.get(
        reverse("run_live", args=[training.pk]) + query, headers={"If-None-Match": tag}
    )


def quiet_for(run: Run, seconds: float) -> None:
    Job.objects.for_target(run.pk).update(seen_at=timezone.now() - timedelta(seconds=seconds))


def test_nothing_new_is_answered_with_304_and_drawn_for_nobody(
    ask, training, monkeypatch, django_assert_max_num_queries
):
    tag = ask()["ETag"]
    monkeypatch.setattr("runs.views.runs.draw_live", None)
    training.job.tick(2)  # of four hundred: no per cent more
    with django_assert_max_num_queries(4):  # session, person, run, job
        response = ask(tag)
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)


def test_the_page_itself_says_which_tag_it_has(client_in, training, ask):
    page = client_in.get(reverse("run_detail", args=[training.pk])).content.decode()
    tag = page.partition('data-tag="&quot;')[2].partition("&quot;")[0]
    assert ask(f'"{tag}"').status_code == 304


def more_losses(run: Run) -> None:
    write_losses(run, [3.0])


def a_line_of_the_log(run: Run) -> None:
    with (run.directory / "train.log").open("a") as log:
        log.write("something happened\n")


def a_checkpoint(run: Run) -> None:
    (run.directory / "checkpoints" / "2").mkdir(parents=True)


def progress(run: Run) -> None:
    held = run.job
    Job.objects.filter(pk=held.pk).update(done=held.done + 100)


def a_plan(run: Run) -> None:
    run.keep_plan({"peak_memory_bytes": 2**30, "tokens": 500})


def answers_at_a_checkpoint(run: Run, step: int = 2, output: str = "Answer: 4", correct: bool = True) -> None:
    row = {"step": step, "id": "a", "prompt": "2 + 2?", "expected_answer": "4", "output": output, "correct": correct}
    append_line(run.directory / "samples.jsonl", json.dumps(row | {"answer": "4"}))


def a_wish_to_cancel(run: Run) -> None:
    Job.objects.for_target(run.pk).update(cancel_requested=True)


@pytest.mark.parametrize(
    "news",
    [
        more_losses,
        a_line_of_the_log,
        a_checkpoint,
        answers_at_a_checkpoint,
        progress,
        a_plan,
        a_wish_to_cancel,
        partial(quiet_for, seconds=60),
    ],
)
def test_each_kind_of_news_is_told(ask, training, news):
    tag = ask()["ETag"]
    news(training)
    response = ask(tag)
    assert response.status_code == 200
    assert response["ETag"] != tag


def test_another_question_has_another_tag(ask):
    tags = [ask(query=query)["ETag"] for query in ("", "?smooth=0", "?log=1", "?search=step", "?search=loss")]
    assert len(set(tags)) == 5
    assert ask(tags[1], "?smooth=0").status_code == 304


def test_many_who_watch_are_drawn_for_once(ask, training, client, django_user_model, monkeypatch):
    text = ask().content
    monkeypatch.setattr("runs.views.runs.draw_live", None)
    client.force_login(django_user_model.objects.create_user("grace"))
    assert client.get(reverse("run_live", args=[training.pk])).content == text


def test_a_run_is_not_told_to_those_who_are_not_signed_in(client, training):
    assert client.get(reverse("run_live", args=[training.pk])).status_code == 302


def test_two_missed_signs_of_life_are_told_and_the_seconds_counted(ask, training, settings):
    settings.RUN_HEARTBEAT_SECONDS, settings.RUN_LEASE_SECONDS = 10, 90
    quiet_for(training, 14)
    assert "No sign of life" not in ask().content.decode()
    quiet_for(training, 21)
    first = ask()
    assert "No sign of life for 20 s" in first.content.decode()
    assert "After 1 min 30 s of silence" in first.content.decode()
    assert ask(first["ETag"]).status_code == 304
    quiet_for(training, 33)
    assert "No sign of life for 30 s" in ask(first["ETag"]).content.decode()
    training.job.tick()
    assert "No sign of life" not in ask().content.decode()


def test_a_page_asks_again_before_silence_would_go_unseen(ask, training, settings):
    settings.RUN_HEARTBEAT_SECONDS = 10
    quiet_for(training, 10)
    least, most = map(float, ask()["Poll-Seconds"].split("-"))
    assert least == 2
    assert 4 < most <= 5
    quiet_for(training, 0)
    assert ask()["Poll-Seconds"] == "2.0-10.0"


def test_the_more_who_watch_the_longer_each_one_waits():
    now = [0.0]
    crowd = watching.Crowd(clock=lambda: now[0])
    assert crowd.wait("ada") == watching.LEAST
    for viewer in range(200):
        waits = crowd.wait(viewer)
    assert waits == pytest.approx(10, abs=0.1)
    now[0] = 100
    assert crowd.wait("ada") == watching.LEAST
    assert len(crowd.seen) == 1


def test_a_waiting_run_shows_its_place_in_the_queue(client_in, api, dataset, run):
    later = launch_run(dataset_key=dataset.key, config=TINY, seed=6)
    Beacon.light(kind="worker", queue="runs, short")
    show = lambda run: client_in.get(reverse("run_live", args=[run.pk])).content.decode()  # noqa: E731
    assert "1st in the queue." in show(run)
    assert "2nd in the queue, 1 run before it." in show(later)
    assert "No worker is alive" not in show(later)
    assert [row["queue_position"] for row in api.get("/api/runs").json()["data"]] == [2, 1]
    begin(run)
    assert "1st in the queue." in show(later)
    assert api.get(f"/api/runs/{run.pk}").json()["queue_position"] is None


def test_a_page_tells_when_the_queue_does_not_answer_and_when_it_is_back(client_in, run, monkeypatch):
    show = lambda: client_in.get(reverse("run_live", args=[run.pk])).content.decode()  # noqa: E731
    sweeper = work.Sweeper(lease_seconds=4)
    monkeypatch.setattr(work, "doorbells", lambda queue: None)
    sweeper.sweep()
    assert "The queue does not answer. The run is stored" in show()
    monkeypatch.setattr(work, "doorbells", lambda queue: 1)
    sweeper.sweep()
    assert "The queue does not answer" not in show()


def test_the_log_is_searched(ask, training):
    for number in range(300):
        write_losses(training, [float(number)])
    text = ask(query="?search=LOSS+299").content.decode()
    assert "1 line with" in text
    assert "loss 298" not in text
    assert "301 lines with “loss”, the last 200 of them" in ask(query="?search=loss").content.decode()
    assert "0 lines with" in ask(query="?search=nowhere").content.decode()


def test_what_is_searched_for_is_shown_as_text_and_kept_by_the_links(client_in, training):
    hostile = "?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%00&smooth=%00&log=%F0"
    text = client_in.get(reverse("run_detail", args=[training.pk]) + hostile).content.decode()
    assert "<script>alert" not in text
    assert "search=%22%3E%3Cscript" in text


def test_the_newest_checkpoint_is_shown(ask, training):
    assert "Checkpoint</dt>" not in ask().content.decode()
    for step in ("2", "10"):
        (training.directory / "checkpoints" / step).mkdir(parents=True)
        (training.directory / "checkpoints" / step / "MANIFEST.json").write_text("{}")
    (training.directory / "checkpoints" / "bad-400").mkdir()
    assert "Checkpoint</dt><dd>10 <small><time" in ask().content.decode()


def test_samples_of_each_checkpoint_are_shown_as_text_the_newest_open(ask, training):
    assert "<h2>Samples" not in ask().content.decode()
    answers_at_a_checkpoint(training, 100, "<script>alert(1)</script></pre>", correct=False)
    answers_at_a_checkpoint(training, 200)
    text = ask().content.decode()
    assert "<script>alert" not in text
    newest, earlier = text.index("Step 200: 1 of 1 right"), text.index("Step 100: 0 of 1 right")
    assert newest < earlier
    assert text.count(" open data-open") == 1


def test_the_newest_samples_of_a_long_run_are_shown(training):
    for step in range(1, 31):
        answers_at_a_checkpoint(training, step, "x" * 50_000)
    assert [sampled.step for sampled in panels.samples(training)] == list(range(30, 10, -1))


def test_figures_are_read_on_where_they_were_left(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    point = lambda step, split="train": {"step": step, "split": split, "loss": 1 / step}  # noqa: E731
    write = lambda points, mode: path.open(mode).writelines(json.dumps(each) + "\n" for each in points)  # noqa: E731
    assert watching.figures(path).line("train") == ([], [])
    write([point(1), point(2), point(2, "valid")], "w")
    assert watching.figures(path).line("train") == ([1, 2], [1.0, 0.5])
    write([point(4)], "a")
    read = []
    monkeypatch.setattr(watching.series, "parse_points", lambda lines: read.extend(lines) or map(json.loads, lines))
    assert watching.figures(path).line("train") == ([1, 2, 4], [1.0, 0.5, 0.25])
    assert len(read) == 1
    (tmp_path / "aside").write_text(json.dumps(point(1)) + "\n")
    (tmp_path / "aside").rename(path)  # a resumed run writes its lines anew
    assert watching.figures(path).line("train") == ([1], [1.0])
    write([point(8), point(16, "valid"), point(16)], "w")  # and anew, into one that has the same number by chance
    assert watching.figures(path).line("train") == ([8, 16], [1 / 8, 1 / 16])


def test_what_takes_long_to_make_holds_up_only_those_who_ask_for_it():
    kept, begun, done, made = watching.Kept(2), threading.Event(), threading.Event(), []
    search = threading.Thread(target=kept.get, args=("log", lambda _: begun.set() or done.wait(10)))
    search.start()
    assert begun.wait(10)
    assert kept.get("curve", lambda known: "drawn") == "drawn"
    same = threading.Thread(target=lambda: made.append(kept.get("log", lambda known: known)))
    same.start()
    assert (search.is_alive(), made) == (True, [])
    done.set()
    same.join(10)
    search.join(10)
    assert made == [True]


def test_an_open_page_can_say_that_its_run_has_ended_without_taking_away_what_is_written(client_in, training):
    page = client_in.get(reverse("run_detail", args=[training.pk])).content.decode()
    assert '<p id="ended" class="notice" role="status" hidden>The run has ended.' in page


def test_few_files_are_remembered(tmp_path):
    for number in range(2 * watching.RUNS_KEPT):
        watching.figures(tmp_path / str(number))
    assert len(watching._figures._values) == watching.RUNS_KEPT
