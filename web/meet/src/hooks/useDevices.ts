import { useEffect, useState } from 'react';
import { type Device, type DeviceKind, listDevices } from '../call/devices';

const none: Record<DeviceKind, Device[]> = { audioinput: [], videoinput: [], audiooutput: [] };

/** The devices there are. `revision` changes when permission may have revealed more. */
export function useDevices(revision: unknown): Record<DeviceKind, Device[]> {
  const [devices, setDevices] = useState(none);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the revision is the reason to look again.
  useEffect(() => {
    let current = true;
    const look = () => {
      listDevices().then(
        (found) => current && setDevices(found),
        () => current && setDevices(none),
      );
    };
    look();
    navigator.mediaDevices?.addEventListener?.('devicechange', look);
    return () => {
      current = false;
      navigator.mediaDevices?.removeEventListener?.('devicechange', look);
    };
  }, [revision]);
  return devices;
}
