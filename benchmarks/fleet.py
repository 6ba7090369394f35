"""How far one coordinator goes: submissions a minute for 1 and 2 workers, its own ceiling, and larger fleets simulated.

`python -m benchmarks.fleet [--students 24] [--unit 00_start] [--rounds 2]`; its last line is one JSON object.

1. The same class is graded by a cluster of one worker and by one of two, in turns, so that both meet the same machine;
   what a worker needs to start is left out.
2. The coordinator alone: the same class by workers that answer at once with outcomes that were recorded. What is left
   is taking in, sending, the journal, and nbgrader's writing to SQLite and to PostgreSQL (where its server is here).
3. 10, 100 and 1000 workers, simulated with the recorded times: each is busy for one of the times that examining took,
   and waits where as many submissions are under way or unwritten as the coordinator lets be.
"""

import argparse
import heapq
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from distributed import Client, LocalCluster
from rich.console import Console
from rich.table import Table

from benchmarks.grading import SEED, make_course, submissions
from grader import fleet
from grader.course import load_unit
from grader.fleet import LEAST_IN_FLIGHT
from grader.gradebook import hand_in
from grader.grading import Settings, grade_class, handed_in
from grader.release import release
from grader.work import Work, examine, files_beside, fingerprint
from tests import postgres

FLEETS = (10, 100, 1000)


