/** One stay in a room, from asking for a token to leaving. */
import {
  ConnectionError,
  ConnectionErrorReason,
  ConnectionState,
  type LocalTrack,
  Room,
  type RoomOptions,
  VideoPresets,
} from 'livekit-client';
import { askWhy, type Entry, obtainTicket, type Ticket } from '../lib/credentials';
import { endingFor } from '../lib/ending';
import type { Link } from '../lib/link';
import type { Prefs } from '../lib/memory';
import { failure, type Problem, ProblemError, problemFromText } from '../lib/refusal';
import { ChatLog } from './chat';
import { RoomWatch } from './watch';

export interface Call {
  room: Room;
  watch: RoomWatch;
  chat: ChatLog;
  /** By this machine's clock, milliseconds since the epoch. */
  startedAt: number;
}

declare global {
  interface Window {
    /** For tests and for the curious: the room one is in, as livekit-client's `Room`. */
    __fermata: { room: Room | null };
  }
}

/** Enters a room. Throws {@link ProblemError}, whose problem is to be shown. */
export async function enterRoom(
  entry: Entry,
  prefs: Prefs,
  connections: Link['connections'],
): Promise<Call> {
  const ticket = await obtainTicket(entry, window.location.origin);
  const room = new Room(roomOptions(prefs, connections));
  const call = { room, watch: new RoomWatch(room), chat: new ChatLog(room), startedAt: 0 };
  window.__fermata = { room };
  try {
    await room.connect(ticket.url, ticket.token);
  } catch (error) {
    closeCall(call);
    throw new ProblemError(await problemOf(error, ticket));
  }
  return { ...call, startedAt: Date.now() };
}

/**
 * Publishes what the preview showed, each as soon as its device has started. Returns why tracks could not
 * be published; those are stopped.
 */
export async function publishAll(call: Call, tracks: Promise<LocalTrack>[]): Promise<unknown[]> {
  const { room } = call;
  const results = await Promise.allSettled(
    tracks.map(async (opening) => {
      const track = await opening;
      // Permission may come late: after leaving, or after the device was switched on by hand.
      const late =
        room.state === ConnectionState.Disconnected ||
        room.localParticipant.getTrackPublication(track.source);
      if (late) {
        track.stop();
        return;
      }
      try {
        await room.localParticipant.publishTrack(track);
      } catch (error) {
        track.stop();
        throw error;
      }
    }),
  );
  return results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []));
}

/** Gives back tracks that will not be published, also those that are still being started. */
export function stopAll(tracks: Promise<LocalTrack>[]): void {
  for (const opening of tracks) {
    opening.then(
      (track) => track.stop(),
      () => {},
    );
  }
}

export function closeCall(call: Call): void {
  call.watch.close();
  call.chat.close();
  void call.room.disconnect();
  if (window.__fermata.room === call.room) window.__fermata = { room: null };
}

function roomOptions(prefs: Prefs, connections: Link['connections']): Partial<RoomOptions> {
  return {
    adaptiveStream: { pixelDensity: 'screen' },
    dynacast: true,
    audioCaptureDefaults: {
      autoGainControl: true,
      echoCancellation: true,
      noiseSuppression: true,
      ...(prefs.micId ? { deviceId: prefs.micId } : {}),
    },
    videoCaptureDefaults: {
      resolution: VideoPresets.h720.resolution,
      ...(prefs.cameraId ? { deviceId: prefs.cameraId } : {}),
    },
    ...(prefs.speakerId ? { audioOutput: { deviceId: prefs.speakerId } } : {}),
    ...(connections ? { singlePeerConnection: connections === 'single' } : {}),
  };
}

async function problemOf(error: unknown, ticket: Ticket): Promise<Problem> {
  const message = error instanceof Error ? error.message : String(error);
  const told = problemFromText(message) ?? (await askWhy(ticket.url, ticket.token));
  if (told) return told;
  if (error instanceof ConnectionError) {
    const { reason } = error;
    if (reason === ConnectionErrorReason.ServerUnreachable) return failure('unreachable', message);
    if (reason === ConnectionErrorReason.LeaveRequest) return letGo(error.context);
    if (reason === ConnectionErrorReason.Timeout) return failure('timeout', message);
  }
  return failure(/timed out|pc connection/i.test(message) ? 'timeout' : 'unknown', message);
}

/** The server answered the join by sending one out again. */
function letGo(reason: unknown): Problem {
  const {
    reason: code,
    title,
    sentence,
  } = endingFor(typeof reason === 'number' ? reason : undefined);
  return { code: code.toLowerCase(), title, sentence, remedy: '', detail: '' };
}
