import type { Person } from '../../call/watch';
import { Avatar } from '../../components/Avatar';
import { Button } from '../../components/Button';
import { Icon } from '../../components/Icon';
import { t } from '../../texts';
import { Panel } from './Panel';
import css from './PeoplePanel.module.css';
import { QualityMark } from './QualityMark';

interface Props {
  people: readonly Person[];
  onInvite: () => void;
  onClose: () => void;
}

export function PeoplePanel({ people, onInvite, onClose }: Props) {
  const sorted = [...people].sort(
    (a, b) => Number(b.isLocal) - Number(a.isLocal) || a.name.localeCompare(b.name),
  );
  return (
    <Panel title={`${t.controls.people} · ${people.length}`} onClose={onClose} testId="people">
      <ul className={css.list}>
        {sorted.map((p) => (
          <li
            key={p.identity}
            className={css.person}
            data-testid="person"
            data-identity={p.identity}
          >
            <Avatar identity={p.identity} name={p.name} small />
            <span className={css.name}>
              {p.name}
              {p.isLocal && <small> {t.room.youSuffix}</small>}
            </span>
            {p.screen && <Icon name="screen" size={18} />}
            <span className={css.quality}>
              <QualityMark quality={p.quality} />
            </span>
            <Mark on={Boolean(p.camera && !p.camera.muted)} icons={['camera', 'cameraOff']} />
            <Mark
              on={Boolean(p.microphone && !p.microphone.muted)}
              speaking={p.speaking}
              icons={['mic', 'micOff']}
            />
          </li>
        ))}
      </ul>
      <div className={css.foot}>
        <Button wide onClick={onInvite}>
          <Icon name="link" size={18} />
          {t.controls.invite}
        </Button>
      </div>
    </Panel>
  );
}

interface MarkProps {
  on: boolean;
  speaking?: boolean;
  icons: ['camera', 'cameraOff'] | ['mic', 'micOff'];
}

function Mark({ on, speaking, icons }: MarkProps) {
  const classes = [css.mark, !on && css.off, on && speaking && css.speaking];
  return (
    <span className={classes.filter(Boolean).join(' ')}>
      <Icon name={on ? icons[0] : icons[1]} size={18} />
    </span>
  );
}
