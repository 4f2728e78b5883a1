import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from tunixrt.jobs.models import Beacon
from tunixrt.jobs.work import Sweeper


class Command(BaseCommand):
    help = "Rings for waiting work and takes work back from workers that fell silent. Runs until stopped."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="Sweep once and stop.")
        parser.add_argument("--seconds", type=float, default=1.0, help="Pause between two sweeps (default 1).")

    def handle(self, *, once: bool, seconds: float, **options) -> None:
        sweeper = Sweeper(settings.RUN_LEASE_SECONDS)
        while True:
            try:
                sweeper.sweep()
                Beacon.light(kind="sweeper")
            except DatabaseError as error:
                connection.close()
                self.stderr.write(f"The database does not answer: {error}")
            if once:
                return
            time.sleep(seconds)
