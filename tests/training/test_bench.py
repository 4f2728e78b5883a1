from pathlib import Path

import pytest

from training import bench_jax, bench_peers
from training.bench_jax import Bench


def contestant(seconds, **came_out):
    return lambda: {"seconds": seconds, "done": 100, **came_out}


@pytest.fixture
def nobody_installed(monkeypatch):
    monkeypatch.setattr(bench_peers, "PEER_PYTHON", Path("/nowhere/python"))


def test_without_the_peer_the_ratio_is_null_and_the_reason_says_what_to_do(nobody_installed):
    bench = Bench(rounds=2)
    bench.compete("train_1m", "tokens/s", {"ours": contestant(2)}, ({}, {}))
    (row,) = bench.rows
    assert (row.peer, row.ours, row.theirs, row.ratio) == ("transformers", 50, None, None)
    assert "make peers" in row.reason


def test_the_ratio_is_ours_over_theirs_and_a_row_says_whether_the_function_is_the_same(nobody_installed):
    bench = Bench(rounds=3)
    ours = contestant(1, losses=[2.0, 1.0])
    others = {"padded": contestant(2, losses=[2.0, 1.00001]), "wrong": contestant(4, losses=[2.0, 1.1])}
    bench.compete("train_packed", "tokens/s", {"ours": ours} | others, ({}, {}))
    padded, wrong, _ = bench.rows
    assert (padded.ratio, wrong.ratio) == (2, 4)
    assert padded.same.startswith("yes")
    assert wrong.same.startswith("NO")


def test_contestants_take_turns_after_one_round_that_does_not_count(nobody_installed):
    order = []

    def named(name):
        return lambda: order.append(name) or {"seconds": 1, "done": 1}

    Bench(rounds=2).compete("work", "tokens/s", {"ours": named("A"), "padded": named("B")}, ({}, {}))
    assert "".join(order) == "AB" * 3


def test_an_unknown_work_is_named_with_what_there_is(capsys):
    assert bench_jax.main(["--work", "trian_1m"]) == 64
    assert "'trian_1m' is no work; choose from train_1m, " in capsys.readouterr().err
