import {
  createLocalAudioTrack,
  createLocalVideoTrack,
  type LocalTrack,
  VideoPresets,
} from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { deviceProblem, devicesOffered } from '../call/devices';

type Kind = 'camera' | 'microphone';

const inputs = { camera: 'videoinput', microphone: 'audioinput' } as const;

export interface Preview {
  track: LocalTrack | null;
  /** Being started; the browser may be asking for permission. */
  starting: boolean;
  /** Why there is no track although one was wanted. */
  problem: string;
  /** Tries once more after a problem. */
  retry: () => void;
  /** Hands the track over, also one that is still being started: the preview will no longer stop it. */
  take: () => Promise<LocalTrack> | null;
}

interface Opening {
  made: Promise<LocalTrack>;
  /** Whether somebody else looks after it by now. */
  given: boolean;
}

/** Keeps one local track alive while `wanted`, and stops it afterwards. */
export function usePreview(kind: Kind, wanted: boolean, deviceId: string): Preview {
  const [track, setTrack] = useState<LocalTrack | null>(null);
  const [starting, setStarting] = useState(false);
  const [problem, setProblem] = useState('');
  const [attempt, setAttempt] = useState(0);
  const opening = useRef<Opening | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt is a reason to try again.
  useEffect(() => {
    setProblem('');
    if (!wanted) return;
    let current = true;
    if (!devicesOffered()) {
      setProblem(deviceProblem(null, inputs[kind]));
      return;
    }
    setStarting(true);
    const mine: Opening = { made: openDevice(kind, deviceId), given: false };
    opening.current = mine;
    mine.made.then(
      (made) => {
        if (!current) return;
        setTrack(made);
        setStarting(false);
      },
      (error: unknown) => {
        if (!current) return;
        opening.current = null;
        setProblem(deviceProblem(error, inputs[kind]));
        setStarting(false);
      },
    );
    return () => {
      current = false;
      setStarting(false);
      // A track that was handed over goes on being shown until joining has succeeded or failed.
      if (mine.given) return;
      opening.current = null;
      mine.made.then(
        (made) => made.stop(),
        () => {},
      );
      setTrack(null);
    };
  }, [kind, wanted, deviceId, attempt]);

  const take = useCallback(() => {
    const given = opening.current;
    opening.current = null;
    if (!given) return null;
    given.given = true;
    return given.made;
  }, []);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);

  return { track, starting, problem, retry, take };
}

/** Starts a device. The one chosen last time may be gone; then any other serves. */
export async function openDevice(kind: Kind, deviceId: string): Promise<LocalTrack> {
  try {
    return await create(kind, deviceId);
  } catch (error) {
    const refused = error instanceof Error && error.name === 'NotAllowedError';
    if (deviceId && !refused) return create(kind, '');
    throw error;
  }
}

function create(kind: Kind, deviceId: string): Promise<LocalTrack> {
  const chosen = deviceId ? { deviceId } : {};
  return kind === 'camera'
    ? createLocalVideoTrack({ resolution: VideoPresets.h720.resolution, ...chosen })
    : createLocalAudioTrack({
        autoGainControl: true,
        echoCancellation: true,
        noiseSuppression: true,
        ...chosen,
      });
}
