//! Numbers of SRTCP packets that came, by their sender, against repetition (RFC 3711 section 3.3.2).

use std::time::Instant;

use fermata_srtp::ReplayWindow;

use crate::limits::RTCP_SENDERS_MAX;

#[derive(Debug)]
struct Sender {
    ssrc: u32,
    window: ReplayWindow,
    heard: Instant,
}

/// At most [`RTCP_SENDERS_MAX`] of them; the one not heard for longest makes room.
#[derive(Debug, Default)]
pub(super) struct RtcpSenders(Vec<Sender>);

impl RtcpSenders {
    /// Notes an authentic packet; false if it came before.
    pub(super) fn is_new(&mut self, ssrc: u32, index: u32, now: Instant) -> bool {
        let index = u64::from(index);
        if let Some(sender) = self.0.iter_mut().find(|sender| sender.ssrc == ssrc) {
            if sender.window.check(index).is_err() {
                return false;
            }
            sender.window.commit(index);
            sender.heard = now;
            return true;
        }
        if self.0.len() >= RTCP_SENDERS_MAX
            && let Some((oldest, _)) =
                self.0.iter().enumerate().min_by_key(|(_, sender)| sender.heard)
        {
            self.0.swap_remove(oldest);
        }
        let mut window = ReplayWindow::new();
        window.commit(index);
        self.0.push(Sender { ssrc, window, heard: now });
        true
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
