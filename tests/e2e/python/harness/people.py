"""People: LiveKit's own Python client, with a diary of what it was told."""

import itertools
from dataclasses import dataclass, field

from livekit import rtc

from .media import Ear, Eye, Picture, Tone
from .tokens import token
from .until import until

# "v0" is two connections and /rtc, "v1" one connection and /rtc/v1.
PROTOCOLS = ("v0", "v1")

DIARY = (
    "participant_connected participant_disconnected track_published track_unpublished track_subscribed "
    "track_unsubscribed track_muted track_unmuted participant_metadata_changed participant_name_changed "
    "participant_attributes_changed data_received disconnected reconnecting reconnected "
    "active_speakers_changed local_track_published local_track_unpublished local_track_republished "
    "connection_state_changed room_metadata_changed"
).split()


@dataclass
class Person:
    """One client in one room. Events are kept, in order, as (name, arguments)."""

    room: rtc.Room
    protocol: str
    diary: list[tuple[str, tuple]] = field(default_factory=list)
    closing: list = field(default_factory=list)

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    @property
    def identity(self) -> str:
        return self.me.identity

    def told(self, name: str) -> list[tuple]:
        """Arguments of every event of that name so far."""
        return [arguments for event, arguments in self.diary if event == name]

    async def publish(self, what: Tone | Picture) -> rtc.LocalTrackPublication:
        self.closing.append(what)
        return await self.me.publish_track(what.track, what.options)

    async def sees_person(self, identity: str, seconds: float = 10.0) -> rtc.RemoteParticipant:
        return await until(
            f"{self.identity} knows of {identity}", lambda: self.room.remote_participants.get(identity), seconds
        )

    def publications(self, identity: str, kind: int) -> list[rtc.RemoteTrackPublication]:
        other = self.room.remote_participants.get(identity)
        return [p for p in other.track_publications.values() if p.kind == kind] if other else []

    async def publication(self, identity: str, kind: int, seconds: float = 10.0) -> rtc.RemoteTrackPublication:
        """The first publication of that kind, once its track is here."""

        def find():
            return next((p for p in self.publications(identity, kind) if p.track is not None), None)

        return await until(f"{self.identity} gets {rtc.TrackKind.Name(kind)} of {identity}", find, seconds)

    async def listen(self, identity: str) -> Ear:
        publication = await self.publication(identity, rtc.TrackKind.KIND_AUDIO)
        ear = Ear(publication.track)
        self.closing.append(ear)
        return ear

    async def watch(self, identity: str) -> Eye:
        publication = await self.publication(identity, rtc.TrackKind.KIND_VIDEO)
        eye = Eye(publication.track)
        self.closing.append(eye)
        return eye

    async def leave(self) -> None:
        for closing in reversed(self.closing):
            await closing.close()
        self.closing.clear()
        await self.room.disconnect()


class Guests:
    """Lets people in, and out again at the end of the test."""

    _numbers = itertools.count(1)

    def __init__(self, url: str, room: str):
        self.url = url
        self.room = room
        self.people: list[Person] = []

    async def join(
        self,
        identity: str | None = None,
        protocol: str = "v1",
        *,
        room: str | None = None,
        url: str | None = None,
        jwt: str | None = None,
        encryption: rtc.E2EEOptions | None = None,
        auto_subscribe: bool = True,
        rtc_config: rtc.RtcConfiguration | None = None,
        **grants,
    ) -> Person:
        identity = identity or f"guest-{next(self._numbers)}"
        person = Person(rtc.Room(), protocol)
        for event in DIARY:
            person.room.on(event, self._note(person, event))
        options = rtc.RoomOptions(
            auto_subscribe=auto_subscribe,
            single_peer_connection=protocol == "v1",
            encryption=encryption,
            rtc_config=rtc_config,
        )
        jwt = jwt or token(identity, room or self.room, **grants)
        await person.room.connect(url or self.url, jwt, options)
        self.people.append(person)
        return person

    @staticmethod
    def _note(person: Person, event: str):
        return lambda *arguments: person.diary.append((event, arguments))

    async def all_leave(self) -> None:
        for person in self.people:
            await person.leave()
        self.people.clear()
