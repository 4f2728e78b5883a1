"""What an audience costs training: `python -m tests.benchmarks.viewers`.

A real run on the embedded default, its page served by gunicorn, and people who look at it as a page does: each signed
in by itself, with `If-None-Match`, backing off and heeding `Poll-Seconds`. Nobody and everybody in turn, A B A B …,
while one run trains; medians of the tokens a second of training time. The loss is at most 5 %.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.stack import Stack, eventually, stack
from training.bench.bars import Bar

CONFIG = {"training": {"steps": 100_000, "log_every": 5, "microbatch": 2}, "eval": {"every": 100_000, "samples": 0}}
BAR = Bar(1.05, 1.05, at_most=True)
LEAST, MOST, GROWTH = 2.0, 10.0, 1.5  # as in live.js


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30, help="Of each turn.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, stack(Path(directory) / "home", "embedded") as installation:
        installation.environment |= {"RUN_HEARTBEAT_SECONDS": "10", "RUN_LEASE_SECONDS": "90"}
        address, metrics = begin(installation)
        cookies = sessions(installation, options.viewers)
        polls: list[tuple[int, float]] = []
        alone, watched = [], []
        for _ in range(options.rounds):
            alone.append(speed(metrics, options.seconds))
            with Audience(address, cookies) as audience:
                time.sleep(MOST)  # until all have come
                watched.append(speed(metrics, options.seconds))
            polls += audience.polls
    ratio = median(alone) / median(watched)
    row = {"work": "training", "peer": f"{options.viewers}_viewers", "unit": "tokens/s", "ours": median(watched)}
    row |= {"theirs": median(alone), "ratio": ratio, "bar": BAR.judged(ratio), **summary(polls)}
    print(json.dumps({"rows": [row]}) if options.json else "  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def begin(installation: Stack) -> tuple[str, Path]:
    """The address of a run's polls and its metrics, once it trains."""
    installation.manage("seed_dataset", "--dataset", "golden-v2")
    (installation.home / "config.json").write_text(json.dumps(CONFIG))
    installation.start_worker()
    launch = ("launch_run", "--dataset", "golden-v2", "--config", str(installation.home / "config.json"))
    run = installation.ask(*launch)["id"]
    served = installation.start_web()
    metrics = installation.home / "artifacts" / "training_runs" / run / "metrics.jsonl"
    eventually(lambda: metrics.exists() and len(metrics.read_bytes().splitlines()) > 3, 300, "the run trains")
    return f"{served}/runs/{run}/live/", metrics


def sessions(installation: Stack, count: int) -> list[str]:
    """The session keys of as many people who are signed in."""
    backend = "django.contrib.auth.backends.ModelBackend"
    code = (
        "import json; from django.contrib.auth import *; from django.contrib.sessions.backends.db import SessionStore\n"
        "keys = []\n"
        f"for number in range({count}):\n"
        "    user = get_user_model().objects.create(username=f'viewer-{number}'); session = SessionStore()\n"
        f"    session.update({{SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: {backend!r},"
        " HASH_SESSION_KEY: user.get_session_auth_hash()})\n"
        "    session.create(); keys.append(session.session_key)\n"
        "print(json.dumps(keys))"
    )
    return json.loads(installation.manage("shell", "--no-imports", "-c", code).splitlines()[-1])


def speed(metrics: Path, seconds: float) -> float:
    """Tokens a second of training over so many seconds from now."""
    before = newest(metrics)
    time.sleep(seconds)
    after = newest(metrics)
    return (after["tokens"] - before["tokens"]) / (after["elapsed_s"] - before["elapsed_s"])


def newest(metrics: Path) -> dict:
    lines = [json.loads(line) for line in metrics.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return next(line for line in reversed(lines) if line["split"] == "train")


def summary(polls: list[tuple[int, float]]) -> dict[str, object]:
    """How many polls of each status there were, and the median wait for an answer in ms."""
    waits = {status: [1000 * wait for code, wait in polls if code == status] for status in (200, 304)}
    counts = {f"polls_{status}": len(found) for status, found in waits.items()}
    return counts | {f"ms_{status}": round(median(found), 1) for status, found in waits.items() if found}


class Audience:
    """People who look at a run, in a process of their own while the block lasts; `polls` are theirs afterwards."""

    def __init__(self, address: str, cookies: list[str]):
        self.inner, self.outer = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=watch, args=(address, cookies, self.outer), daemon=True)

    def __enter__(self) -> "Audience":
        self.process.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.inner.send("enough")
        self.polls = self.inner.recv()
        self.process.join()


def watch(address: str, cookies: list[str], pipe) -> None:
    polls: list[tuple[int, float]] = []

    async def everybody() -> None:
        looking = [
            asyncio.create_task(look(address, cookie, i / len(cookies), polls)) for i, cookie in enumerate(cookies)
        ]
        while not pipe.poll():
            await asyncio.sleep(0.2)
        for one in looking:
            one.cancel()

    asyncio.run(everybody())
    pipe.send(polls)


async def look(address: str, cookie: str, share: float, polls: list[tuple[int, float]]) -> None:
    """One page: comes at its `share` of the first seconds, and asks until it is closed."""
    url, tag, wait = urlsplit(address), "", LEAST
    await asyncio.sleep(share * MOST)
    while True:
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        lines = [f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", f"Cookie: sessionid={cookie}", "Connection: close"]
        writer.write("\r\n".join([*lines, *([f"If-None-Match: {tag}"] if tag else []), "", ""]).encode())
        head, _, _ = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        status, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        code = int(status.split()[1])
        if code not in (200, 304):
            raise RuntimeError(f"a poll was answered {status}")
        polls.append((code, time.monotonic() - begin))
        tag, wait = headers["etag"], LEAST if code == 200 else min(MOST, wait * GROWTH)
        least, most = map(float, headers["poll-seconds"].split("-"))
        await asyncio.sleep(max(least, min(wait, most)))


if __name__ == "__main__":
    sys.exit(main())
