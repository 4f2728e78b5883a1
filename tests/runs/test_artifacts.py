"""Nothing a browser can write into an address leads out of a run's directory."""

import os

import pytest
from django.urls import reverse

from runs.artifacts import Artifact, list_artifacts, open_artifact


@pytest.fixture
def root(tmp_path):
    """run1 with files, beside run10 and a secret."""
    root = tmp_path / "run1"
    (root / "checkpoints" / "5").mkdir(parents=True)
    (root / "metrics.jsonl").write_text("{}\n")
    (root / "checkpoints" / "5" / "params").write_bytes(b"\0\1")
    (root / ".hidden").write_text("h")
    (tmp_path / "run10").mkdir()
    (tmp_path / "run10" / "metrics.jsonl").write_text("other")
    (tmp_path / "secret").write_text("s")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path / "run10", target_is_directory=True)
    (root / "inside").symlink_to(root / "metrics.jsonl")
    os.mkfifo(root / "pipe")
    return root


ODD = {
    "nothing": "",
    "itself": ".",
    "parent": "..",
    "file of the parent": "../secret",
    "up and down again": "checkpoints/../metrics.jsonl",
    "deep up": "checkpoints/5/../../../secret",
    "sibling with the same prefix": "../run10/metrics.jsonl",
    "prefix without a slash": "0/metrics.jsonl",
    "absolute": "/etc/hosts",
    "doubled slash": "checkpoints//5/params",
    "trailing slash": "metrics.jsonl/",
    "directory": "checkpoints",
    "NUL": "metrics.jsonl\0",
    "NUL in the middle": "checkpoints\0/5/params",
    "backslash": "..\\secret",
    "encoded dots": "%2e%2e/secret",
    "newline": "metrics.jsonl\n",
    "link out": "link",
    "link to a file inside": "inside",
    "through a linked directory": "linked/metrics.jsonl",
    "pipe": "pipe",
    "hidden": ".hidden",
    "right to left": "‮metrics.jsonl",
    "lone surrogate": "\udc80",
    "too long": "a/" * 600 + "a",
    "name too long": "a" * 300,
}


@pytest.mark.parametrize("path", ODD.values(), ids=ODD)
def test_an_odd_path_opens_nothing(root, path):
    with pytest.raises(FileNotFoundError):
        open_artifact(root, path)


@pytest.mark.parametrize("path", ["metrics.jsonl", "checkpoints/5/params"])
def test_a_file_of_the_run_opens(root, path):
    with open_artifact(root, path) as file:
        assert file.read() == (root / path).read_bytes()


def test_a_run_whose_directory_is_a_link_opens_nothing(root, tmp_path):
    (tmp_path / "run2").symlink_to(root, target_is_directory=True)
    with pytest.raises(FileNotFoundError):
        open_artifact(tmp_path / "run2", "metrics.jsonl")


def test_the_list_holds_regular_files_only(root):
    assert [artifact.path for artifact in list_artifacts(root)] == ["checkpoints/5/params", "metrics.jsonl"]
    assert list_artifacts(root)[1] == Artifact("metrics.jsonl", 3, (root / "metrics.jsonl").stat().st_mtime)


def test_a_run_without_a_directory_has_no_files(tmp_path):
    assert list_artifacts(tmp_path / "absent") == []


@pytest.mark.parametrize("face", ["run_artifact", "api_run_artifact"])
def test_a_download_is_never_taken_for_a_page(face, client_in, run):
    run.directory.mkdir(parents=True)
    (run.directory / "report.html").write_text("<script>alert(1)</script>")
    address = reverse(face, args=[run.pk, "report.html"])
    response = client_in.get(address)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["../../../secret_key", "%2e%2e/%2e%2e/secret_key", "a%00b", "..%5csecret_key"])
@pytest.mark.parametrize("face", ["/runs/{}/artifacts/{}", "/api/runs/{}/artifacts/{}"])
def test_an_odd_address_is_not_found(face, path, client_in, run):
    run.directory.mkdir(parents=True)
    assert client_in.get(face.format(run.pk, path)).status_code == 404
