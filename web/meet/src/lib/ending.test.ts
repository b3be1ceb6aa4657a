// Checks that there are words for each reason that the protocol knows.
import { DisconnectReason } from 'livekit-client';
import { expect, it } from 'vitest';
import { endings } from '../texts';
import { endingFor } from './ending';

const names = Object.values(DisconnectReason).filter((v): v is string => typeof v === 'string');

it.each(names)('has words for %s', (name) => {
  const reason = DisconnectReason[name as keyof typeof DisconnectReason];
  expect(endings[name]).toBeDefined();
  expect(endingFor(reason)).toMatchObject({ reason: name, title: endings[name]?.title });
});

it('has words for no reason and for one that is not invented yet', () => {
  expect(endingFor(undefined).reason).toBe('UNKNOWN_REASON');
  expect(endingFor(999 as DisconnectReason).reason).toBe('UNKNOWN_REASON');
});

it('offers the way back that fits', () => {
  expect(endingFor(DisconnectReason.PARTICIPANT_REMOVED).canRejoin).toBe(false);
  expect(endingFor(DisconnectReason.SERVER_SHUTDOWN).canRejoin).toBe(true);
  expect(endingFor(DisconnectReason.DUPLICATE_IDENTITY).offerNewIdentity).toBe(true);
});
