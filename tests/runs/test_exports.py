"""An examination handed on: the report of a run, and the files of lm-evaluation-harness."""

import base64
import hashlib
import json
import re
import zipfile
from html.parser import HTMLParser
from io import BytesIO

import pytest
from django.core.management import call_command

from datasets_app import services
from runs.exports import download, write_export
from runs.models import Evaluation
from tests.factories import NOBODY
from tests.runs.exams import answers_of
from tests.runs.making import completed, write_losses
from training.judges import judge_versions
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db
HOSTILE = '</pre><script>alert(1)</script><img src="https://evil.example/x" onerror=alert(1)>'
LOADING = {"src", "href", "srcset", "action", "poster", "background", "formaction", "data", "ping", "xlink:href"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text of its style sheet."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.sheet, self.words, self._in_style = "", "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.sheet += data
        else:
            self.words += data


@pytest.fixture
def examined(dataset, user):
    """A run that was wrong on everything before, and right on every other item after."""
    run = completed(dataset, right=lambda i: i % 2 == 0, name="steps", by=user)
    write_losses(run, [3.0, 2.0, 1.0])
    return run


def report(run) -> str:
    return download(run, "html").file.read().decode()


def unzipped(file) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_report_is_one_file_that_asks_for_nothing_from_outside(examined):
    page = Page(report(examined))
    assert not {"script", "link", "iframe", "object", "img", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [(tag, name) for tag, attrs in page.tags for name in attrs if name in LOADING or name.startswith("on")]
    assert "url(" not in page.sheet
    assert "@import" not in page.sheet


def test_the_policy_of_the_report_allows_its_own_sheet_and_nothing_else(examined):
    page = Page(report(examined))
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.sheet.encode()).digest()).decode()
    parts = [part.strip() for part in policy.split(";")]
    assert parts == ["default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'"]
    assert not [attrs for _, attrs in page.tags if "style" in attrs]


def test_the_report_says_what_came_of_it_and_from_what(examined):
    words = " ".join(Page(report(examined)).words.split())
    won = examined.metrics["won"]
    assert f"{won} items changed" in words
    assert f"Right on {won} of {examined.evalset.item_count}" in words
    for fact in (examined.evalset.sha256, examined.dataset.content_sha256, examined.config_sha256, "c" * 40):
        assert fact in words
    assert "training.learning_rate" in words
    assert f"answer_correctness v{judge_versions()['answer_correctness']}" in words


def test_the_report_says_what_is_decided_and_where_it_got_better(dataset):
    steps = [{"i": 0, "type": "compute", "content": "1 + 1 = 2"}]
    items = [
        {"id": f"q{n}", "prompt": f"{n}?", "expected_answer": str(n), "difficulty": "easy", "steps": steps}
        | {"category": "<even>" if n % 2 else "odd"}
        for n in range(40)
    ]
    evalset = services.evalset_from_items(items=items, name="two kinds", by=None)
    page = Page(report(completed(dataset, evalset=evalset)))
    assert "SHIP" in page.words
    assert "Slices of the items" in page.words
    assert "<even>" in page.words
    assert not [attrs for tag, attrs in page.tags if tag == "a"]


def test_the_report_draws_the_curve_and_shows_both_answers_to_every_changed_item(examined):
    page = Page(report(examined))
    assert [attrs["role"] for tag, attrs in page.tags if tag == "svg"] == ["img"]
    items = [attrs for tag, attrs in page.tags if tag == "article"]
    assert len(items) == examined.metrics["won"] + examined.metrics["lost"]
    assert page.words.count("Before training") == page.words.count("After training") == len(items)


def test_what_a_model_wrote_is_text_in_the_report(examined):
    rows = answers_of(examined, Evaluation.Stage.AFTER)
    rows.update(output=f"Reasoning:\n1. {HOSTILE}\nAnswer: {HOSTILE}", answer=HOSTILE)
    answers_of(examined, Evaluation.Stage.BEFORE).update(output=HOSTILE, answer=None)
    examined.evalset.items.update(prompt=HOSTILE, expected_answer=HOSTILE)
    examined.evalset.items.filter(position=0).update(item_id=HOSTILE)
    examined.name = HOSTILE
    page = Page(report(examined))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert HOSTILE in page.words


def test_long_outputs_are_cut_and_the_report_says_so(examined, monkeypatch):
    answers_of(examined, Evaluation.Stage.AFTER).update(output="x" * 5000)
    monkeypatch.setattr("runs.exports.report.MOST_CHANGED", 1)
    words = Page(report(examined)).words
    assert "… and 1,000 more characters." in words
    assert "The first 1 in the evalset" in words
    assert f"{examined.metrics['won']} item" in words


def test_a_run_without_changes_or_losses_has_a_report_too(dataset):
    words = Page(report(completed(dataset, right=lambda i: False))).words
    assert "No item changed" in words


def test_the_harness_files_hold_each_checkpoint_once(examined):
    files = unzipped(download(examined, "lm_eval").file)
    models = sorted({name.split("/")[0] for name in files})
    end = str(examined.pk)[-8:]
    assert models == [f"steps-{end}-step-0", f"steps-{end}-step-4"]
    assert len(files) == 4


