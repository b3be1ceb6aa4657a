"""A server, networks and clients together, and what is read off what the clients tell."""

import itertools

from .net import Networks, NetworkServer, Way
from .people import Client, total, tracks

# A client that decodes nothing for longer than this is frozen, seconds.
FROZEN_S = 0.5


class Meeting:
    """A server, networks and who is behind them; everything ends with it."""

    # What is started for the server and for each client.
    SERVER = NetworkServer
    CLIENT = Client

    def __init__(self, name: str, ways: dict[str, Way], *arguments: str):
        self.networks = Networks(ways)
        self.clients: list[Client] = []
        self.server: NetworkServer | None = None
        try:
            self.server = self.SERVER(name, self.networks, arguments)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Meeting":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def enter(self, name: str, **wanted) -> Client:
        client = self.CLIENT(self.networks, self.server, name, **wanted)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
        code = self.server.stop() if self.server else 0
        self.networks.close()
        assert code == 0


def sees(told: dict) -> bool:
    return total(told, "video", "frames") > 15


def gained(lines: list[dict], kind: str, field: str) -> float:
    return total(lines[-1], kind, field) - total(lines[0], kind, field)


def concealed_percent(lines: list[dict]) -> float:
    """Sound that the receiver had to make up."""
    return 100 * gained(lines, "audio", "concealed") / max(1, gained(lines, "audio", "samples"))


def longest_freeze_s(lines: list[dict]) -> float:
    """The longest time in which no picture was decoded, to a quarter of a second."""
    longest, since, frames = 0.0, lines[0]["at"], -1.0
    for told in lines:
        now = total(told, "video", "frames")
        if now != frames:
            frames, since = now, told["at"]
        longest = max(longest, told["at"] - since)
    return longest


def width(told: dict) -> int:
    return max((track["width"] for track in tracks(told, "video")), default=0)


def first_wide(lines: list[dict], least: int) -> float | None:
    """When a new picture of that width was first decoded: the width of an old one stays while no others come."""
    for before, told in itertools.pairwise(lines):
        if width(told) >= least and gained([before, told], "video", "frames") > 0:
            return told["at"]
    return None


def frozen_s(lines: list[dict]) -> float:
    """Time without a new picture, as far as it is longer than FROZEN_S at a time; to a quarter of a second."""
    frozen, since, frames = 0.0, lines[0]["at"], -1.0
    for told in lines:
        now = total(told, "video", "frames")
        if now != frames:
            gap = told["at"] - since
            frozen += gap if frames >= 0 and gap > FROZEN_S else 0.0
            frames, since = now, told["at"]
    return frozen + max(0.0, lines[-1]["at"] - since)
