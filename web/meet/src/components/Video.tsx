import type { Track } from 'livekit-client';
import { useEffect, useRef, useState } from 'react';
import css from './Video.module.css';

interface Props {
  track: Track;
  /** Oneself is shown as in a mirror. */
  mirrored?: boolean;
  /** Show all of it, as screens want it; a face may fill its tile. */
  whole?: boolean;
  label: string;
}

/** Shows a video track. The sound goes through {@link Sound}. */
export function Video({ track, mirrored = false, whole = false, label }: Props) {
  const ref = useRef<HTMLVideoElement>(null);
  const [upright, setUpright] = useState(false);
  // Until the first picture comes, what lies behind is seen.
  const [shows, setShows] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    track.attach(element);
    return () => {
      track.detach(element);
      setShows(false);
    };
  }, [track]);
  const classes = [
    css.video,
    shows && css.shows,
    mirrored && css.mirrored,
    (whole || upright) && css.whole,
  ];
  return (
    <video
      ref={ref}
      className={classes.filter(Boolean).join(' ')}
      aria-label={label}
      data-testid="tile-video"
      autoPlay
      playsInline
      muted
      onResize={(event) => {
        const { videoWidth, videoHeight } = event.currentTarget;
        setUpright(videoHeight > videoWidth);
        setShows(videoWidth > 0);
      }}
    />
  );
}

/** Plays an audio track, unseen. */
export function Sound({ track, identity }: { track: Track; identity: string }) {
  const ref = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    track.attach(element);
    return () => {
      track.detach(element);
    };
  }, [track]);
  return (
    // biome-ignore lint/a11y/useMediaCaption: live speech has no captions.
    <audio ref={ref} data-testid="sound" data-identity={identity} data-source={track.source} />
  );
}
