"""Pages of datasets and evalsets."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets_app import services
from datasets_app.models import Dataset, EvalSet
from tests.factories import make_trace, make_traces

pytestmark = pytest.mark.django_db
FORM = {
    "dataset_name": "set",
    "dataset_version": "1",
    "selection_strategy": "latest",
    "recipe": "trace_sft_v1",
    "instruction": "Show your work as steps",
}
HTMX = {"HX-Request": "true"}


def test_the_empty_lists_teach_the_next_step(client_in):
    assert b"seed_dataset --dataset golden-v2" in client_in.get("/datasets/").content
    assert b"Import an evalset" in client_in.get("/evalsets/").content
    assert b"Import traces" in client_in.get("/datasets/build/").content


def test_lists_and_details_cost_a_fixed_number_of_queries(client_in, user, django_assert_num_queries):
    services.seed_dataset(key="golden-v1")
    dataset = services.seed_dataset(key="golden-v2")
    evalset = services.evalset_for(dataset, user)
    services.shipped_evalset(name="eval_v1", by=user)
    for path, queries in (
        ("/datasets/", 1),
        ("/datasets/golden-v2/", 3),
        ("/evalsets/", 2),
        (f"/evalsets/{evalset.pk}/", 4),
        (f"/evalsets/{evalset.pk}/leaks/", 2),
    ):
        with django_assert_num_queries(queries + 2):  # session and person
            assert client_in.get(path).status_code == 200


def test_a_dataset_shows_splits_rows_checks_and_downloads(client_in):
    services.seed_dataset(key="golden-v2")
    page = client_in.get("/datasets/golden-v2/").content.decode()
    for part in (
        "train <b>80</b>",
        "golden-v2/export/",
        "?dataset=golden-v2",
        "?gate=repeats",
        "Show your work as steps",
    ):
        assert part in page
    assert reverse("dataset_runs", args=["golden-v2"]) in page


def test_what_traces_hold_is_shown_as_text(client_in):
    make_trace("<script>alert(1)</script>", steps=["<b>bold</b>"], meta={"source": "<i>"})
    dataset, _ = services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    page = client_in.get(f"/datasets/{dataset.key}/").content.decode()
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert" in page


def test_the_form_builds_and_goes_to_the_dataset(client_in, user):
    make_traces(3, meta={"source": "mine"})
    make_trace("other")
    response = client_in.post("/datasets/build/", FORM | {"source": "mine", "limit": "2", "seed": "4"})
    assert response["Location"] == "/datasets/set-1/"
    dataset = Dataset.objects.get()
    assert (dataset.trace_count, dataset.seed, dataset.created_by) == (2, 4, user)
    assert dataset.request["filters"] == {"source": "mine"}


def test_the_instruction_may_be_empty(client_in):
    make_trace()
    client_in.post("/datasets/build/", FORM | {"no_instruction": "on"})
    assert Dataset.objects.get().instruction == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dataset_name": "../x"}, "cannot be a name on disk"),
        ({"dataset_version": "1-2"}, "cannot be a name on disk"),
        ({"min_score": "high"}, "must be a number"),
        ({"limit": "0"}, "must lie between 1 and 1000000"),
        ({"source": "nowhere"}, "No trace matches"),
        ({"selection_strategy": "best"}, "Select a valid choice"),
        ({"dataset_name": ""}, "required"),
    ],
)
def test_a_wrong_form_comes_back_with_what_was_typed_and_what_is_wrong(client_in, fields, words):
    make_trace()
    response = client_in.post("/datasets/build/", FORM | fields)
    page = response.content.decode()
    assert response.status_code == 200
    assert words in page
    assert "Show your work as steps</textarea>" in page
    assert not Dataset.objects.exists()


def test_a_frozen_key_says_what_differs_on_the_form(client_in):
    make_trace()
    client_in.post("/datasets/build/", FORM)
    make_trace("another")
    page = client_in.post("/datasets/build/", FORM).content.decode()
    assert "is frozen with other content" in page
    assert "2 are selected now, 1 of them new" in page


def test_a_build_in_the_background_is_watched_and_can_be_cancelled(client_in, monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 0)
    make_trace()
    client_in.post("/datasets/build/", FORM)
    page = client_in.get("/datasets/set-1/").content.decode()
    assert "every 2s" in page
    assert "Cancel the build" in page
    assert "HX-Refresh" not in client_in.get("/datasets/set-1/", headers=HTMX)
    client_in.post("/datasets/set-1/cancel/")
    assert client_in.get("/datasets/set-1/", headers=HTMX)["HX-Refresh"] == "true"
    assert b"cancelled" in client_in.get("/datasets/set-1/").content


def test_a_dataset_without_its_files_says_how_to_restore_them(client_in):
    dataset = services.seed_dataset(key="golden-v1")
    dataset.rows_path.unlink()
    assert b"restore_dataset golden-v1" in client_in.get("/datasets/golden-v1/").content
    for part in ("export", "manifest"):
        assert client_in.get(f"/datasets/golden-v1/{part}/")["Location"] == "/datasets/golden-v1/"


def test_downloads_are_attachments(client_in):
    services.seed_dataset(key="golden-v2")
    response = client_in.get("/datasets/golden-v2/export/?format=messages&split=test")
    assert response["Content-Disposition"] == 'attachment; filename="golden-v2.test.messages.jsonl"'
    assert len(b"".join(response.streaming_content).splitlines()) == 12
    manifest = b"".join(client_in.get("/datasets/golden-v2/manifest/").streaming_content)
    assert json.loads(manifest)["dataset_key"] == "golden-v2"
    assert client_in.get("/datasets/golden-v2/export/?format=csv").status_code == 302


def test_a_trace_names_the_datasets_that_hold_it(client_in):
    trace = make_trace()
    path = f"/traces/{trace.pk}/datasets/"
    assert b"No frozen dataset" in client_in.get(path, headers=HTMX).content
    services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    fragment = client_in.get(path, headers=HTMX).content
    assert b"/datasets/set-1/" in fragment
    assert b"<html" not in fragment
    assert b"<html" in client_in.get(path).content


def upload(client, text: str, **fields):
    file = SimpleUploadedFile("mine.jsonl", text.encode())
    return client.post("/evalsets/import/", {"file": file, "format": "evalset", **fields})


def test_an_evalset_is_uploaded_or_refused_with_its_lines(client_in):
    line = '{"id":"1","prompt":"1+1?","expected_answer":"2","category":"sum","difficulty":"easy"}\n'
    refused = upload(client_in, line + "{}\n").content.decode()
    assert "line 2" in refused
    assert not EvalSet.objects.exists()
    response = upload(client_in, line)
    evalset = EvalSet.objects.get()
    assert response["Location"] == f"/evalsets/{evalset.pk}/"
    assert evalset.name == "mine.jsonl"
    assert b"1+1?" in client_in.get(response["Location"]).content


def test_a_file_over_the_limit_is_refused(client_in, settings):
    settings.UPLOAD_MAX_BYTES = 10
    assert b"UPLOAD_MAX_BYTES" in upload(client_in, "x" * 11).content


def test_a_split_and_a_shipped_set_become_evalsets_by_a_button(client_in):
    services.seed_dataset(key="golden-v2")
    for path, data in (
        ("/datasets/golden-v2/evalset/", {"split": "test"}),
        ("/evalsets/shipped/", {"name": "eval_v1"}),
    ):
        assert client_in.post(path, data)["Location"].startswith("/evalsets/0")
    assert client_in.post("/datasets/golden-v2/evalset/", {"split": "dev"})["Location"] == "/datasets/golden-v2/"
    assert client_in.post("/evalsets/shipped/", {"name": "none"})["Location"] == "/evalsets/"


def test_the_admin_shows_and_changes_nothing(client_in, user):
    user.is_staff = user.is_superuser = True
    user.save()
    dataset = services.seed_dataset(key="golden-v2")
    other = services.seed_dataset(key="golden-v1")
    assert b"golden-v2" in client_in.get("/admin/datasets/dataset/").content
    assert client_in.get(f"/admin/datasets/dataset/{dataset.pk}/change/").status_code == 200
    assert client_in.get("/admin/datasets/dataset/add/").status_code == 403
    action = {"action": "make_evalset", "_selected_action": [str(dataset.pk), str(other.pk)]}
    page = client_in.post("/admin/datasets/dataset/", action, follow=True).content.decode()
    assert "Evalset golden-v2 test" in page
    assert "olden-v1 has no rows in its test" in page
    export = {"action": "export", "_selected_action": [str(dataset.pk)]}
    assert client_in.post("/admin/datasets/dataset/", export)["Location"] == "/datasets/golden-v2/export/"
