import pytest

from tests.training.engine.models import SMALL_SHAPE, batch_of, random_rows
from training.config import TrainConfig
from training.engine.microbatch import Cost, Trials, best, choose, tried
from training.engine.model import init_params
from training.engine.step import init_state, make_optimizer, make_train_step

SIZES = [1, 2, 4, 8, 16]
LONG = 10**9  # updates: whatever a trial costs


def costs(*seconds: float, trial: float = 1.0):
    """What an update takes by size, looked up."""
    return lambda size: Cost(dict(zip(SIZES, seconds, strict=False))[size], trial)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("seconds", "sizes", "fastest"),
    [
        ([1.4, 1.0, 1.1], [2, 4, 1], 2),
        ([9.0, 1.0, 0.8, 0.7, 0.75], [2, 4, 8, 16], 8),
        ([9.0, 1.0, 0.8, 0.7, 0.5], [2, 4, 8, 16], 16),
        ([0.9, 1.0, 1.1], [2, 4, 1], 1),
        ([0.99, 1.0, 0.99], [2, 4, 1], 1),  # a tie goes to the smaller
    ],
)
def test_sizes_are_tried_from_two_on_for_as_long_as_they_gain(seconds, sizes, fastest):
    found = tried(costs(*seconds), SIZES, LONG)
    assert (list(found), best(found)) == (sizes, fastest)


def test_what_does_not_fit_is_not_tried():
    assert list(tried(costs(9.0, 1.0, 0.5), [1, 2], LONG)) == [2, 1]


@pytest.mark.parametrize(("updates", "trials"), [(9_900, 1), (10_100, 2), (14_900, 2), (15_100, 3)])
def test_trials_take_no_more_than_their_share_of_the_run(updates, trials):
    # Updates of a second, trials of a hundred: 10 000 updates leave 200 seconds for all of them.
    assert len(tried(costs(9.0, 1.0, 1.0, trial=100.0), SIZES, updates)) == trials


def config(**training) -> TrainConfig:
    return TrainConfig.from_dict({"training": {"steps": 1, "batch_size": 4, **training}}).resolved(seed=1)


def trials(asked: list[int]) -> Trials:
    """Real updates of a small model; the sizes that were asked for are noted."""
    optimizer = make_optimizer(config().training, 10)

    def step_of(size: int):
        asked.append(size)
        return make_train_step(SMALL_SHAPE, optimizer, microbatch=size)

    rows = batch_of([[row] for row in random_rows(SMALL_SHAPE, [9, 14, 5, 11])], 16)
    return Trials(step_of, lambda: init_state(init_params(SMALL_SHAPE, 0), optimizer), rows, None)


def test_a_short_run_takes_the_usual_size_untried():
    asked: list[int] = []
    assert choose(config(), SMALL_SHAPE, trials(asked), updates=299).microbatch == 2
    assert choose(config(batch_size=1), SMALL_SHAPE, trials(asked), updates=LONG).microbatch == 1
    assert asked == []


def test_a_long_run_times_real_updates_once_and_remembers_what_came_out():
    asked: list[int] = []
    first = choose(config(), SMALL_SHAPE, trials(asked), updates=LONG)
    assert asked[:2] == [2, 4]
    assert first.why.startswith(f"microbatch {first.microbatch}: an update took ")
    before = len(asked)
    again = choose(config(), SMALL_SHAPE, trials(asked), updates=LONG)
    assert (again.microbatch, len(asked)) == (first.microbatch, before)
    assert again.why.endswith("found out before on this machine")
