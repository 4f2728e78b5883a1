"""Random faults, several at a time, on PostgreSQL and Redis: `python -m tests.faults.torture --seed N --rounds 20`.

A round launches runs, breaks things at random moments, puts them together again and waits until every run has ended.
Exit 1 when anything is true of a run that must not be; the same seed breaks the same things in the same order.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.installation import Installation, installation, parent_of, signal_group
from tests.faults.invariants import FINAL, violations
from tests.stack import eventually

WORKERS = ("one", "two", "three")
RUNS, FAULTS = 4, 3  # a round
END_SECONDS = 180


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--many", type=int, default=0, help="then so many short runs, with a flush and three kills")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance, table, bad = random.Random(options.seed), Table(), []
    with installation("services") as place:
        for number in range(1, options.rounds + 1):
            bad += one_round(place, chance, table, number)
        if options.many:
            place.work_force(*WORKERS, "four")
            print(many_runs(place, options.many), flush=True)
    print(table)
    print("\n".join(bad) or f"seed {options.seed}: no violation in {options.rounds} rounds")
    return 1 if bad else 0


def one_round(place: Installation, chance: random.Random, table: "Table", number: int) -> list[str]:
    """What was found to be untrue at the end of the round."""
    place.work_force(*WORKERS)
    run_ids = [place.launch(steps=chance.randint(10, 30), pace=chance.choice([0.1, 0.25])) for _ in range(RUNS)]
    names = [chance.choice(list(DEEDS)) for _ in range(FAULTS)]
    for name in names:
        time.sleep(chance.uniform(0, 3))
        with contextlib.suppress(OSError, LookupError):  # its victim was gone already
            DEEDS[name](place, chance, chance.choice(run_ids))
    time.sleep(chance.uniform(0, 5))
    mend(place)
    with contextlib.suppress(AssertionError):
        eventually(lambda: all(place.status(run_id) in FINAL for run_id in run_ids), END_SECONDS, "all runs end")
    ends, bad = [], []
    for run_id in run_ids:
        with contextlib.suppress(AssertionError):
            eventually(lambda run_id=run_id: not violations(place.look(run_id), place.home), 3, "all is well")
        seen = place.look(run_id)
        ends.append(seen["status"])
        bad += [f"round {number}, {', '.join(names)}: run {run_id}: {each}" for each in violations(seen, place.home)]
    table.note(names, ends, len(bad))
    print(f"round {number}: {', '.join(names)}: {dict(Counter(ends))}{' VIOLATED' if bad else ''}", flush=True)
    return bad


def mend(place: Installation) -> None:
    """Starts what is gone, lets go what is frozen."""
    place.redis.process.send_signal(signal.SIGCONT)
    if not place.redis.answers():
        place.redis.kill()
        place.redis.start()
    place.postgres.start()
    for process in place.processes.values():
        if process.poll() is None:
            signal_group(process.pid, signal.SIGCONT)
    place.work_force(*WORKERS)


class Table:
    """What was done how often, and how the runs that were there ended."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter] = {}

    def note(self, names: list[str], ends: list[str], bad: int) -> None:
        for name in names:
            row = self.rows.setdefault(name, Counter())
            row.update(ends)
            row.update(times=1, violations=bad)

    def __str__(self) -> str:
        columns = ("times", "completed", "cancelled", "training_failed", "evaluation_failed", "violations")
        lines = [f"| fault | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for name, row in sorted(self.rows.items()):
            lines.append(f"| {name} | {' | '.join(str(row[column]) for column in columns)} |")
        return "\n".join(lines)


def many_runs(place: Installation, count: int) -> str:
    """Many short runs at once; the broker is flushed once and a worker killed three times on the way."""
    began = time.monotonic()
    seeds = [next(place.seeds) for _ in range(count)]
    for seed in seeds:
        place.fate(seed, pace=0)
    run_ids = place.tell(f"[looking.launch('chain-v1', seed, 4, 2) for seed in {seeds}]")
    statuses = f"list(runs.Run.objects.filter(pk__in={run_ids}).values_list('status', flat=True))"

    def ended() -> int:
        return sum(status in FINAL for status in place.tell(statuses))

    for part, deed in enumerate(("one", "flush", "two", "three"), start=1):
        eventually(lambda part=part: ended() >= count * part // 6, 600, f"{part} sixths have ended")
        if deed == "flush":
            place.redis.client().flushall()
        else:
            place.kill(deed)
            place.start_worker(deed)
    eventually(lambda: ended() == count, 600, "all have ended")
    for run_id in run_ids:
        place.completed(run_id)
    return f"{count} runs completed, each once, in {time.monotonic() - began:.0f} s"


def kill_worker(place: Installation, chance: random.Random, run_id: str) -> None:
    place.kill(chance.choice(WORKERS))


def kill_main_process(place: Installation, chance: random.Random, run_id: str) -> None:
    place.leave(chance.choice(WORKERS)).kill()


def kill_pool_child(place: Installation, chance: random.Random, run_id: str) -> None:
    main = place.processes[chance.choice(WORKERS)].pid
    children = [int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(int(path.name)) == main]
    os.kill(chance.choice(children), signal.SIGKILL)


def kill_trainer(place: Installation, chance: random.Random, run_id: str) -> None:
    os.kill(place.trainer(run_id), signal.SIGKILL)


def freeze_trainer(place: Installation, chance: random.Random, run_id: str) -> None:
    os.kill(place.trainer(run_id), signal.SIGSTOP)


def freeze_worker(place: Installation, chance: random.Random, run_id: str) -> None:
    """Longer than its lease, with its trainer."""
    signal_group(place.processes[chance.choice(WORKERS)].pid, signal.SIGSTOP)
    time.sleep(6)


def terminate_worker(place: Installation, chance: random.Random, run_id: str) -> None:
    place.leave(chance.choice(WORKERS)).terminate()


def quit_worker(place: Installation, chance: random.Random, run_id: str) -> None:
    place.leave(chance.choice(WORKERS)).send_signal(signal.SIGQUIT)


def kill_sweeper(place: Installation, chance: random.Random, run_id: str) -> None:
    place.kill("sweeper")


def flush_broker(place: Installation, chance: random.Random, run_id: str) -> None:
    if place.redis.answers():
        place.redis.client().flushall()


def kill_broker(place: Installation, chance: random.Random, run_id: str) -> None:
    place.redis.kill()


def freeze_broker(place: Installation, chance: random.Random, run_id: str) -> None:
    place.redis.process.send_signal(signal.SIGSTOP)


def crash_database(place: Installation, chance: random.Random, run_id: str) -> None:
    if place.postgres.answers():
        place.postgres.stop()
    time.sleep(chance.uniform(0, 7))
    place.postgres.start()


def cancel(place: Installation, chance: random.Random, run_id: str) -> None:
    if place.postgres.answers():
        place.cancel(run_id)


def ring_thrice(place: Installation, chance: random.Random, run_id: str) -> None:
    if place.postgres.answers() and place.redis.answers():
        place.tell(f"[work.ring(jobs.Job.objects.for_target({run_id!r}).first()) for _ in range(3)]")


def rot_a_bit(place: Installation, chance: random.Random, run_id: str) -> None:
    """In the newest checkpoint, whose trainer is then killed."""
    steps = sorted(place.directory(run_id).glob("checkpoints/[0-9]*"), key=lambda path: int(path.name))
    state = steps[-1] / "state.json"
    data = bytearray(state.read_bytes())
    data[chance.randrange(len(data))] ^= 1
    state.write_bytes(data)
    os.kill(place.trainer(run_id), signal.SIGKILL)


DEEDS: dict[str, Callable[[Installation, random.Random, str], None]] = {
    deed.__name__.replace("_", " "): deed
    for deed in (
        kill_worker,
        kill_main_process,
        kill_pool_child,
        kill_trainer,
        freeze_trainer,
        freeze_worker,
        terminate_worker,
        quit_worker,
        kill_sweeper,
        flush_broker,
        kill_broker,
        freeze_broker,
        crash_database,
        cancel,
        ring_thrice,
        rot_a_bit,
    )
}

if __name__ == "__main__":
    sys.exit(main())
