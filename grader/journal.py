"""What a run has done so far, on disk: a run that was cut short goes on where it stopped.

One small file a submission, `gradebook/journal/STUDENT/UNIT.json`; once the gradebook has its verdict it is renamed
to `UNIT.recorded.json`.
"""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path


class Journal:
    """The outcomes of a run's examined submissions, as JSON. An entry counts only for the work that it came from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, unit: str, student: str) -> bool:
        """Whether there is an entry, for whatever work."""
        return any(path.exists() for path in self._paths(unit, student))

    def outcome(self, unit: str, student: str, key: str) -> str | None:
        """The outcome of the work that `key` names, as it was kept; None where there is none."""
        for path in self._paths(unit, student):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads(path.read_text(encoding="utf-8"))
                if found["key"] == key:
                    return str(found["outcome"])
        return None

    def recorded(self, unit: str, student: str) -> bool:
        """Whether the entry's verdict is in the gradebook."""
        return self._paths(unit, student)[1].exists()

    def keep(self, unit: str, student: str, key: str, outcome: str) -> None:
        """Write an entry: whole or not at all, whenever this process or the machine ends."""
        path, recorded = self._paths(unit, student)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{secrets.token_hex(8)}.new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump({"key": key, "outcome": outcome}, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            recorded.unlink(missing_ok=True)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)

    def mark_recorded(self, unit: str, student: str) -> None:
        """The gradebook has it. Takes no room on the disk."""
        path, recorded = self._paths(unit, student)
        path.replace(recorded)

    def forget(self, unit: str, student: str) -> None:
        """Remove an entry, and the folders that it leaves empty."""
        for path in self._paths(unit, student):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            (self.folder / student).rmdir()
            self.folder.rmdir()

    def _paths(self, unit: str, student: str) -> tuple[Path, Path]:
        folder = self.folder / student
        return folder / f"{unit}.json", folder / f"{unit}.recorded.json"
