"""What the faces ask of long work."""

import uuid
from collections.abc import Callable

from django.db import IntegrityError, transaction

from training.canonical import canonical_json, sha256_hex
from training.errors import Fault, Invalid
from tunixrt.jobs.models import Once
from tunixrt.lib.errors import Conflict

MAX_KEY = 200


def once(*, user, key: str | None, request: object, create: Callable[[], uuid.UUID]) -> tuple[uuid.UUID, bool]:
    """Runs `create` unless this user sent this `Idempotency-Key` before. Returns (target, whether it is new).

    Raises Conflict when the key was used for a different request, Invalid when it is too long. Two requests at the
    same moment: the database lets one in, the other finds its result.
    """
    if not key:
        return create(), True
    if len(key) > MAX_KEY:
        message = f"is {len(key)} characters long; at most {MAX_KEY} are allowed"
        raise Invalid(Fault(("Idempotency-Key",), message, "too_long"))
    fingerprint = sha256_hex(canonical_json(request))
    try:
        with transaction.atomic():
            row = Once.objects.create(user=user, key=key, fingerprint=fingerprint, target=uuid.UUID(int=0))
            row.target = create()
            row.save(update_fields=["target"])
            return row.target, True
    except IntegrityError:
        earlier = Once.objects.filter(user=user, key=key).first()
        if earlier is None:
            raise
    if earlier.fingerprint != fingerprint:
        raise Conflict("This Idempotency-Key was used for a different request. Send a new key.", code="key_reused")
    return earlier.target, False
