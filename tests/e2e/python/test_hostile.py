"""Garbage on every door while two people talk: they must not notice, and the server must not end."""

import asyncio
import os
import random
import socket
import time

import pytest
from livekit.protocol import rtc as signal

from harness import raw
from harness.media import Picture, Tone
from harness.tokens import token
from harness.until import until

FLOOD_SECONDS = 4.0
FLOOD_PER_BURST = 40


@pytest.fixture
async def call(guests, protocol):
    """Two people who hear and see each other; at the end of the test they still must, without a gap."""
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Tone(440.0))
    await anna.publish(Picture(320, 180, fps=15))
    ear, eye = await ben.listen("anna"), await ben.watch("anna")
    await until("the tone", lambda: ear.hears(440.0))
    await until("the picture", eye.sees)
    eye.start_gap_measurement()
    for person in (anna, ben):
        person.diary.clear()
    yield anna, ben
    seen = eye.frames
    ear.forget()
    await until("frames go on", lambda: eye.frames > seen + 10)
    await until("the tone goes on", lambda: ear.hears(440.0))
    assert eye.longest_gap_s < 1.0
    for person in (anna, ben):
        for event in ("disconnected", "reconnecting", "track_unsubscribed"):
            assert not person.told(event), (person.identity, event)
        gone = {who.identity for (who,) in person.told("participant_disconnected")}
        assert not gone & {"anna", "ben"}, gone


def frames(rng: random.Random) -> list[bytes | str]:
    """WebSocket messages that are no requests, or requests that make no sense."""
    nonsense = signal.SignalRequest(
        offer=signal.SessionDescription(type="offer", sdp="v=0\r\nm=nothing\r\na=" + "x" * 5000)
    )
    strange = signal.SignalRequest(
        trickle=signal.TrickleRequest(candidateInit='{"candidate": 7}', target=signal.SignalTarget.SUBSCRIBER)
    )
    answer = signal.SignalRequest(answer=signal.SessionDescription(type="answer", sdp="v=0"))
    return [
        rng.randbytes(64),
        b"",
        b"\xff" * 2000,
        rng.randbytes(100_000),
        nonsense.SerializeToString(),
        strange.SerializeToString(),
        answer.SerializeToString(),
        "no json",
        '{"offer": 7}',
        "[" * 10_000,
    ]


async def test_garbage_websocket_frames(server, guests, call, protocol):
    rng = random.Random(7)
    for number, frame in enumerate(frames(rng)):
        session, websocket = await raw.connect(server.http, protocol, token(f"vandal-{number}", guests.room))
        async with session, websocket:
            await websocket.receive(timeout=5)
            await (websocket.send_str(frame) if isinstance(frame, str) else websocket.send_bytes(frame))
            # Answered or dropped: either the connection is closed, or it still answers a ping.
            ping = signal.SignalRequest(ping_req=signal.Ping(timestamp=number + 1, rtt=0))
            await websocket.send_bytes(ping.SerializeToString())
            await asyncio.wait_for(_closed_or_pong(websocket), 10)
    # Too large to be anything: closed, before it is read to its end.
    session, websocket = await raw.connect(server.http, protocol, token("vandal-big", guests.room))
    async with session, websocket:
        try:
            await websocket.send_bytes(bytes(8 * 1024 * 1024))
            await asyncio.wait_for(_closed(websocket), 10)
        except ConnectionError:
            pass


async def _closed_or_pong(websocket) -> None:
    async for message in websocket:
        if not isinstance(message.data, bytes):
            # The server speaks JSON to who speaks JSON.
            if "pong" in str(message.data).lower():
                return
            continue
        if signal.SignalResponse.FromString(message.data).WhichOneof("message") in ("pong_resp", "pong"):
            return


async def _closed(websocket) -> None:
    async for _ in websocket:
        pass


async def test_malformed_websocket_requests_are_counted(server, api):
    before = await api.metrics()
    session, websocket = await raw.connect(server.http, "v1", token("vandal", "counted"))
    async with session, websocket:
        await websocket.send_bytes(b"\xff" * 100)

        async def counted():
            after = await api.metrics()
            return after["fermata_ws_malformed_total"] > before["fermata_ws_malformed_total"]

        await until("the metric rises", counted)


def datagrams(rng: random.Random) -> list[bytes]:
    """Looks like STUN, DTLS, RTP, RTCP, or nothing; none of it from anybody known."""
    cookie = b"\x21\x12\xa4\x42"
    return [
        b"\x00\x01\x00\x00" + cookie + rng.randbytes(12),
        b"\x00\x01\x00\x40" + cookie + rng.randbytes(12 + 64),
        b"\x00\x01\xff\xff" + cookie + rng.randbytes(12),
        b"\x16\xfe\xfd" + rng.randbytes(200),
        b"\x17\xfe\xfd" + rng.randbytes(1100),
        b"\x80\x6f" + rng.randbytes(170),
        b"\x80\xc8" + rng.randbytes(60),
        b"\x80",
        b"",
        rng.randbytes(1400),
        rng.randbytes(9000),
    ]


async def test_a_garbage_udp_flood(server, api, call):
    """Bounded in time and rate, to the server's own ports on loopback only."""
    ports = server.udp_ports()
    assert ports, "the server is bound to no UDP port"
    rng = random.Random(11)
    before = await api.metrics()
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        ends = time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < ends:
            for _ in range(FLOOD_PER_BURST):
                for datagram in datagrams(rng)[: rng.randint(1, 11)]:
                    try:
                        flood.sendto(datagram, ("127.0.0.1", rng.choice(ports)))
                        sent += 1
                    except BlockingIOError:
                        break
            await asyncio.sleep(0.01)
    assert sent > 5_000
    after = await api.metrics()
    unknown = after["fermata_datagrams_unknown_total"] - before["fermata_datagrams_unknown_total"]
    assert unknown > 0
    assert after["fermata_participants"] >= 2


async def test_garbage_requests(server, call):
    """Bytes that are no HTTP, and requests that never end: the others are served meanwhile."""
    host, port = server.http.removeprefix("http://").split(":")
    open_ends = []
    for start in (os.urandom(300), b"GET /rtc HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"\x16\x03\x01\x02\x00" + bytes(50)):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(start)
        await writer.drain()
        open_ends.append(writer)
    got, _, body = await raw.validate_status(server.http, "v1", token("anna", "r"))
    assert (got, body) == (200, "success")
    got, _, _ = await raw._get(f"{server.http}/rtc?access_token={'x' * 60_000}", raw.UPGRADE)
    assert got in (400, 401, 414, 431)
    for writer in open_ends:
        writer.close()