def test_the_harness_figures_are_those_of_the_rows(examined):
    files = unzipped(download(examined, "lm_eval").file)
    after = {name: data for name, data in files.items() if "-step-4/" in name}
    results = json.loads(next(data for name, data in after.items() if "/results_" in name))
    samples = [
        json.loads(line)
        for name, data in after.items()
        if "/samples_" in name
        for line in data.decode().split("\n")[:-1]
    ]
    rows = answers_of(examined, Evaluation.Stage.AFTER)
    assert [sample["doc"]["id"] for sample in samples] == [row.item.item_id for row in rows]
    assert [sample["resps"][0][0] for sample in samples] == [row.output for row in rows]
    figures = results["results"]["chain_test_test"]
    assert figures["answer_correctness,none"] == pytest.approx(examined.metrics["answer_correctness"])
    assert results["n-samples"]["chain_test_test"]["effective"] == len(samples) == examined.metrics["n_scored"]
    assert results["git_hash"] == "c" * 40


def test_exports_are_the_same_bytes_each_time(examined):
    for format in ("html", "lm_eval"):
        assert download(examined, format).file.read() == download(examined, format).file.read()


def test_a_run_whose_directory_is_gone_exports_what_the_database_knows(examined):
    (examined.directory / "run.json").unlink()
    assert "record is gone" in report(examined)
    results = [data for name, data in unzipped(download(examined, "lm_eval").file).items() if "/results_" in name]
    assert json.loads(results[0])["git_hash"] is None


def test_the_number_of_queries_does_not_grow_with_the_items(examined, django_assert_max_num_queries):
    for format, queries in (("lm_eval", 10), ("html", 12)):
        with django_assert_max_num_queries(queries):
            download(examined, format)


def test_a_run_that_was_not_examined_is_refused_by_every_door(run, api, client_in, tmp_path, capsys):
    for format in ("html", "lm_eval"):
        with pytest.raises(Conflict, match="has not been examined"):
            download(run, format)
        answer = api.get(f"/api/runs/{run.pk}/evaluation/export?format={format}")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_examined")
        page = client_in.get(f"/runs/{run.pk}/export/?format={format}", follow=True)
        assert "has not been examined" in page.content.decode()
        with pytest.raises(SystemExit) as ended:
            call_command("export_evaluation", str(run.pk), format=format, output=tmp_path)
        assert ended.value.code == 1
    assert not list(tmp_path.iterdir())


def test_the_page_offers_the_downloads_and_gives_them_as_files(examined, client_in):
    page = client_in.get(f"/runs/{examined.pk}/").content.decode()
    links = re.findall(rf"/runs/{examined.pk}/export/\?format=(\w+)", page)
    assert links == ["html", "lm_eval"]
    for format, kind in (("html", "text/html; charset=utf-8"), ("lm_eval", "application/zip")):
        answer = client_in.get(f"/runs/{examined.pk}/export/?format={format}")
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
        assert answer["Content-Disposition"].startswith("attachment; ")
        assert answer["Content-Security-Policy"] == "sandbox"


def test_the_api_answers_with_the_same_bytes_and_names_what_it_does_not_know(examined, api):
    answer = api.get(f"/api/runs/{examined.pk}/evaluation/export?format=html")
    assert b"".join(answer.streaming_content) == download(examined, "html").file.read()
    archive = api.get(f"/api/runs/{examined.pk}/evaluation/export?format=lm_eval")
    assert len(unzipped(BytesIO(b"".join(archive.streaming_content)))) == 4
    for query, name in (("format=pdf", "format"), ("", "format"), ("format=html&x=1", "x")):
        refused = api.get(f"/api/runs/{examined.pk}/evaluation/export?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, [name])
    assert api.get(f"/api/runs/{NOBODY}/evaluation/export?format=html").status_code == 404


def test_a_page_forgives_an_unknown_format_and_says_which_there_are(examined, client_in):
    page = client_in.get(f"/runs/{examined.pk}/export/", {"format": "<b>"}, follow=True).content.decode()
    assert "must be one of html, lm_eval" in page
    assert "<b>'" not in page


def test_the_command_writes_the_files_and_names_them(examined, tmp_path, capsys):
    call_command("export_evaluation", str(examined.pk), format="lm_eval", output=tmp_path, as_json=True)
    named = json.loads(capsys.readouterr().out)["files"]
    assert sorted(named) == sorted(str(path) for path in tmp_path.glob("*/*.json*"))
    call_command("export_evaluation", str(examined.pk), output=tmp_path)
    assert (tmp_path / f"report-{str(examined.pk)[-8:]}.html").read_text() == report(examined)


def test_an_output_that_cannot_be_written_is_said(examined, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        call_command("export_evaluation", str(examined.pk), output=tmp_path / "file")
    assert "cannot be written" in capsys.readouterr().err


def test_a_name_of_a_run_never_leads_out_of_the_directory(examined, tmp_path):
    examined.name = "../../../outside"
    inside = tmp_path / "in"
    written = write_export(examined, "lm_eval", inside)
    assert all(path.resolve().is_relative_to(inside.resolve()) for path in written)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
