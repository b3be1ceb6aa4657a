"""A LiveKit Agents worker without any provider: it says back what it hears. Runs in an environment of its own.

Arguments: URL, API key, API secret, name of the agent (empty: it is sent to every new room).
"""

import asyncio
import sys

from livekit import rtc
from livekit.agents import AgentServer, AutoSubscribe, JobContext, JobExecutorType

RATE = 48000

_echoes: set[asyncio.Task] = set()


async def echo(source: rtc.AudioSource, track: rtc.Track) -> None:
    async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
        await source.capture_frame(event.frame)


async def entrypoint(job: JobContext) -> None:
    source = rtc.AudioSource(RATE, 1, queue_size_ms=400)
    voice = rtc.LocalAudioTrack.create_audio_track("echo", source)

    def heard(track: rtc.Track, *_) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            task = asyncio.create_task(echo(source, track))
            _echoes.add(task)
            task.add_done_callback(_echoes.discard)

    job.room.on("track_subscribed", heard)
    await job.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
    await job.room.local_participant.publish_track(voice, options)
    await job.room.local_participant.set_attributes({"metadata-of-job": job.job.metadata})


def main(url: str, key: str, secret: str, name: str) -> None:
    # Threads, because a process for each job takes seconds to start; no load, because a busy machine is no reason
    # to refuse the only job of a test.
    server = AgentServer(
        job_executor_type=JobExecutorType.THREAD,
        ws_url=url,
        api_key=key,
        api_secret=secret,
        host="127.0.0.1",
        port=0,
        num_idle_processes=1,
        load_fnc=lambda: 0.0,
        initialize_process_timeout=60.0,
    )
    server.rtc_session(entrypoint, agent_name=name)

    @server.on("worker_registered")
    def registered(worker_id: str, _info) -> None:
        print(f"registered {worker_id}", flush=True)

    asyncio.run(server.run(devmode=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
