/** Watches a LiveKit room and offers one immutable picture of it for React to draw. */
import {
  ConnectionQuality,
  ConnectionState,
  type Participant,
  type Room,
  RoomEvent,
  Track,
  type TrackPublication,
} from 'livekit-client';

export type Quality = 'excellent' | 'good' | 'poor' | 'lost' | 'unknown';

export interface Media {
  sid: string;
  track: Track | undefined;
  muted: boolean;
  /** The server paused it because the receiver's connection is too slow. */
  paused: boolean;
}

export interface Person {
  identity: string;
  name: string;
  isLocal: boolean;
  /** Milliseconds since the epoch; 0 when unknown. */
  joinedAt: number;
  speaking: boolean;
  /** Milliseconds since the epoch; 0 when never. */
  lastSpokeAt: number;
  quality: Quality;
  microphone: Media | null;
  camera: Media | null;
  screen: Media | null;
  screenAudio: Media | null;
}

export interface RoomPicture {
  state: ConnectionState;
  name: string;
  me: Person;
  /** Oneself first, then the others in no particular order. */
  people: Person[];
  canPublish: boolean;
  canSendData: boolean;
  canPlayAudio: boolean;
}

/** Several events in a row make one new picture, milliseconds. */
const SETTLE_MS = 16;

const WATCHED = [
  RoomEvent.ConnectionStateChanged,
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackSubscriptionStatusChanged,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ParticipantPermissionsChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.AudioPlaybackStatusChanged,
  RoomEvent.Reconnected,
  RoomEvent.Moved,
] as const;

export class RoomWatch {
  private picture: RoomPicture;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly room: Room) {
    this.picture = draw(room);
    for (const event of WATCHED) room.on(event, this.schedule);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  current = (): RoomPicture => this.picture;

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    for (const event of WATCHED) this.room.off(event, this.schedule);
    this.listeners.clear();
  }

  private schedule = (): void => {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.picture = draw(this.room);
      for (const listener of this.listeners) listener();
    }, SETTLE_MS);
  };
}

export const isBroken = (state: ConnectionState): boolean =>
  state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting;

function draw(room: Room): RoomPicture {
  const me = person(room.localParticipant, true);
  const permissions = room.localParticipant.permissions;
  return {
    state: room.state,
    name: room.name,
    me,
    people: [me, ...[...room.remoteParticipants.values()].map((p) => person(p, false))],
    canPublish: permissions?.canPublish ?? true,
    canSendData: permissions?.canPublishData ?? true,
    canPlayAudio: room.canPlaybackAudio,
  };
}

function person(p: Participant, isLocal: boolean): Person {
  return {
    identity: p.identity,
    name: p.name || p.identity,
    isLocal,
    joinedAt: p.joinedAt?.getTime() ?? 0,
    speaking: p.isSpeaking,
    lastSpokeAt: p.lastSpokeAt?.getTime() ?? 0,
    quality: quality(p.connectionQuality),
    microphone: media(p.getTrackPublication(Track.Source.Microphone)),
    camera: media(p.getTrackPublication(Track.Source.Camera)),
    screen: media(p.getTrackPublication(Track.Source.ScreenShare)),
    screenAudio: media(p.getTrackPublication(Track.Source.ScreenShareAudio)),
  };
}

function media(publication: TrackPublication | undefined): Media | null {
  if (!publication) return null;
  return {
    sid: publication.trackSid,
    track: publication.track,
    muted: publication.isMuted,
    paused: publication.track?.streamState === Track.StreamState.Paused,
  };
}

function quality(value: ConnectionQuality): Quality {
  switch (value) {
    case ConnectionQuality.Excellent:
      return 'excellent';
    case ConnectionQuality.Good:
      return 'good';
    case ConnectionQuality.Poor:
      return 'poor';
    case ConnectionQuality.Lost:
      return 'lost';
    default:
      return 'unknown';
  }
}
