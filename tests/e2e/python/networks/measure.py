"""Measures how people behind bad networks fare, and prints a table: `python networks/measure.py [FILTER]`.

Nothing here fails: the figures are for `docs/guide/performance.md`, in one run on one machine. Ann has a camera and a
microphone; Bob is behind the network of each line; Eve has a good one and should notice nothing.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from networks.meeting import Meeting  # noqa: E402
from networks.table import GOOD, PICTURE, behind, head, row  # noqa: E402

SECONDS = 20
TONE = 440

SHAPES: dict[str, list[dict]] = {
    "good": [GOOD],
    "loss 1 %": [{**GOOD, "loss_percent": 1}],
    "loss 5 %": [{**GOOD, "loss_percent": 5}],
    "loss 10 %": [{**GOOD, "loss_percent": 10}],
    "loss 20 %": [{**GOOD, "loss_percent": 20}],
    "loss 5 % in bursts of 4": [{**GOOD, "loss_percent": 5, "loss_burst": 4}],
    "delay 100 ms": [{"delay_ms": 100}],
    "delay 300 ms": [{"delay_ms": 300}],
    "jitter 30 ms": [{**GOOD, "jitter_ms": 30}],
    "reordered 5 %": [{**GOOD, "reorder_percent": 5}],
    "1 Mb/s": [{**GOOD, "rate_bps": 1_000_000}],
    "300 kb/s": [{**GOOD, "rate_bps": 300_000}],
    "3 Mb/s, 300 kb/s, 3 Mb/s": [
        {**GOOD, "at_ms": 0, "rate_bps": 3_000_000},
        {**GOOD, "at_ms": 5_000, "rate_bps": 300_000},
        {**GOOD, "at_ms": 25_000, "rate_bps": 3_000_000},
    ],
}


def measure(name: str, steps: list[dict], control: bool) -> str:
    with Meeting("measure", behind(steps), f"--congestion-control={str(control).lower()}") as meeting:
        people = {who: meeting.enter(who) for who in ("bob", "eve")}
        meeting.enter("ann", picture=PICTURE, tone=TONE)
        return row(name, "on" if control else "off", meeting, people, steps, SECONDS)


def main(wanted: str) -> None:
    print(head("control"), flush=True)
    for name, steps in SHAPES.items():
        if wanted in name:
            for control in (False, True):
                print(measure(name, steps, control), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
