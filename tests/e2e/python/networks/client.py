"""One real client as a process: LiveKit's Python SDK in a network namespace.

Argument: a JSON object {url, token, protocol, picture, tone, voice, subscribe, every_s}. Every `every_s` seconds a line
of JSON tells what it has of each track; at a line on its input it leaves, and ends.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy  # noqa: E402
from livekit import rtc  # noqa: E402

from harness.media import RATE, Tone  # noqa: E402

FRAMES = 24


class Scene:
    """A camera whose pictures are worth their bits: coarse noise that moves."""

    def __init__(self, width: int, height: int, fps: int, bitrate: int, simulcast: bool, codec: str):
        self.source = rtc.VideoSource(width, height)
        self.track = rtc.LocalVideoTrack.create_video_track("scene", self.source)
        self.options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=rtc.VideoCodec.Value(codec),
            simulcast=simulcast,
            video_encoding=rtc.VideoEncoding(max_bitrate=bitrate, max_framerate=fps),
            degradation_preference=rtc.DegradationPreference.MAINTAIN_RESOLUTION,
        )
        self._fps = fps
        seeded = numpy.random.default_rng(1)
        coarse = seeded.integers(60, 196, (height // 8 + FRAMES, width // 8 + FRAMES), dtype=numpy.uint8)
        fine = seeded.integers(-24, 24, (FRAMES, height, width), dtype=numpy.int8)
        self._frames = []
        for step in range(FRAMES):
            part = coarse[step : step + height // 8 + 1, step : step + width // 8 + 1]
            luma = numpy.kron(part, numpy.ones((8, 8), dtype=numpy.uint8))[:height, :width]
            luma = (luma.astype(numpy.int16) + fine[step]).astype(numpy.uint8)
            chroma = numpy.full(width * height // 2, 128, dtype=numpy.uint8)
            data = numpy.concatenate([luma.reshape(-1), chroma]).tobytes()
            self._frames.append(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, data))
        self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        due = time.monotonic()
        number = 0
        while True:
            # There and back again, so that the picture never jumps.
            place = number % (2 * FRAMES - 2)
            frame = self._frames[place if place < FRAMES else 2 * FRAMES - 2 - place]
            self.source.capture_frame(frame, timestamp_us=int(time.monotonic() * 1_000_000))
            number += 1
            due += 1 / self._fps
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class Voice:
    """A microphone into which somebody speaks by turns: `for_s` of every `every_s` seconds of the wall clock, from
    `from_s` on. What is said is a tone with noise, loud and quiet four times a second as words are; then silence,
    which Opus hardly sends (DTX)."""

    CHUNK_S = 0.1

    def __init__(self, hz: float, from_s: float, for_s: float, every_s: float, bitrate: int):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=200)
        self.track = rtc.LocalAudioTrack.create_audio_track("voice", self.source)
        self.options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE,
            dtx=True,
        )
        self.options.audio_encoding.max_bitrate = bitrate
        self._hz, self._turn = hz, (from_s, for_s, every_s)
        self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        count = int(RATE * self.CHUNK_S)
        at = numpy.arange(RATE) / RATE
        loud = 6000 * (1.2 + numpy.sin(2 * numpy.pi * 4 * at))
        second = loud * numpy.sin(2 * numpy.pi * self._hz * at)
        second += numpy.random.default_rng(int(self._hz)).normal(0, 600, RATE)
        words = second.astype(numpy.int16).tobytes()
        silence = bytes(len(words))
        length = 2 * count
        from_s, for_s, every_s = self._turn
        while True:
            for place in range(0, len(words), length):
                speaks = (time.time() - from_s) % every_s < for_s
                chunk = (words if speaks else silence)[place : place + length]
                await self.source.capture_frame(rtc.AudioFrame(chunk, RATE, 1, count))


def of_track(stats) -> dict:
    """What counts of one received track."""
    received, inbound = stats.received, stats.inbound
    return {
        "track": inbound.track_identifier,
        "kind": stats.stream.kind,
        "bytes": inbound.bytes_received + inbound.header_bytes_received,
        "packets": received.packets_received,
        "lost": received.packets_lost,
        "frames": inbound.frames_decoded,
        "width": inbound.frame_width,
        "height": inbound.frame_height,
        "freezes": inbound.freeze_count,
        "frozen_s": inbound.total_freeze_duration,
        "nacks": inbound.nack_count,
        "plis": inbound.pli_count,
        "samples": inbound.total_samples_received,
        "concealed": inbound.concealed_samples - inbound.silent_concealed_samples,
        "energy": inbound.total_audio_energy,
        "buffer_s": inbound.jitter_buffer_delay,
        "emitted": inbound.jitter_buffer_emitted_count,
    }


def of_connection(all_stats: list) -> dict:
    """What a client tells in a line."""
    told: dict = {"tracks": [], "sent": []}
    for stats in all_stats:
        kind = stats.WhichOneof("stats")
        if kind == "inbound_rtp":
            told["tracks"].append(of_track(stats.inbound_rtp))
        elif kind == "outbound_rtp":
            outbound = stats.outbound_rtp.outbound
            told["sent"].append(
                {
                    "rid": outbound.rid,
                    "kind": stats.outbound_rtp.stream.kind,
                    "frames": outbound.frames_encoded,
                    "width": outbound.frame_width,
                    "active": outbound.active,
                    "target_bps": outbound.target_bitrate,
                    "bytes": stats.outbound_rtp.sent.bytes_sent,
                }
            )
        elif kind == "candidate_pair" and stats.candidate_pair.candidate_pair.nominated:
            pair = stats.candidate_pair.candidate_pair
            told["available_bps"] = max(told.get("available_bps", 0), pair.available_outgoing_bitrate)
            told["rtt_s"] = pair.current_round_trip_time
            told["bytes_in"] = told.get("bytes_in", 0) + pair.bytes_received
    return told


async def main(wanted: dict) -> None:
    room = rtc.Room()
    diary: list = []
    for event in ("disconnected", "reconnecting", "reconnected", "local_track_published", "local_track_republished"):
        room.on(event, lambda *_, event=event: diary.append([round(time.time(), 3), event]))
    options = rtc.RoomOptions(
        auto_subscribe=wanted.get("subscribe", True),
        single_peer_connection=wanted.get("protocol", "v1") == "v1",
    )
    await room.connect(wanted["url"], wanted["token"], options)
    if wanted.get("tone"):
        tone = Tone(wanted["tone"])
        await room.local_participant.publish_track(tone.track, tone.options)
    if wanted.get("voice"):
        voice = Voice(**wanted["voice"])
        await room.local_participant.publish_track(voice.track, voice.options)
    if wanted.get("picture"):
        scene = Scene(**wanted["picture"])
        await room.local_participant.publish_track(scene.track, scene.options)
    every_s = wanted.get("every_s", 0.25)
    leaving = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    due = time.monotonic()
    while not leaving.done():
        stats = await room.get_rtc_stats()
        told = of_connection([*stats.publisher_stats, *stats.subscriber_stats])
        told |= {"at": time.time(), "people": len(room.remote_participants), "diary": diary}
        told["subscribed"] = {
            publication.track.sid: [person.identity, rtc.TrackKind.Name(publication.kind)]
            for person in room.remote_participants.values()
            for publication in person.track_publications.values()
            if publication.track is not None
        }
        print(json.dumps(told), flush=True)
        due += every_s
        await asyncio.wait([leaving], timeout=max(0.0, due - time.monotonic()))
    await asyncio.wait_for(room.disconnect(), 5)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
    # Threads of the client library may outlive the interpreter and abort it.
    sys.stdout.flush()
    __import__("os")._exit(0)
