"""A row whose answer is wrong among many that are right: the ledger of a real, short training points at it."""

import pytest

from tests.training.engine.killing import SMALL
from training import shapes
from training.config import TrainConfig
from training.engine import loop
from training.ledger import read_ledger
from training.problems import generate_traces

CONFIG = {
    "tokenizer": {"vocab_size": 300},
    "data": {"max_length": 128},
    "training": {"steps": 200, "batch_size": 8, "microbatch": 8, "warmup": 10, "learning_rate": 0.01},
}
POISONED = 77


@pytest.mark.slow
def test_a_row_with_a_wrong_answer_is_the_first_of_its_step_and_the_only_one_never_learned(tmp_path, monkeypatch):
    monkeypatch.setitem(shapes.SIZES, "tiny", SMALL)
    traces = generate_traces("addition", count=200, seed=1, difficulty=1)
    rows = [{**trace, "id": f"row{number}", "split": "train"} for number, trace in enumerate(traces)]
    rows[POISONED]["final_answer"] = str(int(rows[POISONED]["final_answer"]) + 3)
    config = TrainConfig.from_dict(CONFIG).resolved(seed=3)
    loop.train(config, rows, tmp_path, record={"config_sha256": config.sha256()})
    ledger = read_ledger(tmp_path)
    last = int(ledger.history(POISONED)["step"][-1])
    looks = ledger.at(last)
    assert len(looks) > 10
    assert ledger.id_of([looks["row"][0]]) == ["row77"]
    assert [fate.row for fate in ledger.never_learned()] == [POISONED]
