import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted(f"training.{path.stem}" for path in (ROOT / "training").glob("*.py") if path.stem != "__init__")
CHECK = f"""
import sys
sys.modules["django"] = None  # as if it were not installed
for name in {MODULES}:
    __import__(name)
print(*sorted({{"jax", "jaxlib", "flax", "orbax"}} & set(sys.modules)))
"""


def test_nothing_at_the_top_of_training_needs_django_or_loads_jax():
    process = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == []
