"""A Redis and a PostgreSQL of a test's own, which it may stop, freeze, fill and empty. Only they are ever signalled."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from tests.stack import eventually

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    def __init__(self, directory: Path):
        self.directory, self.port = directory, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self, *options: str) -> None:
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        log = (self.directory / "redis.log").open("ab")
        self.process = subprocess.Popen([*argv, "--dir", str(self.directory), *options], stdout=log, stderr=log)
        log.close()
        eventually(self.answers, 20, "Redis answers")

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return self.client().ping()
        return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


class Postgres:
    """Root must lend it to another user, who then needs a way to `directory`."""

    def __init__(self, directory: Path):
        self.directory, self.port = directory / "pg", free_port()
        # Tests wait less for a lock than people do (tunixrt.settings).
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres?options=-c%20lock_timeout%3D4000"
        self.directory.mkdir()
        self.as_owner = [] if os.getuid() else ["runuser", "-u", "postgres", "--"]
        if self.as_owner:
            shutil.chown(self.directory, "postgres")
        self._call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Starts it, or leaves it when it runs."""
        if self.answers():
            return
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory}"
        options += " -c fsync=off -c max_connections=60"
        self._call("pg_ctl", "-w", "-l", str(self.directory / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As a crash: nobody is told, nothing is finished."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def _call(self, program: str, *arguments: str) -> None:
        argv = [*self.as_owner, str(BINARIES[-1] / program), "-D", str(self.directory), *arguments]
        subprocess.run(argv, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
