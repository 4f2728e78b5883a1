import signal
import socket
import time

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from tunixrt.lib.commands import WRONG_USE
from tunixrt.people import first_admin
from tunixrt.processes import Fleet, web, workers_and_sweeper


class Command(BaseCommand):
    help = "Serves the pages and starts the workers and the sweeper: everything on this machine. Ctrl-C stops it."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to serve on (default 127.0.0.1).")
        parser.add_argument("--port", type=int, default=8000, help="Port to serve on (default 8000).")

    def handle(self, *, host: str, port: int, **options) -> None:
        if not 1 <= port <= 65535:
            raise CommandError(f"--port {port}: must lie between 1 and 65535", returncode=WRONG_USE)
        if taken(host, port):
            raise CommandError(f"Port {port} on {host} is taken. Give another one: manage.py up --port {port + 1}")
        call_command("migrate", verbosity=0)
        password = first_admin()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's stop is a person's Ctrl-C
        with Fleet({"web": web(f"{host}:{port}"), **workers_and_sweeper()}) as fleet:
            self.stdout.write(
                f"tunixrt is at http://{host}:{port}/  (Ctrl-C stops it; logs: {fleet.log('web').parent})"
            )
            if password:
                self.stdout.write(f"Sign in as admin with this password, shown once: {password}")
            try:
                while True:
                    time.sleep(0.5)
                    for line in fleet.mend():
                        self.stderr.write(line)
            except KeyboardInterrupt:
                self.stdout.write("\nStopping: a run in training seals a checkpoint first and goes on next time.")


def taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
