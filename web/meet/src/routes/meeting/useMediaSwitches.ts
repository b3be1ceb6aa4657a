import { useCallback, useRef, useState } from 'react';
import type { Call } from '../../call/call';
import { deviceProblem, devicesOffered, screenOffered } from '../../call/devices';
import { t } from '../../texts';

export interface MediaSwitches {
  busy: boolean;
  mic: () => void;
  camera: () => void;
  screen: () => void;
}

/** Switches one's microphone, camera and screen, one at a time, and tells when that fails. */
export function useMediaSwitches(call: Call, tell: (text: string) => void): MediaSwitches {
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const me = call.room.localParticipant;

  const run = useCallback(
    async (act: () => Promise<unknown>, why: (error: unknown) => string) => {
      if (running.current) return;
      if (!(me.permissions?.canPublish ?? true)) {
        tell(t.state.notAllowed);
        return;
      }
      running.current = true;
      setBusy(true);
      try {
        await act();
      } catch (error) {
        const text = why(error);
        if (text) tell(text);
      } finally {
        running.current = false;
        setBusy(false);
      }
    },
    [me, tell],
  );

  const device = (kind: 'videoinput' | 'audioinput', act: () => Promise<unknown>) => {
    if (!devicesOffered()) {
      tell(t.devices.insecure);
      return;
    }
    void run(act, (error) => deviceProblem(error, kind));
  };

  return {
    busy,
    mic: () => device('audioinput', () => me.setMicrophoneEnabled(!me.isMicrophoneEnabled)),
    camera: () => device('videoinput', () => me.setCameraEnabled(!me.isCameraEnabled)),
    screen: () => {
      if (!screenOffered()) {
        tell(t.state.shareUnsupported);
        return;
      }
      void run(
        () => me.setScreenShareEnabled(!me.isScreenShareEnabled, { audio: true }),
        // Closing the browser's own dialog is no failure.
        (error) => (isDismissal(error) ? '' : t.state.shareFailed),
      );
    },
  };
}

function isDismissal(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotAllowedError';
}
