"""Measures how people behind bad networks fare, and prints a table: `python networks/measure.py [FILTER]`.

Nothing here fails: the figures are for `docs/guide/performance.md`, in one run on one machine. Ann has a camera and a
microphone; Bob is behind the network of each line; Eve has a good one and should notice nothing.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from networks.meeting import Meeting, concealed_percent, first_wide, frozen_s, gained, sees, width  # noqa: E402
from networks.net import Way  # noqa: E402

SECONDS = 20
GOOD = {"delay_ms": 20}
PICTURE = {"width": 960, "height": 540, "fps": 15, "bitrate": 1_500_000, "simulcast": True, "codec": "VP8"}
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
    ways = {"ann": Way([GOOD], [GOOD]), "bob": Way(steps, [GOOD]), "eve": Way([GOOD], [GOOD])}
    with Meeting("measure", ways, f"--congestion-control={str(control).lower()}") as meeting:
        people = {who: meeting.enter(who) for who in ("bob", "eve")}
        meeting.enter("ann", picture=PICTURE, tone=TONE)
        people["eve"].wait("the largest picture", lambda told: sees(told) and width(told) == 960, 60)
        time.sleep(5)
        meeting.networks.begin()
        began = time.time()
        last_ms = steps[-1].get("at_ms", 0)
        time.sleep(SECONDS + last_ms / 1_000)
        cells = [name, "on" if control else "off"]
        for client in people.values():
            lines = client.since(began)
            seconds = lines[-1]["at"] - lines[0]["at"]
            cells += [
                f"{gained(lines, 'video', 'bytes') * 8 / seconds / 1_000:.0f}",
                f"{gained(lines, 'video', 'frames') / seconds:.1f}",
                f"{100 * frozen_s(lines) / seconds:.0f} %",
                f"{concealed_percent(lines):.1f} %",
            ]
        if last_ms:
            wide = began + last_ms / 1_000
            back = first_wide(people["bob"].since(wide), PICTURE["width"])
            cells[0] += f" (back after {back - wide:.1f} s)" if back else " (not back)"
        return "| " + " | ".join(cells) + " |"


def main(wanted: str) -> None:
    print("| Bob's network | control | Bob kb/s | fps | frozen | made up | Eve kb/s | fps | frozen | made up |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name, steps in SHAPES.items():
        if wanted in name:
            for control in (False, True):
                print(measure(name, steps, control), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
