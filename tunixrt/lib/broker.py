"""The embedded broker: kombu's filesystem transport, made safe against half-written files.

kombu writes a message in place, so a worker can read half of one, and it dies of a file it cannot read.
Here a message is written aside and renamed, and an unreadable one is dropped: the row behind it is rung again.
"""

import os
import time
import uuid
from pathlib import Path
from queue import Empty

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

POLL_SECONDS = 0.2


class Channel(filesystem.Channel):
    def _put(self, queue: str, message: dict, **kwargs: object) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        aside = folder / f".{name}"
        aside.write_text(dumps(message))
        aside.rename(folder / name)

    def _get(self, queue: str) -> dict:  # type: ignore[override]
        for name in sorted(os.listdir(self.data_folder_in)):
            if not name.startswith(".") and name.partition(".")[2] == f"{queue}.msg":
                taken = Path(self.data_folder_in) / f".{name}.{uuid.uuid4()}"
                try:
                    (Path(self.data_folder_in) / name).rename(taken)  # of several workers one succeeds
                    text = taken.read_text()
                    taken.unlink()
                    return loads(text)
                except (OSError, ValueError):
                    taken.unlink(missing_ok=True)
        raise Empty


class Transport(filesystem.Transport):
    Channel = Channel
    polling_interval = POLL_SECONDS
    driver_type = "filesystem"
    driver_name = "filesystem"
