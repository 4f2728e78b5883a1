"""What a service says when it refuses. Every face turns these into its own words: a page, a status, an exit code."""

from collections.abc import Iterable

from training.errors import Fault


class Refused(Exception):
    """A request that was understood and not carried out. `detail` is a sentence that says what to do."""

    status = 400
    code = "refused"

    def __init__(self, detail: str, *, code: str | None = None, faults: Iterable[Fault] = ()):
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.faults = list(faults)


class NotFound(Refused):
    status, code = 404, "not_found"


class Conflict(Refused):
    """The thing is frozen, or moved on while the person looked at it."""

    status, code = 409, "conflict"


class TooLarge(Refused):
    status, code = 413, "too_large"


class Rule(Refused):
    """Valid input that breaks a rule of this installation."""

    status, code = 422, "rule"


class NotInstalled(Refused):
    """An optional part is absent; `detail` holds the line that installs it."""

    status, code = 501, "not_installed"


class Unavailable(Refused):
    """A part that is needed is missing or does not answer."""

    status, code = 503, "unavailable"


class OutOfSpace(Refused):
    status, code = 507, "disk_full"
