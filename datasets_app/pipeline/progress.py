"""How far a build is: several passes over the same rows, told as one number."""

from collections.abc import Mapping

from tunixrt.jobs.models import Job


class Progress:
    """Tells a job how far its passes are. `weights` has them in order, with about how long each takes a row."""

    def __init__(self, job: Job, weights: Mapping[str, int]):
        self._job, self._weights = job, weights

    def begin(self, name: str, rows: int) -> None:
        """The pass called `name` begins, over so many rows. Raises as `Job.tick` does."""
        self._name, self._rows = name, rows
        names = list(self._weights)
        self._before = sum(self._weights[earlier] for earlier in names[: names.index(name)]) * rows
        self.tell(0)

    def tell(self, done: int) -> None:
        """So many rows have passed. Raises as `Job.tick` does."""
        total = sum(self._weights.values()) * self._rows
        message = f"{self._name}: {done:,} of {self._rows:,} rows"
        self._job.tick(self._before + self._weights[self._name] * done, total, message)
