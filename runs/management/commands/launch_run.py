from collections.abc import Iterable
from pathlib import Path

from runs import services
from training.config import CONFIGS, load_config
from training.errors import Fault, Invalid, echo
from tunixrt.lib.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Launches a run on a frozen dataset. A worker trains and examines it; list_runs shows how far it is."

    def add_options(self, parser) -> None:
        parser.add_argument("--dataset", required=True, metavar="KEY")
        names = ", ".join(CONFIGS)
        parser.add_argument("--config", required=True, help=f"a YAML or JSON file, or one of: {names}")
        parser.add_argument("--seed", type=int, help="drawn and recorded when not given")
        parser.add_argument("--engine", default="jax", help="jax, or tunix where Tunix is installed: docs/tunix.md")
        parser.add_argument("--name", default="")
        parser.add_argument("--evalset", metavar="ID", help="the dataset's test split when not given")
        parser.add_argument("--dry-run", action="store_true", help="print the plan and store nothing")

    def run(self, *, dataset, config, seed, engine, name, evalset, dry_run, **options) -> dict:
        request = {
            "dataset_key": dataset,
            "config": None if config in CONFIGS else read_config(config),
            "config_name": config if config in CONFIGS else None,
            "seed": seed,
            "engine": engine,
        }
        if dry_run:
            return services.plan_run(**request).to_dict()
        chosen = services.find_evalset(evalset) if evalset else None
        return services.launch_run(**request, name=name, evalset=chosen).to_dict()

    def show(self, result: dict) -> Iterable[str]:
        if "id" not in result:
            return super().show(result)
        return [f"{result['id']}  {result['name']} is {result['status']}."]


def read_config(path: str) -> dict:
    try:
        return load_config(Path(path)).to_dict()
    except OSError:
        msg = f"{echo(path)} is no file that can be read, and none of {', '.join(CONFIGS)}"
        raise Invalid(Fault(("config",), msg, "unknown_value"))
