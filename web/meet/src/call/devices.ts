/** Cameras, microphones and speakers: what there is, and why one cannot be had. */
import { t } from '../texts';

export type DeviceKind = 'audioinput' | 'videoinput' | 'audiooutput';

export interface Device {
  id: string;
  label: string;
}

/** Browsers offer devices only to pages that arrived safely. */
export const devicesOffered = (): boolean => Boolean(navigator.mediaDevices?.getUserMedia);

/** Telephones do not share their screens with pages. */
export const screenOffered = (): boolean => Boolean(navigator.mediaDevices?.getDisplayMedia);

/** Not every browser lets a page choose where sound goes. */
export const speakerOffered = (): boolean => 'setSinkId' in HTMLMediaElement.prototype;

const words: Record<DeviceKind, string> = {
  audioinput: t.devices.microphone,
  videoinput: t.devices.camera,
  audiooutput: t.devices.speaker,
};

const plainWords: Record<DeviceKind, string> = {
  audioinput: t.devices.microphoneWord,
  videoinput: t.devices.cameraWord,
  audiooutput: t.devices.speakerWord,
};

export async function listDevices(): Promise<Record<DeviceKind, Device[]>> {
  const found: Record<DeviceKind, Device[]> = { audioinput: [], videoinput: [], audiooutput: [] };
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  for (const device of all) {
    // Before permission is given, browsers list devices without an id.
    if (!device.deviceId) continue;
    const list = found[device.kind];
    const label = device.label || t.devices.unnamed(words[device.kind], list.length + 1);
    list.push({ id: device.deviceId, label });
  }
  return found;
}

/** A sentence for why a device did not start. */
export function deviceProblem(error: unknown, kind: DeviceKind): string {
  const what = plainWords[kind];
  if (!devicesOffered()) return t.devices.insecure;
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return t.devices.denied(what);
    case 'NotFoundError':
    case 'DevicesNotFoundError':
    case 'OverconstrainedError':
      return t.devices.missing(what);
    case 'NotReadableError':
    case 'AbortError':
      return t.devices.busy(what);
    default:
      return t.devices.failed(what);
  }
}
