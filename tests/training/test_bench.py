import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.needs import PEERS_PYTHON
from training import bench_jax
from training.bench import material, wire, works
from training.bench.bars import BARS, Bar
from training.bench.report import table
from training.bench.setting import TRAINING, Setting
from training.bench.turns import rate, row, rows, take_turns
from training.bench.wire import Absent, Contestant
from training.shapes import model_shape

SHAPE = model_shape("tiny", 64)
JOB = {
    "shape": asdict(SHAPE),
    "training": TRAINING,
    "config": {"model": {"size": "tiny"}, "training": TRAINING | {"steps": 1, "seed": 0}},
    "device": "cpu",
    "rows_at_once": 2,
    "compile": False,
}
peers = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS_PYTHON.exists(), reason="wants the peer environment: `make peers` makes it"),
]


class Played:
    """Who answers each round with `seconds` for 100 things done, and breaks down after `lasts` rounds."""

    def __init__(self, seconds, lasts=99, order=None, **came_out):
        self.versions, self._left, self._order = {"played": "1"}, lasts, order
        self._round = {"seconds": seconds, "done": 100, **came_out}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def round(self):
        self._left -= 1
        if self._left < 0:
            raise Absent("it fell over")
        if self._order is not None:
            self._order.append(self._round["seconds"])
        return self._round


def test_the_ratio_is_ours_over_theirs_and_a_row_says_whether_the_function_is_the_same():
    turns = take_turns(
        {
            "ours": Played(1, losses=[2.0, 1.0]),
            "padded": Played(2, losses=[2.0, 1.00001]),
            "wrong": Played(4, losses=[2.0, 1.1]),
        },
        rounds=3,
    )
    padded, wrong = rows("train_packed", "tokens/s", turns)
    assert (padded.ours, padded.theirs, padded.ratio, wrong.ratio) == (100, 50, 2, 4)
    assert padded.same.startswith("yes")
    assert wrong.same.startswith("NO")


def test_answers_are_the_same_when_every_token_is():
    ours, theirs = Played(1, tokens=[[1, 2], [3]]), Played(1, tokens=[[1, 2], [4]])
    (made,) = rows("generate_equal", "tokens/s", take_turns({"ours": ours, "tunix": theirs}, rounds=1))
    assert made.same == "NO: 1 of 2 answers equal"


def test_contestants_take_turns_after_one_round_that_does_not_count():
    order = []
    turns = take_turns({"ours": Played(1, order=order), "padded": Played(2, order=order)}, rounds=2)
    assert order == [1, 2] * 3
    assert len(turns.rounds["ours"]) == 2


def test_one_that_breaks_down_is_a_row_with_the_reason_and_the_others_go_on():
    turns = take_turns({"ours": Played(1), "tunix": Played(2, lasts=2), "padded": Played(4)}, rounds=3)
    padded, tunix = rows("train_packed", "tokens/s", turns)
    assert (padded.peer, padded.ratio) == ("padded", 4)
    assert (tunix.peer, tunix.theirs, tunix.ratio, tunix.reason) == ("tunix", None, None, "it fell over")
    assert tunix.bar == "≥ 7: not measured"


def test_without_us_there_are_rows_too():
    turns = take_turns({"ours": Played(1, lasts=0), "padded": Played(4)}, rounds=1)
    (made,) = rows("train_packed", "tokens/s", turns)
    assert (made.ours, made.ratio, made.reason) == (None, None, "it fell over")


def test_an_environment_that_is_not_there_is_named_with_what_makes_it(monkeypatch):
    monkeypatch.setattr(wire, "PEER_PYTHON", Path("/nowhere/python"))
    turns = take_turns({"ours": Played(1), "tunix": Contestant("with_tunix:training", {}, {})}, rounds=1)
    (made,) = rows("train_1m", "tokens/s", turns)
    assert "make peers" in made.reason


def test_a_process_that_fails_says_its_last_words(monkeypatch):
    monkeypatch.setattr(wire, "PEER_PYTHON", Path(sys.executable))
    with pytest.raises(Absent, match=r"exit code 1: .*no_such_module"), Contestant("no_such_module:training", {}, {}):
        pass


def test_a_bar_of_rates_is_reached_from_above_and_one_of_times_from_below():
    assert Bar(3.0, 4.0).judged(3.5) == "≥ 3: met, beyond ≥ 4: missed"
    assert Bar(0.4, at_most=True).judged(0.5) == "≤ 0.4: missed"


