import type { LocalAudioTrack } from 'livekit-client';
import { Avatar } from '../../components/Avatar';
import { Icon } from '../../components/Icon';
import { LevelMeter } from '../../components/LevelMeter';
import { Video } from '../../components/Video';
import type { Preview as PreviewTrack } from '../../hooks/usePreview';
import { t } from '../../texts';
import css from './Preview.module.css';

interface Props {
  name: string;
  camera: PreviewTrack;
  microphone: PreviewTrack;
  cameraOn: boolean;
  micOn: boolean;
  onCamera: (on: boolean) => void;
  onMic: (on: boolean) => void;
}

/** How one looks and sounds before stepping in. */
export function Preview({ name, camera, microphone, cameraOn, micOn, onCamera, onMic }: Props) {
  const d = t.devices;
  // What was wanted but did not start is shown as off, and pressing it tries again.
  const micShown = micOn && !microphone.problem;
  const cameraShown = cameraOn && !camera.problem;
  const problems = [...new Set([camera.problem, microphone.problem].filter(Boolean))];
  return (
    <div className={css.preview}>
      <div className={css.frame} data-testid="preview">
        {camera.track ? (
          <Video track={camera.track} mirrored label={t.room.you} />
        ) : (
          <div className={css.empty}>
            <Avatar identity={name || '?'} name={name || '?'} />
            <p>{camera.starting ? d.previewStarting : d.previewOff}</p>
          </div>
        )}
        <div className={css.switches}>
          <button
            type="button"
            className={css.switch}
            aria-pressed={micShown}
            aria-label={micShown ? d.turnMicOff : d.turnMicOn}
            title={micShown ? d.turnMicOff : d.turnMicOn}
            data-testid="preview-mic"
            onClick={() => (microphone.problem ? microphone.retry() : onMic(!micOn))}
          >
            <Icon name={micShown ? 'mic' : 'micOff'} />
          </button>
          <button
            type="button"
            className={css.switch}
            aria-pressed={cameraShown}
            aria-label={cameraShown ? d.turnCameraOff : d.turnCameraOn}
            title={cameraShown ? d.turnCameraOff : d.turnCameraOn}
            data-testid="preview-camera"
            onClick={() => (camera.problem ? camera.retry() : onCamera(!cameraOn))}
          >
            <Icon name={cameraShown ? 'camera' : 'cameraOff'} />
          </button>
        </div>
      </div>
      <div className={css.level}>
        <Icon name={microphone.track ? 'mic' : 'micOff'} size={18} />
        <LevelMeter track={microphone.track as LocalAudioTrack | null} />
      </div>
      {problems.map((problem) => (
        <p key={problem} className={css.problem} role="status" data-testid="device-problem">
          {problem}
        </p>
      ))}
    </div>
  );
}
