"""A meeting of ten with microphones and four cameras, one of them on a narrow path: `python networks/ten.py [RUNS]`.

The one comes last. Prints what the one hears and sees, and what the others do: where the path is narrow from the
beginning, where it becomes narrow when all are there, and where everybody's path is good.
Nothing here fails: the figures are for `docs/guide/performance.md`, in one run on one machine.
"""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from networks.meeting import Meeting, concealed_percent, frozen_s, gained, sees  # noqa: E402
from networks.net import Way  # noqa: E402
from networks.people import Client, tracks  # noqa: E402

GOOD = {"delay_ms": 20}
# All are there then.
COMING_S = 45
NARROW = {**GOOD, "rate_bps": 150_000}
KINDS = {
    "150 kb/s from the beginning": [NARROW],
    "150 kb/s when all are there": [{**GOOD, "at_ms": 0}, {**NARROW, "at_ms": COMING_S * 1_000}],
    "good": [GOOD],
}
SETTLE_S = 20
# Three streams, the smallest of 320 by 180 with 150 kb/s at most.
PICTURE = {"width": 960, "height": 540, "fps": 10, "bitrate": 800_000, "simulcast": True, "codec": "VP8"}
PEOPLE = [f"p{number}" for number in range(10)]
ONE = PEOPLE[-1]
# Ten that encode, and decode nine each, are more than two cores can do: four have cameras, four receive.
CAMERAS = PEOPLE[:4]
LISTENERS = [ONE, *PEOPLE[:3]]
TURN_S = 3
ROUND_S = TURN_S * len(PEOPLE)
VOICE_BPS = 24_000
# Somebody was heard who brought so much energy (volts² s, of 1 at full scale) a round; who speaks brings about 0.4.
HEARD = 0.1


def voice(number: int) -> dict:
    return {
        "hz": 250 + 70 * number,
        "from_s": number * TURN_S,
        "for_s": TURN_S - 0.5,
        "every_s": ROUND_S,
        "bitrate": VOICE_BPS,
    }


def heard(lines: list[dict]) -> list[float]:
    """The energy of each voice that came, smallest first."""
    first = {track["track"]: track["energy"] for track in tracks(lines[0], "audio")}
    return sorted(track["energy"] - first.get(track["track"], 0.0) for track in tracks(lines[-1], "audio"))


def pictures(lines: list[dict]) -> list[float]:
    """Pictures a second of each camera, fewest first."""
    first = {track["track"]: track["frames"] for track in tracks(lines[0], "video")}
    seconds = lines[-1]["at"] - lines[0]["at"]
    return sorted((track["frames"] - first.get(track["track"], 0)) / seconds for track in tracks(lines[-1], "video"))


def fares(lines: list[dict]) -> dict[str, float]:
    """How one of them fared."""
    seconds = lines[-1]["at"] - lines[0]["at"]
    voices, cameras = heard(lines), pictures(lines)
    return {
        "heard": sum(energy > HEARD for energy in voices),
        "made up %": concealed_percent(lines),
        "cameras": sum(rate > 1 for rate in cameras),
        "fps": sum(cameras),
        "kb/s": (gained(lines, "video", "bytes") + gained(lines, "audio", "bytes")) * 8 / seconds / 1_000,
        "frozen %": 100 * frozen_s(lines) / seconds,
    }


def meet(steps: list[dict]) -> dict[str, list[dict]]:
    """One meeting; what everybody told during one round of voices."""
    ways = {who: Way([GOOD], [GOOD]) for who in PEOPLE}
    ways[ONE] = Way(steps, steps)
    entered = time.time()
    with Meeting("ten", ways) as meeting:
        people: dict[str, Client] = {}
        for number, who in enumerate(PEOPLE):
            wanted = {"voice": voice(number), "subscribe": who in LISTENERS}
            people[who] = meeting.enter(who, **wanted, **({"picture": PICTURE} if who in CAMERAS else {}))
            people[who].wait("being there", lambda told: True, 60)
        for who in LISTENERS:
            people[who].wait("pictures", sees, 60)
        time.sleep(max(0.0, entered + COMING_S - time.time()) + SETTLE_S)
        began = time.time()
        time.sleep(ROUND_S + 1)
        return {who: people[who].since(began) for who in LISTENERS}


def main(runs: int) -> None:
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(runs):
        for kind, steps in KINDS.items():
            for who, lines in meet(steps).items():
                rows.setdefault((kind, "the one" if who == ONE else "others"), []).append(fares(lines))
    columns = list(next(iter(rows.values()))[0])
    print("| path of the one | who | " + " | ".join(columns) + " |")
    print("| --- | --- |" + " ---: |" * len(columns))
    for (kind, who), fared in rows.items():
        cells = [
            f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
            for values in ([fare[column] for fare in fared] for column in columns)
        ]
        print(f"| {kind} | {who} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
