"""The cache of compiled programs: bounded, and no obstacle when a process was killed while it wrote to it."""

import os
import subprocess
import sys
from pathlib import Path

from training.engine.runtime import make_room

ROOT = Path(__file__).parents[3]
COMPILING = """
from training.engine.runtime import start_jax
start_jax("cpu")
import jax
print(jax.jit(lambda x: x * 3 + 1)(13.0))
"""


def program(path: Path, size: int, used: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


def test_what_was_not_used_for_longest_goes_first_whichever_compiler_made_it(tmp_path):
    old = program(tmp_path / "jaxlib-1" / "a", 40, used=100)
    middle = program(tmp_path / "jaxlib-2" / "b", 40, used=200)
    new = program(tmp_path / "jaxlib-2" / "c", 40, used=300)
    make_room(tmp_path, 120)
    assert [path.exists() for path in (old, middle, new)] == [True, True, True]
    make_room(tmp_path, 100)
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]
    os.utime(middle, (400, 200))  # read again, and so the last one used
    make_room(tmp_path, 40)
    assert [path.exists() for path in (middle, new)] == [True, False]


def test_a_torn_program_is_compiled_anew(tmp_path):
    def run() -> str:
        environment = os.environ | {"TUNIXRT_HOME": str(tmp_path)}
        command = [sys.executable, "-c", COMPILING]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True).stdout

    assert run() == "40.0\n"
    programs = list((tmp_path / "compile_cache").rglob("*-cache"))
    assert programs
    for path in programs:
        path.write_bytes(path.read_bytes()[:-20])
    assert run() == "40.0\n"
