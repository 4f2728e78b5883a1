"""Secrets and addresses that are found in rows, and what only looks like them."""

import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_app.gates.texts import LONG_RUN, runs
from tests.datasets.rows import found_by, make_row

CHANCE = random.Random(7)


def drawn(length, alphabet=string.ascii_letters + string.digits):
    return "".join(CHANCE.choices(alphabet, k=length))


UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SECRETS = [
    ("private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"),
    ("private_key", "-----BEGIN PRIVATE KEY-----"),
    ("private_key", "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ("private_key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
    ("aws_access_key", "AKIA" + drawn(16, UPPER)),
    ("github_token", "ghp_" + drawn(36)),
    ("github_token", "github_pat_" + drawn(22) + "_" + drawn(59)),
    ("gitlab_token", "glpat-" + drawn(20)),
    ("slack_token", "xoxb-" + drawn(12, string.digits) + "-" + drawn(12, string.digits) + "-" + drawn(24)),
    ("google_api_key", "AIza" + drawn(35)),
    ("openai_key", "sk-" + drawn(48)),
    ("openai_key", "sk-proj-" + drawn(48)),
    ("huggingface_token", "hf_" + drawn(34)),
    ("stripe_key", "sk_live_" + drawn(24)),
    ("npm_token", "npm_" + drawn(36)),
    ("tunixrt_token", "trt_" + drawn(64, "0123456789abcdef")),
    ("json_web_token", f"eyJ{drawn(17)}.eyJ{drawn(40)}.{drawn(43)}"),
    ("password", "password=hunter2"),
    ("password", 'PASSWORD: "correct-horse-9"'),
    ("password", "{'passwd': 's3cr3tly'}"),
    ("password", "db_pwd = 'tr0ub4dor'"),
    ("password", "postgres://admin:hunter2@db.internal:5432/app"),
    ("password", "redis://:s3kr1t@localhost:6379/0"),
    ("key", "api_key = '" + drawn(32) + "1a'"),
    ("key", "client_secret=" + drawn(40) + "1a"),
    ("key", "AWS_SECRET_ACCESS_KEY: " + drawn(40) + "1a"),
    ("key", "auth_token: " + drawn(32) + "1a"),
]
DECOYS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "commit 4f2a9d1c0b8e7f6a5d4c3b2a1908f7e6d5c4b3a2",
    "123e4567-e89b-42d3-a456-426614174000",
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
    "AKIAIOSFODNN7EXAMPLE",
    "AKIA stands for a kind of key",
    "xAKIA" + drawn(16, UPPER),
    "task-" + drawn(48),
    "hf_model_name_with_underscores_that_is_long",
    "ghp_short",
    "3.14159265358979323846264338327950288419716939937510",
    "the password is a word that passes: 4 letters",
    "password = input('password: ')",
    "password=os.environ['PASSWORD']",
    "password: ${PASSWORD1}",
    "password=<your password 1>",
    "password=your_password1",
    "password = ********",
    "max_tokens = 4096000",
    "num_api_keys: 1000000",
    "secret = number + 1",
    "secret number: 12345678",
    "api_key = 'your-api-key-goes-here-0001'",
    "https://example.com:8080/path@2x.png",
    "ratio a:b@c",
    "https://user:password@example.com/",
    "postgres://user:${PASSWORD1}@host/db",
    "2 + 2 = 4; x := y; f(a: int = 5)",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "keep your PRIVATE KEY safe",
]
ADDRESSES = [
    "ada@lovelace.org",
    "First.Last+tag@mail.company.co.uk",
    "<grace.hopper@navy.mil>",
    "mailto:x_y@uni-bonn.de?subject=hi",
    "WRITE@COMPANY.COM",
    "a@b.io",
]
NO_ADDRESSES = [
    "a@b",
    "@decorator",
    "@app.route",
    "user@example.com",
    "me@mail.example.org",
    "root@localhost",
    "x@host.local",
    "who@some.test",
    "no@where.invalid",
    "X@W.shape",
    "A@B.mT",
    "weights@inputs.T",
    "y = x@w.dot(z)",
    "react@18.2.0",
    "sum @ rate 5.5",
    "git@v1.2",
    "a@.com",
    ".@x.com",
    "3 apples @ $2.50",
]


@pytest.mark.parametrize(("kind", "text"), SECRETS)
@pytest.mark.parametrize("where", ["prompt", "steps", "final_answer", "meta"])
def test_a_secret_is_found_wherever_it_stands_and_only_its_beginning_is_told(kind, text, where):
    written = f"Use this ({text}), please"
    value = {"steps": ["one", written], "meta": {"notes": [{"deep": written}]}}.get(where, written)
    found = found_by("secrets", [make_row(), make_row(**{where: value}, row_id="b")])["findings"]
    assert [(finding["row"], finding["kind"]) for finding in found] == [("b", kind)]
    assert found[0]["excerpt"] == found[0]["excerpt"][:4] + "…"
    assert found[0]["why"] == f"holds what looks like a {kind.replace('_', ' ')}: {found[0]['excerpt']}"
    assert found[0]["excerpt"][:4] in written
    assert len(json.dumps(found[0])) < 200


@pytest.mark.parametrize("text", DECOYS)
def test_what_only_looks_like_a_secret_passes(text):
    assert found_by("secrets", [make_row(text, meta={"text": text, text: 1})])["findings"] == []


def test_a_row_with_several_secrets_is_named_once_for_its_first():
    row = make_row(f"password=hunter2 and {SECRETS[4][1]}")
    assert [finding["kind"] for finding in found_by("secrets", [row])["findings"]] == ["password"]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_found_and_not_repeated(text):
    row = make_row(meta={"author": text})
    found = found_by("emails", [make_row(), row | {"id": "b"}])["findings"]
    assert [finding["row"] for finding in found] == ["b"]
    assert text not in found[0]["why"]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_only_looks_like_an_address_passes(text):
    assert found_by("emails", [make_row(f"Say {text} now", meta={"text": text})])["findings"] == []


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=12))
def test_long_runs_are_all_found(parts):
    text, expected = b"", []
    for inside, length in parts:
        text += (b"a" if inside else b" ") * length
    start = 0
    for word in text.split(b" "):
        if len(word) >= LONG_RUN:
            expected.append((start, start + len(word)))
        start += len(word) + 1
    assert list(runs(b"abc", text)) == expected
