"""Sound and pictures arrive as what they are, on both protocols and with every codec."""

import pytest
from livekit import rtc

from harness.media import BLUE, GREEN, RED, YELLOW, Picture, Tone
from harness.until import until


async def test_a_tone_is_that_tone(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Tone(440.0))
    await ben.publish(Tone(1250.0))
    at_ben, at_anna = await ben.listen("anna"), await anna.listen("ben")
    await until("ben hears anna's tone", lambda: at_ben.hears(440.0))
    await until("anna hears ben's tone", lambda: at_anna.hears(1250.0))


async def test_colours_are_those_colours(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Picture())
    turned = (YELLOW, BLUE, GREEN, RED)
    await ben.publish(Picture(320, 240, colours=turned))
    at_ben, at_anna = await ben.watch("anna"), await anna.watch("ben")
    await until("ben sees anna's colours", lambda: at_ben.sees())
    await until("anna sees ben's colours", lambda: at_anna.sees(turned))
    assert at_ben.size == (640, 360)
    assert at_anna.size == (320, 240)


async def test_the_two_protocols_meet(guests):
    anna = await guests.join("anna", "v0")
    ben = await guests.join("ben", "v1")
    for person, tone in ((anna, 500.0), (ben, 900.0)):
        await person.publish(Tone(tone))
        await person.publish(Picture(320, 180))
    for person, other, tone in ((anna, "ben", 900.0), (ben, "anna", 500.0)):
        ear, eye = await person.listen(other), await person.watch(other)
        await until(f"{person.identity} hears {other}", lambda: ear.hears(tone))
        await until(f"{person.identity} sees {other}", eye.sees)


@pytest.mark.parametrize("codec", ["H264", "VP9", "AV1"])
async def test_other_codecs(guests, codec):
    anna = await guests.join("anna", "v1")
    ben = await guests.join("ben", "v0")
    await anna.publish(Picture(480, 270, codec=rtc.VideoCodec.Value(codec)))
    eye = await ben.watch("anna")
    await until(f"colours in {codec}", eye.sees, 20)
    publication = await ben.publication("anna", rtc.TrackKind.KIND_VIDEO)
    assert publication.mime_type.lower() == f"video/{codec.lower()}"


async def test_who_comes_late_gets_everything(guests, protocol):
    anna = await guests.join("anna", protocol)
    await anna.publish(Tone(660.0))
    await anna.publish(Picture())
    ben = await guests.join("ben", protocol)
    ear, eye = await ben.listen("anna"), await ben.watch("anna")
    await until("the tone", lambda: ear.hears(660.0))
    await until("the colours", eye.sees)


async def test_tracks_come_and_go(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    for round_number in range(3):
        picture = Picture(320, 180)
        publication = await anna.publish(picture)
        eye = await ben.watch("anna")
        await until(f"colours in round {round_number}", eye.sees)
        await anna.me.unpublish_track(publication.sid)
        await until("ben is told", lambda: len(ben.told("track_unpublished")) == round_number + 1)


async def test_subscription_is_a_choice(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol, auto_subscribe=False)
    await anna.publish(Picture(320, 180))
    publications = await until("ben knows of it", lambda: ben.publications("anna", rtc.TrackKind.KIND_VIDEO))
    assert publications[0].track is None and not ben.told("track_subscribed")
    publications[0].set_subscribed(True)
    eye = await ben.watch("anna")
    await until("the colours", eye.sees)
    publications[0].set_subscribed(False)
    await until("the track is gone", lambda: ben.told("track_unsubscribed"))


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_requested_quality_changes_the_layer(guests, codec, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    picture = Picture(
        960, 540, codec=rtc.VideoCodec.Value(codec), simulcast=True, fps=15, max_bitrate=900_000
    )
    await anna.publish(picture)
    publication = await ben.publication("anna", rtc.TrackKind.KIND_VIDEO)
    eye = await ben.watch("anna")
    steps = (
        (rtc.VideoQuality.VIDEO_QUALITY_LOW, (320, 180)),
        (rtc.VideoQuality.VIDEO_QUALITY_HIGH, (960, 540)),
        (rtc.VideoQuality.VIDEO_QUALITY_MEDIUM, (640, 360)),
        (rtc.VideoQuality.VIDEO_QUALITY_LOW, (320, 180)),
    )
    for quality, size in steps:
        publication.set_video_quality(quality)
        await until(lambda: f"{codec} as {size}; it is {eye.size}", lambda: eye.size == size, 15)
        await until("the colours", eye.sees)


# Layers within one stream.
@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_requested_quality_changes_the_spatial_layer(guests, codec):
    anna = await guests.join("anna", "v1")
    ben = await guests.join("ben", "v0")
    picture = Picture(960, 540, codec=rtc.VideoCodec.Value(codec), fps=15, max_bitrate=1_500_000)
    picture.options.scalability_mode = "L3T3_KEY"
    await anna.publish(picture)
    publication = await ben.publication("anna", rtc.TrackKind.KIND_VIDEO)
    eye = await ben.watch("anna")
    steps = (
        (rtc.VideoQuality.VIDEO_QUALITY_HIGH, 540),
        (rtc.VideoQuality.VIDEO_QUALITY_LOW, 135),
        (rtc.VideoQuality.VIDEO_QUALITY_MEDIUM, 270),
        (rtc.VideoQuality.VIDEO_QUALITY_HIGH, 540),
    )
    for quality, height in steps:
        publication.set_video_quality(quality)
        await until(
            lambda: f"{codec} at {height}; it is {eye.size}",
            lambda: eye.size and abs(eye.size[1] - height) <= 1,
            25,
        )
        await until("the colours", eye.sees)


async def test_mute_is_told_and_sound_comes_back(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    tone = Tone(700.0)
    await anna.publish(tone)
    ear = await ben.listen("anna")
    await until("the tone", lambda: ear.hears(700.0))
    tone.track.mute()
    await until("ben is told of the mute", lambda: ben.told("track_muted"))
    await until("silence", lambda: ear.tone() is None)
    tone.track.unmute()
    await until("ben is told of the end of it", lambda: ben.told("track_unmuted"))
    ear.forget()
    await until("the tone again", lambda: ear.hears(700.0))


async def test_speakers_are_named(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Tone(300.0))

    def ben_knows():
        return any("anna" in [who.identity for who in speakers] for (speakers,) in ben.told("active_speakers_changed"))

    await until("ben is told that anna speaks", ben_knows)


def encryption(key: bytes) -> rtc.E2EEOptions:
    return rtc.E2EEOptions(rtc.KeyProviderOptions(shared_key=key))


async def test_encrypted_end_to_end(guests, protocol):
    """Who has the key hears and sees; who has another gets neither, though the media are forwarded."""
    anna = await guests.join("anna", protocol, encryption=encryption(b"the same for both"))
    ben = await guests.join("ben", protocol, encryption=encryption(b"the same for both"))
    eve = await guests.join("eve", protocol, encryption=encryption(b"something else"))
    await anna.publish(Tone(550.0))
    await anna.publish(Picture(320, 180))
    ear, eye = await ben.listen("anna"), await ben.watch("anna")
    eves_ear, eves_eye = await eve.listen("anna"), await eve.watch("anna")
    await until("ben hears", lambda: ear.hears(550.0), 15)
    await until("ben sees", eye.sees, 15)
    seen = eye.frames
    await until("many frames later", lambda: eye.frames > seen + 20, 15)
    assert not eves_ear.hears(550.0)
    assert eves_eye.frames == 0 or not eves_eye.sees()