def test_every_bar_belongs_to_a_row_that_a_work_makes():
    names = {work for work, _ in BARS}
    offered = {*works.works(Setting(1)), *works.on_gpu()}
    made = {"start_warm": "start", "checkpoint_stall": "checkpoint", "same_20": "same_function"}
    made["same_300"] = "same_function"
    assert {made.get(name, name) for name in names} <= offered


def test_the_table_names_machine_load_versions_bar_and_verdict():
    place = {"cpu": "a CPU", "cores": 2, "load": 0.1, "rounds": 5}
    text = table([row("train_1m", "tunix", "tokens/s", 3000.0, 1000.0)], place, {"jax": "1.2"})
    for words in ("a CPU, 2 cores, load 0.1", "5 rounds", "jax 1.2", "3,000", "≥ 3: met, beyond ≥ 4: missed"):
        assert words in text


def test_rows_end_untrained_so_that_inputs_alone_say_what_is_taught():
    made = material.batches(SHAPE, [10, 5], 16, packing=True, updates=2)
    assert made["tokens"].shape == (2, 1, 16)
    assert made["loss_mask"][0, 0].tolist() == [1] * 9 + [0] + [1] * 4 + [0] * 2
    trained = made["loss_mask"][:, :, :-1] == 1
    assert (made["targets"][:, :, :-1] == made["tokens"][:, :, 1:])[trained].all()
    assert material.useful_tokens(made) == 30


def test_padded_sequences_have_the_length_they_are_said_to_have():
    assert material.batches(SHAPE, [10, 5], 64, packing=False, updates=1)["tokens"].shape == (1, 2, 64)


def test_the_json_has_machine_versions_and_rows(monkeypatch, capsys):
    monkeypatch.setattr(
        bench_jax, "works", lambda setting: {"train_1m": lambda setting: [row("w", "p", "s", 1.0, 2.0)]}
    )
    assert bench_jax.main(["--json", "--rounds", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"machine", "versions", "rows"}
    assert result["rows"][0].items() >= {"work": "w", "peer": "p", "ours": 1.0, "theirs": 2.0, "ratio": 0.5}.items()


def test_an_unknown_work_is_named_with_what_there_is(capsys):
    assert bench_jax.main(["--work", "trian_1m"]) == 64
    assert "'trian_1m' is no work; choose from train_1m, " in capsys.readouterr().err


@pytest.mark.slow
def test_without_a_gpu_there_is_a_sentence_and_nothing_is_measured(capsys):
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert bench_jax.main(["--device", "gpu", "--work", "gpu_270m"]) == 64
    assert "no gpu for jax on this machine" in capsys.readouterr().err


@pytest.mark.slow
def test_our_contestant_trains_the_given_weights():
    arrays = material.batches(SHAPE, [8, 8], 8, packing=False, updates=2) | material.weights(SHAPE)
    with Contestant("ours:training", JOB, arrays) as ours:
        first, second = ours.round(), ours.round()
    assert first["done"] == 2 * 2 * 8
    assert first["peak_bytes"] > 0
    assert second["losses"][0] < first["losses"][0]
    assert rate(first) > 0


class TestPeers:
    pytestmark = peers

    @pytest.mark.parametrize("kind", ["with_tunix:training", "with_torch:training", "with_torch:trl"])
    def test_a_peer_computes_the_same_losses(self, kind):
        arrays = material.batches(SHAPE, [16] * 4, 16, packing=False, updates=2) | material.weights(SHAPE)
        job = JOB | {"rows_at_once": 4 if kind.endswith("trl") else 2}
        both = {"ours": Contestant("ours:training", job, arrays), "theirs": Contestant(kind, job, arrays)}
        (made,) = rows("train", "tokens/s", take_turns(both, rounds=1))
        assert made.reason is None
        assert made.same.startswith("yes")

    @pytest.mark.parametrize("kind", ["with_tunix:generation", "with_torch:generation"])
    def test_a_peer_writes_the_same_answers(self, kind):
        asked = material.prompts(SHAPE, 3, 4, 9)
        job = JOB | {"prompts": asked, "max_new_tokens": 8, "stop_id": 64, "static": False}
        weights = material.talkative_weights(SHAPE)
        both = {"ours": Contestant("ours:generation", job, weights), "theirs": Contestant(kind, job, weights)}
        (made,) = rows("generate", "tokens/s", take_turns(both, rounds=1))
        assert made.same == "yes: 3 of 3 answers equal"
