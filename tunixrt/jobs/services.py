"""What the faces ask of long work."""

import uuid
from collections.abc import Callable

from django.db import IntegrityError, transaction

from training.canonical import canonical_json, sha256_hex
from tunixrt.jobs.models import Once
from tunixrt.lib.errors import Conflict


def once(*, user, key: str | None, request: object, create: Callable[[], uuid.UUID]) -> tuple[uuid.UUID, bool]:
    """Runs `create` unless this user sent this `Idempotency-Key` before. Returns (target, whether it is new).

    Raises Conflict when the key was used for a different request. Two requests at the same moment: the
    database lets one in, the other finds its result.
    """
    if not key:
        return create(), True
    fingerprint = sha256_hex(canonical_json(request))
    try:
        with transaction.atomic():
            row = Once.objects.create(user=user, key=key[:200], fingerprint=fingerprint, target=uuid.UUID(int=0))
            row.target = create()
            row.save(update_fields=["target"])
            return row.target, True
    except IntegrityError:
        earlier = Once.objects.filter(user=user, key=key[:200]).first()
        if earlier is None:
            raise
    if earlier.fingerprint != fingerprint:
        raise Conflict("This Idempotency-Key was used for a different request. Send a new key.", code="key_reused")
    return earlier.target, False
