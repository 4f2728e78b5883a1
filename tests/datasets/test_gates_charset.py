"""Rows in another script than the rest, and rows with characters that nobody writes."""

import pytest

from tests.datasets.rows import found_by, make_row

ENGLISH = "How many apples are left?"
SCRIPTS = {
    "Cyrillic": "Сколько яблок осталось?",
    "Cjk": "还剩下多少个苹果？",
    "Arabic": "كم تفاحة بقيت؟",
    "Hangul": "사과가 몇 개 남았나요?",
    "Greek": "Πόσα μήλα έμειναν;",
    "Devanagari": "कितने सेब बचे?",
}


def rows_in(*texts):
    return [make_row(text, steps=[text], row_id=str(n)) for n, text in enumerate(texts)]


@pytest.mark.parametrize(("name", "text"), SCRIPTS.items())
def test_a_script_that_few_rows_are_in_is_found(name, text):
    found = found_by("charset", rows_in(*[ENGLISH] * 150, text, *[ENGLISH] * 150))["findings"]
    assert found == [
        {"row": "150", "why": f"is written in {name} letters, as 1 of 301 rows are", "script": name.upper()}
    ]


def test_the_rare_script_may_be_the_latin_one():
    assert found_by("charset", rows_in(*[SCRIPTS["Cyrillic"]] * 200, ENGLISH))["rows"] == ["200"]


def test_what_one_row_of_a_hundred_is_written_in_is_not_rare():
    assert found_by("charset", rows_in(*[ENGLISH] * 99, SCRIPTS["Arabic"]))["count"] == 0
    assert found_by("charset", rows_in(ENGLISH, *SCRIPTS.values()))["count"] == 0


def test_all_rows_of_a_rare_script_are_counted():
    result = found_by("charset", rows_in(*[ENGLISH] * 30_000, *[SCRIPTS["Cyrillic"]] * 250))
    assert (result["count"], len(result["findings"])) == (250, 200)


@pytest.mark.parametrize(
    "text",
    [
        "Is α + β = γ when π ≈ 3.14 and ∑ xᵢ > 0?",
        "She said “it’s 5 €” – naïve, isn’t it? 😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "2 + 2 = 4",
        "𝑥² + 𝐲 in ℝ, ﬁrst",
        "Tabs\tand\r\nlines",
        "می‌خواهم",
    ],
)
def test_letters_of_mathematics_and_signs_are_no_script_of_their_own(text):
    assert found_by("charset", rows_in(*[ENGLISH] * 200, f"Explain: {text}"))["findings"] == []


def test_japanese_writes_several_scripts():
    texts = ["りんごはいくつ", "リンゴ", "林檎残数", "林檎はいくつ残る"] * 2
    assert found_by("charset", rows_in(*["林檎残数"] * 200, *texts))["count"] == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("caf\ufffd and \ufffd", "holds the replacement character U+FFFD and 1 more such"),
        ("a\x07b", "holds the control character U+0007"),
        ("a\x7fb", "holds the control character U+007F"),
        ("a\x85b", "holds the control character U+0085"),
        ("\ue000", "holds the private character U+E000"),
        ("\U000e0fff", "holds the unassigned character U+E0FFF"),
        ("a" + "\u200b" * 8, "holds 8 invisible characters, 8 or more in a row"),
        ("\u202e" * 9 + "é", "holds 9 invisible characters, 8 or more in a row"),
    ],
)
def test_characters_that_nobody_writes_are_found(text, why):
    found = found_by("charset", [make_row(), make_row(final_answer=text, row_id="b")])["findings"]
    assert found == [{"row": "b", "why": why}]


def test_single_invisible_characters_are_let_pass():
    assert found_by("charset", rows_in("a\u200bb\u200d" * 20, "x\u200e y"))["count"] == 0


def test_a_wrong_character_in_meta_is_not_taught():
    assert found_by("charset", [make_row(meta={"a": "\ufffd\x07"})])["count"] == 0
