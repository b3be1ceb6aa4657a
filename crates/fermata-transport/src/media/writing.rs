//! From a plaintext packet and its header to an SRTP packet in the arena.

use std::time::Instant;

use fermata_rtp::ntp::Mapping;
use fermata_rtp::{header, rtx, vp8};
use fermata_srtp::Sealer;

use super::template::{Template, Values};
use crate::egress::{Egress, Path};
use crate::error::SendError;
use crate::event::{DependencyOut, RtpOut};

/// What every packet of a connection needs to get out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a> {
    pub(super) now: Instant,
    pub(super) clock: &'a Mapping,
    pub(super) sealer: &'a Sealer,
    pub(super) path: &'a Path,
}

/// One packet about to be written.
pub(super) struct Writing<'a> {
    pub(super) template: &'a Template,
    pub(super) values: Values,
    /// Rollover counter.
    pub(super) roc: u32,
    /// Its dependency descriptor with the id under which it goes out.
    pub(super) dependency: Option<(u8, DependencyOut<'a>)>,
    /// Its original number, if it is a retransmission on a stream of its own.
    pub(super) osn: Option<u16>,
    /// Bytes on the wire to be padded to; 0: none.
    pub(super) pad_to: usize,
    /// Bytes behind the payload.
    pub(super) tag_len: usize,
}

impl Writing<'_> {
    /// Header, extensions, payload, padding and tag, straight into the arena. Bytes on the wire.
    pub(super) fn write(
        &self,
        wire: Wire<'_>,
        packet: &RtpOut<'_>,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        let header_len = self.template.len_for(self.dependency.as_ref().map(|(_, d)| d));
        let osn_len = self.osn.map_or(0, |_| rtx::OSN_LEN);
        let payload_end = header_len + osn_len + packet.payload.len();
        let plain = payload_end + self.tag_len;
        // Padding is all or nothing: it is for runs of one length.
        let padding = self.pad_to.checked_sub(plain).filter(|len| *len <= header::PADDING_LEN_MAX);
        let len = plain + padding.unwrap_or(0);
        let written = out.push_to(wire.path, len, |place| {
            self.template.write(&self.values, place)?;
            if let Some((id, dependency)) = &self.dependency {
                self.template.add(*id, dependency, place)?;
            }
            if self.osn.is_none() && packet.vp8.is_none() && payload_end + self.tag_len == len {
                // Nothing of it changes: it can be encrypted from where it is.
                let sealed = wire.sealer.seal_rtp_from(packet.payload, place, header_len, self.roc);
                return sealed.ok();
            }
            let body = place.get_mut(header_len..payload_end)?;
            let body = if let Some(osn) = self.osn {
                rtx::write(osn, packet.payload, body)?;
                body.get_mut(rtx::OSN_LEN..)?
            } else {
                body.copy_from_slice(packet.payload);
                body
            };
            if let Some(numbers) = &packet.vp8 {
                // A descriptor that cannot be read has no numbers to be changed.
                vp8::patch(body, numbers);
            }
            if padding.is_some_and(|len| len > 0) {
                let end = len - self.tag_len;
                header::pad(place.get_mut(..end)?, payload_end);
            }
            wire.sealer.seal_rtp(place, header_len, self.roc).ok()
        });
        written.map(|()| len).ok_or(SendError::NoRoom)
    }
}
