//! The client's half of offer and answer.

use std::collections::HashMap;

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::{Direction, MediaKind, Mid};

use super::rtc::{ClientError, ClientOutput, Dialect, Place, Role, RtcClient};
use super::streams::StreamMap;
use super::wire::Channel;
use crate::limits;

impl RtcClient {
    /// Offers what is new, now or after the outstanding answer.
    pub(super) fn negotiate(&mut self) {
        if self.publisher.pending.is_some() {
            self.offer_again = true;
            return;
        }
        if let Some(offer) = self.make_offer(false) {
            self.request(Request::Offer(offer));
        }
        self.pump(Role::Publisher);
    }

    /// After a resume: what we know, and a fresh ICE session of the connection that we offer.
    pub fn resume(&mut self) {
        let state = self.sync_state();
        self.request(Request::SyncState(state));
        // An offer whose answer was lost with the signalling is made anew.
        self.publisher.pending = None;
        if let Some(offer) = self.make_offer(true) {
            self.request(Request::Offer(offer));
        }
        self.pump(Role::Publisher);
    }

    fn sync_state(&self) -> lk::SyncState {
        let publish_tracks = self.infos.iter().map(|(cid, info)| lk::TrackPublishedResponse {
            cid: cid.clone(),
            track: Some(info.clone()),
        });
        let (answer, offer) = match self.dialect {
            Dialect::Dual => (self.last_answer.clone(), None),
            Dialect::Single => (None, self.last_offer.clone()),
        };
        lk::SyncState {
            answer,
            offer,
            publish_tracks: publish_tracks.collect(),
            subscription: Some(lk::UpdateSubscription { subscribe: true, ..Default::default() }),
            ..Default::default()
        }
    }

    /// The next offer of the publisher connection, if anything is new.
    pub(super) fn make_offer(&mut self, ice_restart: bool) -> Option<lk::SessionDescription> {
        let mut api = self.publisher.rtc.sdp_api();
        if !self.channels_offered {
            self.channels_offered = true;
            for channel in Channel::ALL {
                api.add_channel_with_config(channel_config(channel));
            }
        }
        for track in self.published.iter_mut().filter(|track| track.mid.is_none()) {
            let kind = if track.is_audio() { MediaKind::Audio } else { MediaKind::Video };
            let (stream, cid) = (Some("local".to_owned()), Some(track.cid.clone()));
            let simulcast = track.simulcast();
            track.mid = Some(api.add_media(kind, Direction::SendOnly, stream, cid, simulcast));
        }
        for mid in self.gone.drain(..) {
            api.set_direction(mid, Direction::Inactive);
        }
        let (audio, video) = std::mem::take(&mut self.places_wanted);
        let wanted = [(MediaKind::Audio, audio), (MediaKind::Video, video)];
        for (kind, count) in wanted {
            for _ in 0..count {
                if self.places.len() >= limits::PLACES_MAX {
                    break;
                }
                let mid = api.add_media(kind, Direction::RecvOnly, None, None, None);
                self.places.push(Place { mid, kind });
            }
        }
        for place in &self.places {
            // An inactive answer made the engine forget the wish to receive, which a browser keeps.
            api.set_direction(place.mid, Direction::RecvOnly);
        }
        if ice_restart {
            api.ice_restart(true);
        }
        if !api.has_changes()
            && self.dialect == Dialect::Single
            && let Some(place) = self.places.first()
        {
            // The server asked for an offer and there is nothing new to say; the engine needs a reason.
            api.set_direction(place.mid, Direction::Inactive);
            api.set_direction(place.mid, Direction::RecvOnly);
        }
        let (offer, pending) = api.apply()?;
        self.publisher.pending = Some(pending);
        self.offer_id += 1;
        let offer = lk::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: offer.to_sdp_string(),
            id: self.offer_id,
            ..Default::default()
        };
        self.last_offer = Some(offer.clone());
        Some(offer)
    }

    /// The server offers the subscriber connection.
    pub(super) fn take_offer(&mut self, offer: &lk::SessionDescription) -> Result<(), ClientError> {
        let Some(peer) = &mut self.subscriber else {
            return Err(ClientError::Sdp("an offer on a connection that we offer".to_owned()));
        };
        let parsed = SdpOffer::from_sdp_string(&offer.sdp).map_err(sdp)?;
        let answer = peer.rtc.sdp_api().accept_offer(parsed).map_err(sdp)?;
        peer.tracks = tracks(&offer.sdp);
        peer.ssrcs.clear();
        let light = peer.light;
        let sdp = answer.to_sdp_string();
        if light {
            let map = StreamMap::read(&offer.sdp, &sdp);
            self.push(ClientOutput::Streams(Box::new(map)));
        }
        self.watch(&offer.sdp);
        let answer = lk::SessionDescription {
            r#type: "answer".to_owned(),
            sdp,
            id: offer.id,
            ..Default::default()
        };
        self.last_answer = Some(answer.clone());
        self.request(Request::Answer(answer));
        self.pump(Role::Subscriber);
        Ok(())
    }

    /// The server answers our offer.
    pub(super) fn take_answer(
        &mut self,
        answer: &lk::SessionDescription,
    ) -> Result<(), ClientError> {
        if answer.id != 0 && answer.id != self.offer_id {
            return Ok(());
        }
        let Some(pending) = self.publisher.pending.take() else {
            return Err(ClientError::Sdp("an answer to nothing".to_owned()));
        };
        let parsed = SdpAnswer::from_sdp_string(&answer.sdp).map_err(sdp)?;
        self.publisher.rtc.sdp_api().accept_answer(pending, parsed).map_err(sdp)?;
        if self.dialect == Dialect::Single {
            self.publisher.tracks = tracks(&answer.sdp);
            self.publisher.ssrcs.clear();
            for (mid, sid) in &answer.mid_to_track_id {
                let told = self.publisher.tracks.get(&Mid::from(mid.as_str()));
                if told.is_some_and(|told| told != sid) {
                    return Err(ClientError::Sdp(format!("two tracks on section {mid}")));
                }
            }
        }
        self.pump(Role::Publisher);
        if std::mem::take(&mut self.offer_again) {
            self.negotiate();
        }
        Ok(())
    }

    /// How many places for received tracks there are, by kind (audio, video).
    pub fn places(&self) -> (usize, usize) {
        let audio = self.places.iter().filter(|place| place.kind == MediaKind::Audio).count();
        (audio, self.places.len() - audio)
    }
}