@contextmanager
def workers(count: int) -> Iterator[Client]:
    """A cluster of so many workers on this machine."""
    with (
        LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def graded(root: Path, client: Client, students: list[str], unit: str) -> float:
    """Seconds that a class takes from the first submission taken in to the last verdict written."""
    settings = Settings(scheduler=client.scheduler.address, unsafe=True)
    began = time.perf_counter()
    found = grade_class(root, [(unit, student) for student in students], settings)
    seconds = time.perf_counter() - began
    assert all(one.has_verdict for one in found)
    return seconds


def examining(root: Path, unit: str, client: Client) -> tuple[list[float], str]:
    """The seconds that each submission takes one worker, and the first one's outcome. Warms every worker up before."""
    texts = []
    for _, student in handed_in(root, [unit], []):
        folder = root / "gradebook" / "intake" / student / unit
        work = Work(
            notebook=(folder / f"{unit}.ipynb").read_text(encoding="utf-8"), files=files_beside(folder),
            unit=load_unit(root, unit).to_plain(), seed=SEED, unsafe=True, cell_seconds=60.0, notebook_seconds=900.0,
            grader=fingerprint(),
        )  # fmt: skip
        texts.append(work.to_json())
    seconds, outcome = [], ""
    for text in texts:
        began = time.perf_counter()
        found = client.submit(examine, text, pure=False).result()
        seconds.append(time.perf_counter() - began)
        outcome = outcome or found
    return seconds, outcome


def warmed(client: Client, root: Path, unit: str, students: list[str]) -> None:
    """Have every worker examine something."""
    graded(root, client, students[: 4 * len(client.nthreads())], unit)


def ceiling(root: Path, client: Client, students: list[str], unit: str, outcome: str) -> tuple[float, float]:
    """Verdicts a second that the coordinator writes where workers answer at once, and its processor's seconds for one.

    The second hardly depends on what else the machine does; it leaves out waiting for disk and database.
    """

    def at_once(_text: str) -> str:
        return outcome

    with mock.patch.object(fleet, "task", lambda: at_once):
        before = time.process_time()
        rate = len(students) / graded(root, client, students, unit)
        return rate, (time.process_time() - before) / len(students)


def simulated(count: int, seconds: list[float], write: float, submitted: int) -> dict:
    """A fleet of `count` workers, whose coordinator spends `write` seconds on each verdict."""
    draw = random.Random(1)  # noqa: S311  (a simulation)
    most = max(LEAST_IN_FLIGHT, 2 * count)
    busy: list[float] = []  # when those who work end
    now = coordinator = worked = 0.0
    finished: list[float] = []  # when their verdicts are written, in order
    begun = written = 0
    while written < submitted:
        while begun < submitted and len(busy) < count and begun - written < most:
            took = draw.choice(seconds)
            worked += took
            heapq.heappush(busy, now + took)
            begun += 1
        if busy and (not finished or busy[0] <= finished[0]):
            now = heapq.heappop(busy)
            coordinator = max(coordinator, now) + write
            finished.append(coordinator)
        else:
            now = max(now, finished.pop(0))
            written += 1
    return {
        "workers": count,
        "a_minute": round(60 * submitted / now),
        "efficiency": round(worked / (count * now), 3),
        "coordinator_busy": round(submitted * write / now, 3),
    }


def main() -> None:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--unit", default="00_start")
    asked = parser.parse_args()
    console = Console(stderr=True)
    os.environ["GRADER_SEED"] = SEED
    with tempfile.TemporaryDirectory(prefix="sori-benchmark-") as place, ExitStack() as stack:
        root = make_course(Path(place) / "course", asked.unit, plain=False)
        handed = submissions(root, asked.unit, asked.students, asked.rounds)
        for student, text in handed.items():
            hand_in(root, asked.unit, student, text)
        students = list(handed)
        clients = {count: stack.enter_context(workers(count)) for count in (1, 2)}
        for client in clients.values():
            warmed(client, root, asked.unit, students)
        spent = {1: 0.0, 2: 0.0}
        for number in range(asked.rounds):
            share = students[number :: asked.rounds]
            for count, client in clients.items():
                seconds = graded(root, client, share, asked.unit)
                spent[count] += seconds
                console.print(f"round {number + 1}: {count} workers, {60 * len(share) / seconds:.1f} a minute")
        seconds, outcome = examining(root, asked.unit, clients[1])
        console.print(f"examining one: {statistics.mean(seconds):.2f} s")
        ceilings = {"SQLite": ceiling(root, clients[1], students, asked.unit, outcome)}
        if postgres.programs():
            server = stack.enter_context(postgres.server(safe=True))
            with mock.patch.dict(os.environ, GRADER_DB_URL=server.url):
                release(root)
                ceilings["PostgreSQL"] = ceiling(root, clients[1], students, asked.unit, outcome)
    for name, (rate, processor) in ceilings.items():
        console.print(f"{name}: {rate:.2f} verdicts a second, {processor:.3f} s of the processor for each")
    writes = {name: rate for name, (rate, _) in ceilings.items()}
    a_minute = {count: 60 * len(students) / seconds for count, seconds in spent.items()}
    fleets = {
        name: [simulated(count, seconds, 1 / rate, max(2000, 20 * count)) for count in FLEETS]
        for name, rate in writes.items()
    }
    report = {
        "unit": asked.unit,
        "submissions": len(students),
        "a_minute": {str(count): round(rate, 1) for count, rate in a_minute.items()},
        "efficiency_of_2": round(a_minute[2] / a_minute[1] / 2, 3),
        "examining_seconds": {"mean": round(statistics.mean(seconds), 3), "most": round(max(seconds), 3)},
        "verdicts_a_second": {name: round(rate, 2) for name, rate in writes.items()},
        "processor_seconds_a_verdict": {name: round(processor, 4) for name, (_, processor) in ceilings.items()},
        "load_average": round(os.getloadavg()[0], 1),
        "coordinator_is_the_limit_at_workers": {
            name: round(statistics.mean(seconds) * rate) for name, rate in writes.items()
        },
        "simulated": fleets,
    }
    console.print(_table(asked.unit, fleets))
    print(json.dumps(report))


def _table(unit: str, fleets: dict[str, list[dict]]) -> Table:
    table = Table(title=f"{unit}: fleets, simulated with the times measured here")
    for heading in ("Gradebook", "Workers", "Submissions a minute", "Workers busy", "Coordinator busy"):
        table.add_column(heading, justify="left" if heading == "Gradebook" else "right")
    for name, rows in fleets.items():
        for row in rows:
            shares = (f"{row['efficiency']:.0%}", f"{row['coordinator_busy']:.0%}")
            table.add_row(name, str(row["workers"]), str(row["a_minute"]), *shares)
    return table


if __name__ == "__main__":
    main()
