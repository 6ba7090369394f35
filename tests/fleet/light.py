"""A light stand-in for the examiner, preloaded into Dask's workers: points that depend on the notebook's text alone.

It takes the place of `grader.work` in the worker, and so spares it the imports as well. What it examined it notes, a
line each, in the file that LIGHT_LOG names. A notebook that says so ends its worker.
"""

import hashlib
import json
import os
import re
import signal
import sys
import time
import types
from pathlib import Path

MARK = re.compile(r"# by (\w+)")
ENDS_ITS_WORKER = "# ends its worker"


def examine(text: str) -> str:
    work = json.loads(text)
    with Path(os.environ["LIGHT_LOG"]).open("a") as log:
        log.write(f"{MARK.search(work['notebook'])[1]}\n")
    time.sleep(0.2 + _digest(work)[0] / 1000)
    if ENDS_ITS_WORKER in work["notebook"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome(work)


def outcome(work: dict) -> str:
    """What it comes to, without the time and the log."""
    unit, digest = work["unit"], _digest(work)
    points = {name: round(most * digest[number] / 255, 4) for number, (name, most) in enumerate(unit["points"].items())}
    record = {"status": "partial", "groups": {}, "mistake": None, "says": None}
    return json.dumps(
        {
            "unit": unit["name"],
            "scores": points,
            "records": {name: {"exercise": name, **record} for name in points},
            "shown": {name: {"text/plain": "seen"} for name in points},
            "outputs": [],
            "seconds": 0.2,
        }
    )


def _digest(work: dict) -> bytes:
    return hashlib.sha256((work["notebook"] + work["seed"]).encode()).digest()


if __name__ == "light":  # as Dask preloads it, not as the tests import it
    stand_in = types.ModuleType("grader.work")
    stand_in.examine = examine
    sys.modules["grader.work"] = stand_in