fn channel_config(channel: Channel) -> ChannelConfig {
    let ordered = channel == Channel::Reliable;
    let reliability = if ordered {
        Reliability::Reliable
    } else {
        Reliability::MaxRetransmits { retransmits: 0 }
    };
    ChannelConfig {
        label: channel.label().to_owned(),
        ordered,
        reliability,
        ..ChannelConfig::default()
    }
}

fn sdp(error: impl std::fmt::Display) -> ClientError {
    ClientError::Sdp(error.to_string())
}

/// Sids by section, from the msid of every section on which the server sends.
fn tracks(sdp: &str) -> HashMap<Mid, String> {
    let mut tracks = HashMap::new();
    let (mut mid, mut sid, mut sends) = (None, None, false);
    for line in sdp.lines().chain(["m="]) {
        if line.starts_with("m=") {
            if let (Some(mid), Some(sid), true) = (mid.take(), sid.take(), sends) {
                tracks.insert(Mid::from(mid), str::to_owned(sid));
            }
            (mid, sid, sends) = (None, None, false);
        } else if let Some(text) = line.strip_prefix("a=mid:") {
            mid = Some(text);
        } else if let Some(text) = line.strip_prefix("a=msid:") {
            sid = text.split_ascii_whitespace().nth(1);
        } else if line == "a=sendonly" || line == "a=sendrecv" {
            sends = true;
        }
    }
    tracks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sending_sections_carry_tracks() {
        let sdp = "v=0\r\nm=audio 9 X 0\r\na=mid:1\r\na=msid:PA_1|camera TR_1\r\na=sendonly\r\n\
            m=audio 9 X 0\r\na=mid:2\r\na=msid:PA_1|camera TR_2\r\na=inactive\r\n\
            m=video 9 X 0\r\na=sendonly\r\na=msid:PA_2|screen TR_3\r\na=mid:3\r\n";
        let tracks = tracks(sdp);
        assert_eq!(tracks.len(), 2);
        assert_eq!(tracks[&Mid::from("1")], "TR_1");
        assert_eq!(tracks[&Mid::from("3")], "TR_3");
    }
}
