"""Many submissions at once, on `dask.distributed`: workers on this machine, or a cluster that others run.

Scheduler and workers are trusted (Dask sends them code as pickles); students' kernels are not, and what comes from
them reaches a worker, and from there this process, as JSON only.
"""

import logging
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

from grader.course import CourseError
from grader.work import Work, examine

if TYPE_CHECKING:
    from distributed import Client, Future

#: How often one submission may end the process that examines it before it is set aside.
DEATHS = 3
#: Submissions that are with the cluster at once: two for each thread of a worker, and never less than this, so that
#: a cluster that grows with what waits has a reason to grow.
LEAST_IN_FLIGHT = 64
#: How often an examination that raised an exception (a full disk, no memory) is tried again, maybe elsewhere.
RETRIES = 2
#: Seconds that a scheduler may be away.
PATIENCE = 600.0
#: Seconds that fetching one outcome may take before it is asked for anew, and between two counts of the workers.
_FETCH, _COUNT_EVERY = 60.0, 5.0

Tag = TypeVar("Tag")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Unexamined:
    """Why a submission has no outcome."""

    why: str


def cores() -> int:
    """How many processes this machine runs at once; in a container, this container."""
    from dask.system import CPU_COUNT

    return CPU_COUNT


@contextmanager
def local_cluster(workers: int) -> Iterator[Callable[[], "Client"]]:
    """A cluster of this machine's own, one kernel at a time a worker; other users of the machine cannot reach it."""
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        # a worker has one submission and no second waits there: its end is blamed on nobody else
        "distributed.scheduler.worker-saturation": 1.0,
        # Dask's pages on what runs: everybody on this machine could read them
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    quiet = logging.CRITICAL  # what Dask says of workers that end is said by us, of the submission
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,  # the sandbox limits kernels, which Dask does not count
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            security=True,
            silence_logs=quiet,
        ) as cluster,
    ):
        yield lambda: Client(cluster, set_as_default=False)


def remote_cluster(address: str, say: Say) -> Callable[[], "Client"]:
    """The cluster at `address`, which others run; TLS as Dask's own configuration says.

    Raises `CourseError` where no scheduler answers there.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _closing(_connected(address)) as client:
        if not client.nthreads():
            say("The scheduler has no worker yet: waiting for one")
    return lambda: _connected(address, PATIENCE)


def _connected(address: str, patience: float = 0.0) -> "Client":
    from distributed import Client

    end = time.monotonic() + patience
    while True:
        try:
            return Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            if time.monotonic() > end:
                raise CourseError(f"No scheduler answers at {address} ({_line(error)}).") from error
        time.sleep(1.0)


@contextmanager
def _closing(client: "Client") -> Iterator["Client"]:
    """Close a client in the end, whatever state it is in."""
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5)


def task() -> Callable[[str], str]:
    """What workers are sent: a function that travels whole, so that one without this package can say so."""

    def examine_here(text: str) -> str:
        from grader.work import examine

        return examine(text)

    return examine_here


class _ClusterLostError(Exception):
    """The scheduler, or the way to it, is gone."""


class Fleet(Generic[Tag]):
    """Sends work to a cluster and gives back what became of each piece, once, in whatever order they end.

    A worker that ends or is lost costs time only: Dask has another do its work again. Where the scheduler is lost,
    everything that was with it is sent again.
    """

    def __init__(self, connect: Callable[[], "Client"], say: Say) -> None:
        self.connect = connect
        self.say = say
        self.task = task()
        self.done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.flight: dict[str, tuple[Future, Tag, Work]] = {}
        self.counted = 0.0
        self.most = LEAST_IN_FLIGHT

    def examined(self, works: Iterable[tuple[Tag, Work]]) -> Iterator[tuple[Tag, Work, str | Unexamined]]:
        """Each piece of work with its outcome as JSON. `works` is read as far as the cluster has room.

        Raises `CourseError` where a worker is not fit, or the scheduler stays away.
        """
        waiting = iter(works)
        while True:
            with _closing(self.connect()) as client:
                yield from self._until_lost(client, waiting)
            if not self.flight:
                return
            self.say("The scheduler was lost: sending again what was with it")
            again = [(tag, work) for _, tag, work in self.flight.values()]
            self.flight.clear()
            waiting = chain(again, waiting)

    def _until_lost(
        self, client: "Client", waiting: Iterator[tuple[Tag, Work]]
    ) -> Iterator[tuple[Tag, Work, str | Unexamined]]:
        """Until all is done, or until the scheduler is lost: then something is left in `flight`."""
        self.done = queue.SimpleQueue()
        while True:
            self._fill(client, waiting)
            if not self.flight:
                return
            try:
                future = self.done.get(timeout=1.0)
            except queue.Empty:
                if client.status != "running":
                    return
                continue
            try:
                outcome = self._outcome(future)
            except _ClusterLostError:
                return
            _, tag, work = self.flight.pop(future.key)
            yield tag, work, outcome

    def _fill(self, client: "Client", waiting: Iterator[tuple[Tag, Work]]) -> None:
        if time.monotonic() > self.counted + _COUNT_EVERY:
            with suppress(OSError, TimeoutError):
                self.most = max(LEAST_IN_FLIGHT, 2 * sum(client.nthreads().values()))
            self.counted = time.monotonic()
        while len(self.flight) < self.most:
            tag, work = next(waiting, (None, None))
            if work is None:
                return
            future = client.submit(self.task, work.to_json(), pure=False, retries=RETRIES)
            self.flight[future.key] = future, tag, work
            future.add_done_callback(self.done.put)

    def _outcome(self, future: "Future") -> str | Unexamined:
        """The text, or why there is none."""
        from distributed import KilledWorker

        try:
            return str(future.result(timeout=_FETCH))
        except Exception as error:
            if future.status != "error":  # the task raised nothing: fetching its outcome failed
                raise _ClusterLostError from error
            if isinstance(error, CourseError):
                raise
            if isinstance(error, KilledWorker):
                return Unexamined("It ended every process that examined it. Look at it, then grade it again, alone.")
            if isinstance(error, ImportError):
                raise CourseError(
                    f"A worker cannot examine ({_line(error)}). Install this project, the same commit, on every worker."
                ) from error
            return failed(error)


def in_this_process(works: Iterable[tuple[Tag, Work]]) -> Iterator[tuple[Tag, Work, str | Unexamined]]:
    """The same, one after the other, here."""
    for tag, work in works:
        yield tag, work, _tried(work)


def _tried(work: Work, retries: int = RETRIES) -> str | Unexamined:
    try:
        return examine(work.to_json())
    except CourseError:
        raise
    except Exception as error:
        return _tried(work, retries - 1) if retries else failed(error)


def failed(error: Exception) -> Unexamined:
    """One that cannot be examined must not stop the others."""
    return Unexamined(f"Examining it failed ({_line(error)}). Grade it again, alone.")


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
