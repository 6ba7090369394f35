"""A PostgreSQL server of a test's own: no network, gone when the test ends."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Whom the server runs as where the tests run as root: it refuses root.
NOBODY = 65534


def programs() -> Path | None:
    """The folder of the server's programs: on PATH, or where Debian and Ubuntu put them."""
    found = shutil.which("initdb")
    here = [Path(found).resolve().parent] if found else []
    here += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in here if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


class Server:
    """A server whose data and socket lie in `folder`; the same data each time it is started."""

    def __init__(self, folder: Path, *, safe: bool) -> None:
        self.folder = folder
        self.safe = safe

    @property
    def url(self) -> str:
        """What nbgrader's `db_url` says."""
        return f"postgresql+psycopg://grader@/postgres?host={self.folder}"

    def make(self) -> None:
        self._run("initdb", "-U", "grader", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D", self._data)

    def start(self) -> None:
        sync = "on" if self.safe else "off"
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync={sync}"
        self._run("pg_ctl", "-w", "-D", self._data, "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        """As a crash would: connections break off."""
        self._run("pg_ctl", "-w", "-D", self._data, "-m", "immediate", "stop")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        place = programs()
        assert place is not None
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        run = subprocess.run(
            [str(place / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server keeps it open
            stderr=subprocess.DEVNULL,
            timeout=120,
            **who,
        )
        if run.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {log.read_text()[-1000:] if log.exists() else run.returncode}")


@contextmanager
def server(*, safe: bool = False) -> Iterator[Server]:
    """A running server; `safe` writes through to the disk, as one does that is relied on."""
    with tempfile.TemporaryDirectory(prefix="sori-postgres-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        found = Server(folder, safe=safe)
        found.make()
        found.start()
        try:
            yield found
        finally:
            found.stop()
