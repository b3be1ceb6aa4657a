import { Dialog } from '../../components/Dialog';
import { t } from '../../texts';
import css from './HelpDialog.module.css';

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t.controls.help} onClose={onClose} testId="help-dialog">
      <dl className={css.keys}>
        {t.shortcuts.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
