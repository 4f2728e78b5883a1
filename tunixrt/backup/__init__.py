"""One archive holds an installation: its database and its files, with the checksum of each.

Not in it: weights and caches (they can be fetched or made again), logs, and `secret_key`: a backup lies in more places
than a home does, so a restored installation draws its own, people sign in again, and their tokens stay good.
"""

from tunixrt.backup.restoring import restore
from tunixrt.backup.writing import backup

__all__ = ["backup", "restore"]
