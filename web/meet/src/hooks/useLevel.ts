import { createAudioAnalyser, type LocalAudioTrack } from 'livekit-client';
import { type RefObject, useEffect } from 'react';

/** How often the level is read, milliseconds. */
const EVERY_MS = 60;

/**
 * Writes a track's loudness to an element, without drawing React anew: custom property `--level` from
 * 0 to 1 and `aria-valuenow` from 0 to 100.
 */
export function useLevel(track: LocalAudioTrack | null, ref: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const show = (level: number) => {
      element.style.setProperty('--level', level.toFixed(3));
      element.setAttribute('aria-valuenow', String(Math.round(level * 100)));
    };
    show(0);
    if (!track) return;
    const options = { fftSize: 1024, smoothingTimeConstant: 0.3 };
    const { analyser, cleanup } = createAudioAnalyser(track, options);
    const samples = new Float32Array(analyser.fftSize);
    let shown = 0;
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      const decibels = 20 * Math.log10(Math.sqrt(sum / samples.length) + 1e-6);
      // From a quiet room, -60 dB, to loud speech, -12 dB.
      const level = Math.min(1, Math.max(0, (decibels + 60) / 48));
      shown = Math.max(level, shown * 0.85);
      show(shown);
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
      void cleanup().catch(() => {});
      show(0);
    };
  }, [track, ref]);
}
