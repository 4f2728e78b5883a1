"""math-verify in a process of its own: bounded, started when needed, replaced when it died."""

import os
import subprocess
import sys
import threading
import time
from importlib.metadata import version

import pytest

from training.errors import Invalid
from training.judges import prover
from training.judges.answers import compare_answers
from training.judges.prover import Helper, prove


@pytest.fixture
def helper():
    helper = Helper()
    yield helper
    helper.stop()


def test_expressions_are_equal_or_different_or_cannot_be_read(helper):
    assert helper.ask(r"2\sqrt{2}", r"\sqrt{8}") == "equal"
    assert helper.ask(r"2\sqrt{2}", r"\sqrt{6}") == "different"
    assert helper.ask(r"2\sqrt{2}", "") == "unreadable"


def test_the_version_of_the_library_is_the_one_that_the_judge_was_measured_with():
    assert version("math-verify") == prover.MATH_VERIFY


@pytest.mark.parametrize("answer", ["x + 9^{9^{9^9}}", "(x+1)^{99999}", "100000!!!"])
def test_what_computes_too_long_is_ended_says_so_and_the_next_question_is_answered(answer):
    prove.cache_clear()
    start = time.monotonic()
    judgements = [compare_answers(answer, "x^2 + 1") for _ in range(2)]
    assert time.monotonic() - start < prover.WALL_SECONDS + 10  # one question: the second answer is remembered
    assert judgements[0] == judgements[1]
    assert judgements[0].score == 0
    assert "could not be found out within the time allowed" in judgements[0].reason
    assert prove("x + y", "y + x") == "equal"


def test_a_helper_that_was_killed_is_replaced(helper):
    assert helper.ask("x + y", "y + x") == "equal"
    helper._process.kill()
    helper._process.wait()
    assert helper.ask("x + y", "y + x") == "equal"


def test_a_helper_that_dies_of_a_question_leaves_it_open(helper, monkeypatch):
    monkeypatch.setattr(prover, "_start", lambda: subprocess.Popen(["cat", "/dev/null"], stdin=-1, stdout=-1))
    assert helper.ask("x", "y") == "timeout"


def test_a_helper_that_says_nothing_is_given_up(helper, monkeypatch):
    monkeypatch.setattr(prover, "WALL_SECONDS", 0.2)
    monkeypatch.setattr(prover, "_start", lambda: subprocess.Popen(["sleep", "60"], stdin=-1, stdout=-1))
    start = time.monotonic()
    assert helper.ask("x", "y") == "timeout"
    assert time.monotonic() - start < 5
    assert helper._process is None


def test_without_the_library_the_error_says_how_to_install_it(helper, monkeypatch):
    gone = [sys.executable, "-c", f"raise SystemExit({prover.MISSING})"]
    monkeypatch.setattr(prover, "_start", lambda: subprocess.Popen(gone, stdin=-1, stdout=-1))
    with pytest.raises(Invalid, match="pip install math-verify"):
        helper.ask("x", "y")


def test_a_forked_process_does_not_talk_over_its_parents_helper(helper):
    assert helper.ask("x", "x") == "equal"
    mine = helper._process
    helper._owner = os.getpid() + 1  # as a process sees it that was forked off
    assert helper.ask("x + y", "y + x") == "equal"
    assert helper._process is not mine
    assert mine.poll() is None
    mine.kill()
    mine.communicate()


def test_many_threads_share_one_helper(helper):
    answers: list[str] = []

    def ask(number: int) -> None:
        answers.append(f"{number}: {helper.ask(f'x + {number}', f'{number} + x')}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"{number}: equal" for number in range(8)]


def test_sympy_is_never_loaded_where_judges_are():
    code = (
        "import sys; from training.judges.answers import compare_answers;"
        "assert compare_answers(r'\\sqrt{8}', r'2\\sqrt{2}').score == 1;"
        "assert not {'sympy', 'math_verify', 'jax', 'django'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_helper_sees_no_secret_of_ours(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    started: list[dict] = []
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **options: started.append(options))
    prover._start()
    assert "PATH" in started[0]["env"]
    assert "s3cret" not in started[0]["env"].values()
