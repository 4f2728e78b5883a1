import errno

import pytest

from training import lifeline
from training.command import outcome
from training.errors import Fault, Invalid
from training.lifeline import Failure


@pytest.fixture(autouse=True)
def unsupervised(monkeypatch):
    """The test process keeps its own answer to SIGTERM."""
    monkeypatch.setattr(lifeline, "enter_supervision", lambda: None)


def ends_with(error: BaseException):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (Failure(lifeline.NONFINITE, "nonfinite", "the loss became nan"), lifeline.NONFINITE, "the loss became nan"),
        (
            Invalid([Fault(("a",), "is wrong", "x"), Fault(("b",), "too", "x")]),
            lifeline.BAD_CONFIG,
            "a: is wrong\nb: too",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file", "f.jsonl"), lifeline.BAD_CONFIG, "f.jsonl: No such file"),
        (OSError(errno.ENOSPC, "No space left"), lifeline.DISK_FULL, "the disk is full"),
        (MemoryError(), lifeline.OUT_OF_MEMORY, "out of memory: nothing was left"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory: 9 GiB"), lifeline.OUT_OF_MEMORY, "9 GiB; smaller"),
        (ModuleNotFoundError("No module named 'optax'"), lifeline.BAD_CONFIG, "'optax'. `make install`"),
        (ValueError("RESOURCE_EXHAUSTED: No space left on device"), lifeline.DISK_FULL, "the disk is full"),
    ],
)
def test_each_end_has_its_code_and_sentence(error, code, sentence, capsys):
    assert outcome(ends_with(error)) == code
    assert sentence in capsys.readouterr().err


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        outcome(ends_with(ZeroDivisionError()))


def test_a_supervisor_is_told_the_reason(capsys, monkeypatch):
    monkeypatch.setattr(lifeline, "supervised", lambda: True)
    outcome(ends_with(Failure(lifeline.DISK_FULL, "disk_full", "the disk is full")))
    assert capsys.readouterr().out == '{"event": "failed", "reason": "disk_full", "message": "the disk is full"}\n'
