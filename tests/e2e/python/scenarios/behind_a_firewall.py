"""Runs within a network of its own; `test_firewalls.py` says which, and over what media is to go there."""

import os

import pytest

from harness.media import BLUE, GREEN, RED, YELLOW, Picture, Tone
from harness.people import PROTOCOLS
from harness.until import until

EXPECTED = os.environ.get("EXPECTED_PROTOCOL", "udp")
OTHER = {"udp": "tcp", "tcp": "udp"}[EXPECTED]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_sound_and_pictures_both_ways(server, api, guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Tone(440.0))
    await anna.publish(Picture())
    await ben.publish(Tone(1250.0))
    turned = (YELLOW, BLUE, GREEN, RED)
    await ben.publish(Picture(320, 240, colours=turned))
    for person, other, tone, colours in ((anna, "ben", 1250.0, turned), (ben, "anna", 440.0, None)):
        ear, eye = await person.listen(other), await person.watch(other)
        await until(f"{person.identity} hears {other}", lambda: ear.hears(tone), 40)
        await until(f"{person.identity} sees {other}", lambda: eye.sees(colours) if colours else eye.sees(), 40)
    metrics = await api.metrics()
    connections = metrics["fermata_transports"]
    assert connections == {"v0": 4, "v1": 2}[protocol]
    assert metrics[f"fermata_transports_{EXPECTED}"] == connections
    assert metrics[f"fermata_transports_{OTHER}"] == 0
    if EXPECTED == "tcp":
        assert metrics["fermata_tcp_connections"] >= connections
    assert metrics["fermata_tcp_connections_malformed_total"] == 0
