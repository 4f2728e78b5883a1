"""What may be the name of a dataset."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_app.keys import MAX_NAME, MAX_VERSION, dataset_key, is_key, split_key
from training.errors import Invalid

BAD_NAMES = {
    "../../etc/hosts": "bad_key",
    "/etc/hosts": "bad_key",
    "..\\..\\hosts": "bad_key",
    "..": "bad_key",
    "%2e%2e%2f": "bad_key",
    "name\n": "bad_key",
    "ｎａｍｅ": "bad_key",
    "name‮gnp": "bad_key",
    "na\0me": "bad_key",
    "-name": "bad_key",
    "": "empty",
    "a" * (MAX_NAME + 1): "too_long",
}


@pytest.mark.parametrize(("name", "code"), BAD_NAMES.items())
def test_a_name_that_cannot_be_a_directory_is_refused_with_its_code(name, code):
    with pytest.raises(Invalid) as caught:
        dataset_key(name, "1")
    assert [(fault.loc, fault.type) for fault in caught.value.faults] == [(("dataset_name",), code)]
    assert not is_key(f"{name}-1")


@pytest.mark.parametrize(("version", "code"), [*BAD_NAMES.items(), ("1-2", "bad_key")])
def test_a_version_follows_the_same_rule_and_has_no_hyphen(version, code):
    with pytest.raises(Invalid) as caught:
        dataset_key("name", version)
    assert [(fault.loc, fault.type) for fault in caught.value.faults] == [(("dataset_version",), code)]


@pytest.mark.parametrize("value", [7, True, ["a"], {"a": 1}])
def test_a_name_is_a_text(value):
    with pytest.raises(Invalid) as caught:
        dataset_key(value, value)
    assert {fault.type for fault in caught.value.faults} == {"wrong_type"}


def test_both_parts_are_reported_at_once():
    with pytest.raises(Invalid) as caught:
        dataset_key(None, "a-b")
    assert [fault.type for fault in caught.value.faults] == ["missing_field", "bad_key"]


def test_the_last_hyphen_splits_a_key():
    assert split_key("chain-hard-v1.2") == ("chain-hard", "v1.2")


NAMES = st.from_regex(re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_NAME - 1}}}"), fullmatch=True)
VERSIONS = st.from_regex(re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.]{{0,{MAX_VERSION - 1}}}"), fullmatch=True)


@given(NAMES, VERSIONS)
def test_every_key_splits_into_what_it_was_made_of(name, version):
    key = dataset_key(name, version)
    assert split_key(key) == (name, version)
    assert is_key(key)


@given(st.text())
def test_whatever_is_a_key_is_one_plain_file_name(text):
    if is_key(text):
        assert text.isascii()
        assert text[0].isalnum()
        assert not set(text) & set("/\\\0\n %")
