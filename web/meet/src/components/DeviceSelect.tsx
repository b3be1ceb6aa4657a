import { useId } from 'react';
import type { Device } from '../call/devices';
import { t } from '../texts';
import css from './Field.module.css';

interface Props {
  label: string;
  devices: Device[];
  value: string;
  onChange: (id: string) => void;
  testId: string;
}

export function DeviceSelect({ label, devices, value, onChange, testId }: Props) {
  const id = useId();
  const known = devices.some((d) => d.id === value);
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        data-testid={testId}
        value={known ? value : ''}
        disabled={devices.length === 0}
        onChange={(event) => onChange(event.target.value)}
      >
        {!known && (
          <option value="">{devices.length ? t.devices.systemDefault : t.devices.none}</option>
        )}
        {devices.map((d) => (
          <option key={d.id} value={d.id}>
            {d.label}
          </option>
        ))}
      </select>
    </div>
  );
}
