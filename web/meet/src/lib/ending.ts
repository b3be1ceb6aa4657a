/** What being out of the room means, by the reason that LiveKit's protocol gives. */
import { DisconnectReason } from 'livekit-client';
import { type EndingText, endings } from '../texts';

export interface Ending extends EndingText {
  /** LiveKit's name of the reason. */
  reason: string;
  /** Coming back makes sense at once. */
  canRejoin: boolean;
  /** Coming back as the same user would throw the other one out. */
  offerNewIdentity: boolean;
}

/** Reasons after which somebody else must first change something. */
const FINAL: ReadonlySet<DisconnectReason> = new Set([
  DisconnectReason.PARTICIPANT_REMOVED,
  DisconnectReason.USER_REJECTED,
  DisconnectReason.USER_UNAVAILABLE,
]);

export function endingFor(reason: DisconnectReason | undefined): Ending {
  const known = reason ?? DisconnectReason.UNKNOWN_REASON;
  const name = DisconnectReason[known] ?? 'UNKNOWN_REASON';
  const text = endings[name] ?? endings.UNKNOWN_REASON ?? { title: name, sentence: '' };
  return {
    ...text,
    reason: name,
    canRejoin: !FINAL.has(known),
    offerNewIdentity: known === DisconnectReason.DUPLICATE_IDENTITY,
  };
}
