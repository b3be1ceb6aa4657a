import { Dialog } from '../../components/Dialog';
import { TextField } from '../../components/TextField';
import { t } from '../../texts';

/** The link to copy by hand, where the browser does not let the page do it. */
export function InviteDialog({ link, onClose }: { link: string; onClose: () => void }) {
  return (
    <Dialog title={t.controls.inviteTitle} onClose={onClose} testId="invite-dialog">
      <TextField
        label={t.controls.inviteByHand}
        testId="invite-link"
        value={link}
        onChange={() => {}}
        onFocus={(event) => event.currentTarget.select()}
        readOnly
      />
    </Dialog>
  );
}
