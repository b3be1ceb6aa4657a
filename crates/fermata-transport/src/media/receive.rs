//! From an SRTP packet to a plaintext one.

use std::time::Instant;

use fermata_rtp::{header, rtx};
use fermata_srtp::ReplayWindow;

use super::Media;
use super::inbound::{Meaning, Said};
use crate::event::RtpIn;
use crate::limits;

/// What is known of a packet before it is opened.
struct Arrived {
    header: header::Header,
    meaning: Meaning,
    said: Said,
    now: Instant,
}

impl Media {
    /// Takes one SRTP packet, decrypting in place. `None` if nothing comes of it; the counters tell why.
    pub(crate) fn receive<'d>(&mut self, now: Instant, data: &'d mut [u8]) -> Option<RtpIn<'d>> {
        let Some(header) = header::parse(data) else {
            self.counters.refused += 1;
            return None;
        };
        let said = self.inbound.said(data, &header);
        let Some(meaning) = self.inbound.meaning(header.payload_type) else {
            self.counters.unknown += 1;
            return None;
        };
        let arrived = Arrived { header, meaning, said, now };
        let (at, index, end) = self.open(&arrived, data)?;
        self.note(&arrived);
        let data: &'d [u8] = data;
        let payload =
            header.payload_end(data, end).and_then(|end| data.get(header.header_len..end));
        let Some(payload) = payload else {
            self.counters.refused += 1;
            return None;
        };
        if meaning.again {
            self.again(at, &arrived, data, payload)
        } else {
            self.first(at, index, &arrived, data, payload)
        }
    }

    /// Authenticates and decrypts. Where its stream is, its index there, and where its payload ends.
    fn open(&mut self, arrived: &Arrived, data: &mut [u8]) -> Option<(usize, u64, usize)> {
        let Arrived { header, meaning, said, now } = arrived;
        let found = self.inbound.find(header.ssrc);
        let known = found.filter(|at| self.inbound.fits(*at, *meaning, said));
        let place = if known.is_none() { self.inbound.place(header.ssrc, said) } else { None };
        if known.is_none() && place.is_none() {
            self.counters.unknown += 1;
            return None;
        }
        // The numbers of an SSRC go on, whatever it is used for (RFC 3711 section 3.2.1).
        let stream = found.and_then(|at| self.inbound.streams.get(at));
        let index = match stream {
            Some(stream) => stream.window.estimate(header.sequence_number),
            None => ReplayWindow::new().estimate(header.sequence_number),
        };
        let opened = index.ok().and_then(|index| {
            #[expect(clippy::cast_possible_truncation, reason = "indexes have 48 bits")]
            let roc = (index >> 16) as u32;
            let end = self.opener.as_ref()?.open_rtp(data, header.header_len, roc).ok()?;
            Some((index, end))
        });
        let Some((index, end)) = opened else {
            self.counters.refused += 1;
            return None;
        };
        let at = match place {
            Some(place) => self.inbound.insert(header.ssrc, place, *meaning, *now),
            None => known,
        };
        let Some(at) = at else {
            self.counters.unknown += 1;
            return None;
        };
        let stream = self.inbound.streams.get_mut(at)?;
        stream.window.commit(index);
        stream.heard = *now;
        Some((at, index, end))
    }

    /// What every authentic packet means for feedback.
    fn note(&mut self, arrived: &Arrived) {
        if let Some(seq) = arrived.said.twcc {
            self.arrivals.record(seq, arrived.now);
        }
        self.report_at.get_or_insert_with(|| arrived.now + limits::REPORT_FIRST);
    }

    /// A packet of a media stream.
    fn first<'d>(
        &mut self,
        at: usize,
        index: u64,
        arrived: &Arrived,
        data: &'d [u8],
        payload: &'d [u8],
    ) -> Option<RtpIn<'d>> {
        let Arrived { header, now, .. } = arrived;
        let stream = self.inbound.streams.get_mut(at)?;
        let main = stream.main.as_mut()?;
        let seq = index + main.offset;
        main.receiver.on_packet(index, header.timestamp, payload.len(), *now);
        main.fresh = true;
        if let Some(missing) = &mut main.missing {
            missing.on_packet(index, *now);
            if let Some(due) = missing.next_timeout() {
                self.nack_at = Some(self.nack_at.map_or(due, |at| at.min(due)));
            }
        }
        let layer = stream.layer;
        self.delivered(layer, seq, arrived, data, payload)
    }

    /// A retransmission: the packet that it stands for, unless that came already.
    fn again<'d>(
        &mut self,
        at: usize,
        arrived: &Arrived,
        data: &'d [u8],
        payload: &'d [u8],
    ) -> Option<RtpIn<'d>> {
        let layer = self.inbound.streams.get(at)?.layer;
        // Too short: padding alone, which only measures the path.
        let (osn, payload) = rtx::split(payload)?;
        let stream = self.inbound.main_of(layer);
        let stream = stream.and_then(|at| self.inbound.streams.get_mut(at));
        let Some(stream) = stream else {
            self.counters.unknown += 1;
            return None;
        };
        let Ok(index) = stream.window.estimate(osn) else {
            self.counters.refused += 1;
            return None;
        };
        // Should the original come after all, it is a repetition.
        stream.window.commit(index);
        let main = stream.main.as_mut()?;
        let seq = index + main.offset;
        if let Some(missing) = &mut main.missing {
            missing.on_packet(index, arrived.now);
        }
        self.delivered(layer, seq, arrived, data, payload)
    }

    fn delivered<'d>(
        &mut self,
        layer: usize,
        seq: u64,
        arrived: &Arrived,
        data: &'d [u8],
        payload: &'d [u8],
    ) -> Option<RtpIn<'d>> {
        let Arrived { header, meaning, said, now } = arrived;
        let dependency = self.inbound.dependency(data, header, meaning.codec);
        let layer = self.inbound.layers.get_mut(layer)?;
        layer.next_seq = layer.next_seq.max(seq + 1);
        self.counters.packets_received += 1;
        self.counters.payload_bytes_received += payload.len() as u64;
        Some(RtpIn {
            mid: layer.mid,
            rid: layer.rid,
            codec: meaning.codec,
            seq,
            timestamp: header.timestamp,
            marker: header.marker,
            payload,
            dependency,
            arrived: *now,
            audio_level_db: said.level.map(|(level, _)| level),
            voice_activity: said.level.map(|(_, voice)| voice),
        })
    }
}
