"""How good unit 13's recogniser is, and what its parts are worth: the notebook's own code, run again and again.

    python benchmarks/capstone.py                 # five seeds, about eight minutes on a quiet core
    python benchmarks/capstone.py --ablation      # each part left out at full length, seed 0, about eight minutes

Prints a line for each run and one line of JSON at the end.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import jupytext
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from grader.draw import Draw  # noqa: E402
from grader.exercises.capstone import _played  # noqa: E402
from grader.recordings import phrases  # noqa: E402

UNIT = "13_capstone"
#: For each row of the table: the network's shape, how batches are drawn. As in the notebook's own short table.
TRIALS: dict[str, tuple[dict, dict]] = {
    "no attention, two more convolutions": ({"convolutions": 6, "attentions": 0}, {}),
    "attention only, five blocks": ({"convolutions": 0, "attentions": 5}, {}),
    "phrases not joined": ({}, {"join": False}),
    "speed, loudness, masks off": ({"masks": False}, {"alter": False}),
}


def notebook() -> dict:
    """The names that the notebook's cells define, without its demo, check and training cells."""
    names: dict = {}
    for cell in jupytext.read(ROOT / "solutions" / UNIT / f"{UNIT}.py").cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and not marks.get("grade") and not cell.metadata.get("tags"):
            exec(compile(cell.source, UNIT, "exec"), names)  # noqa: S102  (the author's own code)
    names["sys"] = sys
    return names


def played(waveform: torch.Tensor, speed: float) -> torch.Tensor:
    """A recording at another speed, like a tape."""
    return torch.nn.functional.interpolate(waveform[None, None], scale_factor=1 / speed, mode="linear")[0, 0]


def as_graded(names: dict, network: torch.nn.Module) -> float:
    """The CER on recordings such as `transcribe` is asked about, a hundred of them."""
    draw, test = Draw("benchmark"), phrases("test")
    asked = [draw.sample(test, draw.choice((2, 3))) for _ in range(100)]
    found = names["texts_of"](*names["heard_by"](network, [_played(draw, some) for some in asked]))
    return names["error_rate"]([" ".join(phrase.text for phrase in some) for some in asked], found)


def run(names: dict, seed: int, steps: int, shape: dict, batches: dict) -> dict[str, float]:
    """Train once; the held-out error rates, the seconds of the processor and of the clock, the parameters."""
    names["SEED"] = seed
    torch.manual_seed(seed)
    network = names["Recogniser"](**shape)
    cpu, clock = time.process_time(), time.perf_counter()
    names["train"](network, steps, label=f"seed {seed}", every=steps, **batches)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    known = {phrase.text for phrase in names["phrases"]("training")}
    test = names["phrases"]("test")
    found = names["texts_of"](*names["heard_by"](network, [names["load_phrase"](phrase) for phrase in test]))
    pairs = [(phrase.text, text) for phrase, text in zip(test, found, strict=True)]
    rate = names["error_rate"]
    slower = [played(names["load_phrase"](phrase), 0.88) for phrase in test]
    return {
        "cer": rate(*zip(*pairs, strict=True)),
        "wer": rate(*zip(*pairs, strict=True), str.split),
        "cer_seen": rate(*zip(*[pair for pair in pairs if pair[0] in known], strict=True)),
        "cer_unseen": rate(*zip(*[pair for pair in pairs if pair[0] not in known], strict=True)),
        "cer_as_graded": as_graded(names, network),
        "cer_12_percent_slower": rate(
            [text for text, _ in pairs], names["texts_of"](*names["heard_by"](network, slower))
        ),
        "cpu_seconds": cpu,
        "seconds": clock,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="by default the notebook's")
    parser.add_argument("--ablation", action="store_true")
    options = parser.parse_args()
    names = notebook()
    steps = options.steps or names["STEPS"]
    if options.ablation:
        runs = {}
        for name, (shape, batches) in TRIALS.items():
            runs[name] = run(names, 0, steps, shape, batches)
            print(json.dumps({name: runs[name]}), flush=True)
        print(json.dumps({"steps": steps, "runs": runs}))
        return
    found = []
    for seed in range(options.seeds):
        found.append(run(names, seed, steps, {}, {}))
        print(json.dumps({"seed": seed, **found[-1]}), flush=True)
    summary = {
        key: {
            "mean": statistics.mean(one[key] for one in found),
            "range": [f(one[key] for one in found) for f in (min, max)],
        }
        for key in found[0]
    }
    print(json.dumps({"steps": steps, "seeds": options.seeds, **summary}))


if __name__ == "__main__":
    main()
