"""The lines of the tables that measure.py and beside.py print: how Bob fared behind his network, and Eve beside him."""

import time

from .meeting import Meeting, concealed_percent, first_wide, frozen_s, gained, sees, width
from .net import Way
from .people import Client

GOOD = {"delay_ms": 20}
PICTURE = {"width": 960, "height": 540, "fps": 15, "bitrate": 1_500_000, "simulcast": True, "codec": "VP8"}
# After the largest picture came: what was asked for at the beginning is over.
SETTLE_S = 5


def behind(steps: list[dict]) -> dict[str, Way]:
    """Everybody's path is good but Bob's towards him."""
    return {"ann": Way([GOOD], [GOOD]), "bob": Way(steps, [GOOD]), "eve": Way([GOOD], [GOOD])}


def head(kind: str) -> str:
    columns = [f"{who}{column}" for who in ("Bob ", "Eve ") for column in ("kb/s", "fps", "frozen", "made up")]
    return f"| Bob's network | {kind} | " + " | ".join(columns) + " |\n| --- | --- |" + " ---: |" * len(columns)


def row(name: str, kind: str, meeting: Meeting, people: dict[str, Client], steps: list[dict], seconds: float) -> str:
    """Waits until Eve sees the largest picture, lets the networks begin, and says what came in the time."""
    largest = PICTURE["width"]
    people["eve"].wait("the largest picture", lambda told: sees(told) and width(told) == largest, 60)
    time.sleep(SETTLE_S)
    meeting.networks.begin()
    began = time.time()
    last_s = steps[-1].get("at_ms", 0) / 1_000
    time.sleep(seconds + last_s)
    cells = [name, kind]
    for client in people.values():
        lines = client.since(began)
        lasted_s = lines[-1]["at"] - lines[0]["at"]
        cells += [
            f"{gained(lines, 'video', 'bytes') * 8 / lasted_s / 1_000:.0f}",
            f"{gained(lines, 'video', 'frames') / lasted_s:.1f}",
            f"{100 * frozen_s(lines) / lasted_s:.0f} %",
            f"{concealed_percent(lines):.1f} %",
        ]
    if last_s:
        wide = began + last_s
        back = first_wide(people["bob"].since(wide), largest)
        cells[0] += f" (back after {back - wide:.1f} s)" if back else " (not back)"
    return "| " + " | ".join(cells) + " |"
