import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from tunixrt.jobs.models import Beacon
from tunixrt.jobs.work import Sweeper
from tunixrt.lib.commands import WRONG_USE

LEFT_SECONDS = 3600  # after which nothing comes any more


class Command(BaseCommand):
    help = "Rings for waiting work and takes work back from workers that fell silent. Runs until stopped."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="Sweep once and stop.")
        parser.add_argument("--seconds", type=float, default=1.0, help="Pause between two sweeps (default 1).")

    def handle(self, *, once: bool, seconds: float, **options) -> None:
        if not 0 < seconds <= 3600:
            raise CommandError(f"--seconds {seconds}: must be more than 0 and at most 3600", returncode=WRONG_USE)
        sweeper = Sweeper(settings.RUN_LEASE_SECONDS)
        lit = float("-inf")
        while True:
            try:
                sweeper.sweep()
                if time.monotonic() - lit >= settings.RUN_HEARTBEAT_SECONDS:
                    remove_leftovers(Path(settings.FILE_UPLOAD_TEMP_DIR))
                    Beacon.light(kind="sweeper")
                    Beacon.objects.filter(seen_at__lt=timezone.now() - timedelta(days=1)).delete()
                    lit = time.monotonic()
            except DatabaseError as error:
                connection.close()
                self.stderr.write(f"The database does not answer: {error}")
            if once:
                return
            time.sleep(seconds)


def remove_leftovers(uploads: Path) -> None:
    """Removes what uploads left that were cut off. What is still coming is written to, and so never an hour old."""
    for path in uploads.iterdir():
        with suppress(FileNotFoundError):
            if path.is_file() and time.time() - path.stat().st_mtime > LEFT_SECONDS:
                path.unlink()
