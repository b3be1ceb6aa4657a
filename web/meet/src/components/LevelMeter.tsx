import type { LocalAudioTrack } from 'livekit-client';
import { useRef } from 'react';
import { useLevel } from '../hooks/useLevel';
import { t } from '../texts';
import css from './LevelMeter.module.css';

/** Shows how loud the microphone is. */
export function LevelMeter({ track }: { track: LocalAudioTrack | null }) {
  const ref = useRef<HTMLDivElement>(null);
  useLevel(track, ref);
  return (
    // biome-ignore lint/a11y/useSemanticElements: the browser's own meter cannot be drawn as lamps.
    <div
      ref={ref}
      className={css.meter}
      role="meter"
      aria-label={t.devices.level}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
      data-testid="level-meter"
    />
  );
}
