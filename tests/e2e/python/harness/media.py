"""Sound and pictures that can be recognised at the other end."""

import asyncio
import time

import numpy
from livekit import rtc

RATE = 48000
CHUNK_S = 0.02

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30)
QUADRANTS = (RED, GREEN, BLUE, YELLOW)
# Codecs are lossy and colours are halved in resolution; these four are further apart than that.
COLOUR_TOLERANCE = 60
FREQUENCY_TOLERANCE_HZ = 6.0


class Tone:
    """A microphone that plays one sine tone."""

    def __init__(self, frequency: float, name: str = "tone"):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=200)
        self.track = rtc.LocalAudioTrack.create_audio_track(name, self.source)
        self.options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        self._frequency = frequency
        self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        count = int(RATE * CHUNK_S)
        position = 0
        while True:
            at = (position + numpy.arange(count)) / RATE
            samples = (numpy.sin(2 * numpy.pi * self._frequency * at) * 12000).astype(numpy.int16)
            position += count
            await self.source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, count))

    async def close(self) -> None:
        await _cancel(self._task)
        await self.source.aclose()


class Picture:
    """A camera that shows four coloured quadrants."""

    def __init__(
        self,
        width: int = 640,
        height: int = 360,
        *,
        fps: int = 10,
        codec: int = rtc.VideoCodec.VP8,
        simulcast: bool = False,
        max_bitrate: int = 600_000,
        colours: tuple = QUADRANTS,
        name: str = "picture",
    ):
        self.source = rtc.VideoSource(width, height)
        self.track = rtc.LocalVideoTrack.create_video_track(name, self.source)
        self.options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            video_codec=codec,
            simulcast=simulcast,
            video_encoding=rtc.VideoEncoding(max_bitrate=max_bitrate, max_framerate=fps),
            degradation_preference=rtc.DegradationPreference.MAINTAIN_RESOLUTION,
        )
        self._frame = rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, quadrants(width, height, colours))
        self._fps = fps
        self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        due = time.monotonic()
        while True:
            self.source.capture_frame(self._frame, timestamp_us=int(time.monotonic() * 1_000_000))
            due += 1 / self._fps
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def close(self) -> None:
        await _cancel(self._task)
        await self.source.aclose()


def quadrants(width: int, height: int, colours: tuple) -> bytes:
    """RGBA bytes: top left, top right, bottom left, bottom right."""
    image = numpy.full((height, width, 4), 255, dtype=numpy.uint8)
    x, y = width // 2, height // 2
    image[:y, :x, :3], image[:y, x:, :3], image[y:, :x, :3], image[y:, x:, :3] = colours
    return image.tobytes()


class Ear:
    """Listens to one track and keeps the last seconds."""

    KEEP_S = 3.0

    def __init__(self, track: rtc.Track):
        self._stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1)
        self._samples = numpy.zeros(0, dtype=numpy.float64)
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self._stream:
            heard = numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(numpy.float64)
            self._samples = numpy.concatenate([self._samples, heard])[-int(RATE * self.KEEP_S) :]

    def forget(self) -> None:
        """What was heard so far does not count any more."""
        self._samples = self._samples[:0]

    def tone(self, seconds: float = 0.5) -> float | None:
        """Frequency of the last `seconds`, Hz, if they are one clear tone; else None."""
        count = int(RATE * seconds)
        if len(self._samples) < count:
            return None
        heard = self._samples[-count:] * numpy.hanning(count)
        power = numpy.abs(numpy.fft.rfft(heard)) ** 2
        total = power.sum()
        if total < (100.0 * count / 4) ** 2 / 4:
            return None
        peak = int(power.argmax())
        share = power[max(0, peak - 6) : peak + 7].sum() / total
        return peak * RATE / count if share > 0.8 else None

    def hears(self, frequency: float) -> bool:
        tone = self.tone()
        return tone is not None and abs(tone - frequency) < FREQUENCY_TOLERANCE_HZ

    async def close(self) -> None:
        await _cancel(self._task)
        await self._stream.aclose()


class Eye:
    """Watches one track: the last frame, how many there were, and when."""

    def __init__(self, track: rtc.Track):
        self._stream = rtc.VideoStream.from_track(track=track, format=rtc.VideoBufferType.RGBA, capacity=2)
        self.frames = 0
        self.size: tuple[int, int] | None = None
        self.last_at = 0.0
        self.longest_gap_s = 0.0
        self._image: numpy.ndarray | None = None
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for event in self._stream:
            now = time.monotonic()
            if self.frames:
                self.longest_gap_s = max(self.longest_gap_s, now - self.last_at)
            self.last_at = now
            self.frames += 1
            frame = event.frame
            self.size = (frame.width, frame.height)
            self._image = numpy.frombuffer(frame.data, dtype=numpy.uint8).reshape(frame.height, frame.width, 4)

    def start_gap_measurement(self) -> None:
        """From now on `longest_gap_s` is the longest time between two frames."""
        self.longest_gap_s = 0.0

    def colours(self) -> list[tuple[int, ...]] | None:
        """Mean colour in the middle of each quadrant."""
        if self._image is None:
            return None
        height, width, _ = self._image.shape
        means = []
        for top in (0, height // 2):
            for left in (0, width // 2):
                part = self._image[
                    top + height // 8 : top + height * 3 // 8, left + width // 8 : left + width * 3 // 8, :3
                ]
                means.append(tuple(int(value) for value in part.reshape(-1, 3).mean(axis=0)))
        return means

    def sees(self, colours: tuple = QUADRANTS) -> bool:
        seen = self.colours()
        return seen is not None and all(
            abs(have - want) < COLOUR_TOLERANCE
            for quadrant, expected in zip(seen, colours)
            for have, want in zip(quadrant, expected)
        )

    async def close(self) -> None:
        await _cancel(self._task)
        await self._stream.aclose()


async def _cancel(task: asyncio.Task) -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
