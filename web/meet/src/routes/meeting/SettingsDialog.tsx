import { useState } from 'react';
import type { Call } from '../../call/call';
import { type DeviceKind, deviceProblem, speakerOffered } from '../../call/devices';
import { DeviceSelect } from '../../components/DeviceSelect';
import { Dialog } from '../../components/Dialog';
import { useDevices } from '../../hooks/useDevices';
import { browserStore, type Prefs, readPrefs, writePrefs } from '../../lib/memory';
import { t } from '../../texts';

interface Props {
  call: Call;
  canPublish: boolean;
  tell: (text: string) => void;
  onClose: () => void;
}

const keys: Record<DeviceKind, keyof Prefs & `${string}Id`> = {
  audioinput: 'micId',
  videoinput: 'cameraId',
  audiooutput: 'speakerId',
};

/** Changes devices in the middle of a call. */
export function SettingsDialog({ call, canPublish, tell, onClose }: Props) {
  const devices = useDevices(0);
  const [prefs, setPrefs] = useState(() => readPrefs(browserStore()));
  const { room } = call;

  const change = async (kind: DeviceKind, id: string) => {
    const part = { [keys[kind]]: id };
    setPrefs((p) => ({ ...p, ...part }));
    writePrefs(browserStore(), part);
    try {
      await room.switchActiveDevice(kind, id);
    } catch (error) {
      tell(deviceProblem(error, kind));
    }
  };

  const select = (kind: DeviceKind, label: string, testId: string) => (
    <DeviceSelect
      label={label}
      testId={testId}
      devices={devices[kind]}
      value={room.getActiveDevice(kind) || prefs[keys[kind]]}
      onChange={(id) => void change(kind, id)}
    />
  );

  return (
    <Dialog title={t.devices.title} onClose={onClose} testId="settings-dialog">
      {canPublish && select('videoinput', t.devices.camera, 'camera-select')}
      {canPublish && select('audioinput', t.devices.microphone, 'mic-select')}
      {speakerOffered() && select('audiooutput', t.devices.speaker, 'speaker-select')}
    </Dialog>
  );
}
