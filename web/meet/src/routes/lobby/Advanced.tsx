import { TextField } from '../../components/TextField';
import { t } from '../../texts';
import css from './Lobby.module.css';

export interface AdvancedFields {
  sdkAppId: string;
  userId: string;
  userSig: string;
  privateMapKey: string;
}

export const noFields: AdvancedFields = {
  sdkAppId: '',
  userId: '',
  userSig: '',
  privateMapKey: '',
};

interface Props {
  fields: AdvancedFields;
  onFields: (fields: AdvancedFields) => void;
  viewer: boolean;
  onViewer: (viewer: boolean) => void;
  open: boolean;
}

/** What most people never need: coming as a viewer, or with a UserSig. */
export function Advanced({ fields, onFields, viewer, onViewer, open }: Props) {
  const field = (key: keyof AdvancedFields, label: string, testId: string) => (
    <TextField
      label={label}
      testId={testId}
      value={fields[key]}
      onChange={(value) => onFields({ ...fields, [key]: value })}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
    />
  );
  return (
    <details className={css.advanced} open={open || viewer}>
      <summary data-testid="advanced">{t.lobby.advanced}</summary>
      <div className={css.advancedBody}>
        <label className={css.check}>
          <input
            type="checkbox"
            data-testid="viewer"
            checked={viewer}
            onChange={(event) => onViewer(event.target.checked)}
          />
          <span>
            {t.lobby.viewer}
            <small>{t.lobby.viewerHint}</small>
          </span>
        </label>
        <p className={css.hint}>{t.lobby.advancedHint}</p>
        {field('sdkAppId', t.lobby.sdkAppId, 'sdk-app-id')}
        {field('userId', t.lobby.userId, 'user-id')}
        {field('userSig', t.lobby.userSig, 'user-sig')}
        {field('privateMapKey', t.lobby.privateMapKey, 'private-map-key')}
      </div>
    </details>
  );
}
