"""What some tests need besides Python, and the sentence that says so when it is not there."""

import os
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def _own_database(redis_url: str) -> str:
    """Test processes that run side by side (pytest-xdist names them gw0, gw1, …) take the databases from there down."""
    base, number = redis_url.rsplit("/", 1)
    return f"{base}/{(int(number) - int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:])) % 16}"


ROOT = Path(__file__).resolve().parent.parent
DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = _own_database(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15"))
UNGAR_REPLAY = ROOT / "tests" / "fixtures" / "ungar_replay"  # a recording that takes the package's place
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"


@cache
def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@cache
def no_services() -> str | None:
    import psycopg
    import redis

    try:
        psycopg.connect(DATABASE_URL, connect_timeout=2).close()
        redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2).ping()
    except (psycopg.Error, redis.RedisError) as error:
        return f"PostgreSQL and Redis are not reachable (TEST_DATABASE_URL, TEST_REDIS_URL): {error}"
    return None


def no_servers() -> str | None:
    found = shutil.which("redis-server") and any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return (
        None if found else "redis-server and PostgreSQL's initdb are not installed: apt install redis-server postgresql"
    )


def no_browser() -> str | None:
    return None if chromium() else "Chromium is not installed"


def no_peers() -> str | None:
    return None if PEERS_PYTHON.exists() else "the peer libraries are not installed: `make peers`"


def no_ungar() -> str | None:
    from traces.ungar import INSTALL

    return None if find_spec("ungar") else f"UNGAR itself is not installed; a recording stands in for it: {INSTALL}"


MISSING = {"services": no_services, "servers": no_servers, "browser": no_browser, "peers": no_peers}
OPTIONAL = {"ungar": no_ungar}  # what CI may lack as well
