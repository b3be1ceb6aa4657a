//! `PrivateMapKey`: a [`UserSig`] whose user buffer says which room may be entered and what may be done there.

use fermata_types::{Refusal, Role, RoomName, SdkAppId};
use jiff::Timestamp;

use crate::livekit::{Source, VideoGrant};
use crate::names::check_room;
use crate::usersig::{UserSig, invalid};

/// The buffer's content. Integers are big-endian on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateMap {
    /// The user it is for.
    pub user_id: String,
    /// The application it is for.
    pub app: SdkAppId,
    /// The room it opens.
    pub room: RoomName,
    /// End of its life, seconds since 1970.
    pub expires_at: u32,
    /// What may be done in the room.
    pub privileges: Privileges,
    /// Always 0 so far.
    pub account_type: u32,
}

/// The privilege map of a `PrivateMapKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges(pub u32);

impl Privileges {
    /// All eight rights.
    pub const ALL: Self = Self(255);
    /// Enter, hear and see: 2 + 8 + 32.
    pub const RECEIVE: Self = Self(42);

    /// May create the room.
    pub fn create_room(self) -> bool {
        self.0 & 1 != 0
    }

    /// May enter the room.
    pub fn enter(self) -> bool {
        self.0 & 2 != 0
    }

    /// May send sound.
    pub fn send_audio(self) -> bool {
        self.0 & 4 != 0
    }

    /// May receive sound.
    pub fn receive_audio(self) -> bool {
        self.0 & 8 != 0
    }

    /// May send pictures.
    pub fn send_video(self) -> bool {
        self.0 & 16 != 0
    }

    /// May receive pictures.
    pub fn receive_video(self) -> bool {
        self.0 & 32 != 0
    }

    /// May send the second stream (screen).
    pub fn send_aux(self) -> bool {
        self.0 & 64 != 0
    }

    /// May receive the second stream.
    pub fn receive_aux(self) -> bool {
        self.0 & 128 != 0
    }

    /// The same rights as a token's grant for `room`.
    ///
    /// `LiveKit` knows one right to receive, so any of the three receiving bits gives it.
    /// Audience publishes nothing; an anchor publishes the sources whose bits are set.
    pub fn to_grant(self, room: &RoomName, role: Role) -> VideoGrant {
        let mut sources = Vec::new();
        if self.send_audio() {
            sources.push(Source::Microphone);
        }
        if self.send_video() {
            sources.push(Source::Camera);
        }
        if self.send_aux() {
            sources.extend([Source::ScreenShare, Source::ScreenShareAudio]);
        }
        let publishes = role == Role::Anchor && !sources.is_empty();
        let receives = self.receive_audio() || self.receive_video() || self.receive_aux();
        // No list means every source, which is what all three sending bits say.
        if !publishes || (self.send_audio() && self.send_video() && self.send_aux()) {
            sources.clear();
        }
        VideoGrant {
            room_join: self.enter(),
            room: room.to_string(),
            room_create: self.create_room(),
            can_publish: Some(publishes),
            can_subscribe: Some(receives),
            can_publish_data: Some(role == Role::Anchor),
            can_publish_sources: sources,
            ..VideoGrant::default()
        }
    }
}

impl PrivateMap {
    /// Writes the buffer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (version, number, text) = match &self.room {
            RoomName::Integer(number) => (0, *number, None),
            RoomName::Text(text) => (1, 0, Some(text)),
        };
        let mut out = vec![version];
        put_text(&mut out, &self.user_id);
        for number in [self.app.0, number, self.expires_at, self.privileges.0, self.account_type] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(text) = text {
            put_text(&mut out, text);
        }
        out
    }

    /// Reads a buffer; every byte must be accounted for.
    ///
    /// # Errors
    /// `UserSigInvalid` naming what does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut rest = bytes;
        let version = *take(&mut rest, 1)?.first().ok_or_else(short)?;
        let user_id = take_text(&mut rest)?;
        let app = SdkAppId(take_u32(&mut rest)?);
        let number = take_u32(&mut rest)?;
        let expires_at = take_u32(&mut rest)?;
        let privileges = Privileges(take_u32(&mut rest)?);
        let account_type = take_u32(&mut rest)?;
        let room = match (version, number) {
            (0, 0) => return Err(invalid("TLS.userbuf: integer room 0")),
            (0, number) => RoomName::Integer(number),
            (1, _) => RoomName::Text(take_text(&mut rest)?.into()),
            (other, _) => return Err(invalid(format!("TLS.userbuf: version {other} is unknown"))),
        };
        if !rest.is_empty() {
            return Err(invalid("TLS.userbuf has bytes behind its end"));
        }
        Ok(Self { user_id, app, room, expires_at, privileges, account_type })
    }

    /// Makes the text that clients carry.
    pub fn sign(&self, secret: &str, made_at: i64) -> String {
        UserSig {
            user_id: self.user_id.clone(),
            app: self.app,
            made_at,
            lifetime_s: i64::from(self.expires_at).saturating_sub(made_at),
            user_buf: Some(self.to_bytes()),
        }
        .sign(secret)
    }

    /// Checks a `PrivateMapKey` for an application, user and room.
    ///
    /// # Errors
    /// Those of [`UserSig::verify`], `RoomNameInvalid`, and `UserSigInvalid` if the buffer is missing, malformed, or says
    /// another user, application or room, or gives no right to enter.
    pub fn verify(
        text: &str,
        secret: &str,
        app: SdkAppId,
        user_id: &str,
        room: &RoomName,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        check_room(room)?;
        let sig = UserSig::verify_any(text, secret, app, user_id, now)?;
        let Some(buf) = &sig.user_buf else {
            return Err(invalid("it is a UserSig; a PrivateMapKey has TLS.userbuf"));
        };
        let map = Self::parse(buf)?;
        if map.app != app || map.user_id != user_id {
            return Err(invalid(
                "TLS.userbuf is for another application or user than its envelope",
            ));
        }
        if map.room != *room {
            return Err(invalid("the PrivateMapKey is for another room"));
        }
        if now.as_second() > i64::from(map.expires_at) {
            let ago = now.as_second().saturating_sub(i64::from(map.expires_at));
            let detail = format!("the PrivateMapKey expired {ago} s ago");
            return Err(Refusal::with_detail(fermata_types::Reason::UserSigExpired, detail));
        }
        if !map.privileges.enter() {
            return Err(invalid("the PrivateMapKey gives no right to enter (bit 2)"));
        }
        Ok(map)
    }
}

/// Length in two bytes, then the text. Names longer than the field cannot be signed for; they are cut to nothing.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let (len, text) = u16::try_from(text.len()).map_or((0, ""), |len| (len, text));
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn short() -> Refusal {
    invalid("TLS.userbuf is too short")
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Refusal> {
    let (head, tail) = rest.split_at_checked(len).ok_or_else(short)?;
    *rest = tail;
    Ok(head)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Refusal> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| short())?;
    Ok(u32::from_be_bytes(bytes))
}

fn take_text(rest: &mut &[u8]) -> Result<String, Refusal> {
    let len = take(rest, 2)?.try_into().map_err(|_| short())?;
    let bytes = take(rest, usize::from(u16::from_be_bytes(len)))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid("TLS.userbuf: a text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use fermata_types::Reason;

    use super::*;

    const SECRET: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
    const APP: SdkAppId = SdkAppId(1_400_000_000);
    const MADE_AT: i64 = 1_700_000_000;

    fn sample(room: &str, privileges: u32) -> PrivateMap {
        PrivateMap {
            user_id: "xiaojun".to_owned(),
            app: APP,
            room: RoomName::parse(room).unwrap(),
            expires_at: 1_715_552_000,
            privileges: Privileges(privileges),
            account_type: 0,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(MADE_AT + 5).unwrap()
    }

    fn verify(text: &str, room: &str) -> Result<PrivateMap, Refusal> {
        PrivateMap::verify(text, SECRET, APP, "xiaojun", &RoomName::parse(room).unwrap(), now())
    }

    #[test]
    fn the_published_vectors_come_out() {
        let rows = [
            (
                "int/10000",
                255,
                "AAAHeGlhb2p1blNyTgAAACcQZkE/AAAAAP8AAAAA",
                "y9Avb5xwHgIgoABbGakLaE0xs+v/dLcIPegbWfcbRLI=",
            ),
            (
                "room-1",
                42,
                "AQAHeGlhb2p1blNyTgAAAAAAZkE/AAAAACoAAAAAAAZyb29tLTE=",
                "otoJ4xYLNBP3LPPEzGai/zOiUnNcr5WVtkH0ac4bu2c=",
            ),
        ];
        for (room, privileges, buf, signature) in rows {
            let map = sample(room, privileges);
            assert_eq!(STANDARD.encode(map.to_bytes()), buf);
            assert_eq!(PrivateMap::parse(&STANDARD.decode(buf).unwrap()), Ok(map.clone()));
            let text = map.sign(SECRET, MADE_AT);
            assert_eq!(verify(&text, room), Ok(map));
            assert!(document(&text).contains(signature), "{room}");
        }
    }

    /// The JSON inside, as text.
    fn document(text: &str) -> String {
        use std::io::Read as _;
        let base64 = text.replace('*', "+").replace('-', "/").replace('_', "=");
        let packed = STANDARD.decode(base64).unwrap();
        let mut json = String::new();
        flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_string(&mut json).unwrap();
        json
    }

    #[test]
    fn it_opens_one_room_to_one_user() {
        let text = sample("int/10000", 255).sign(SECRET, MADE_AT);
        for room in ["10000", "int/10001", "room-1"] {
            assert_eq!(verify(&text, room).unwrap_err().reason(), Reason::UserSigInvalid, "{room}");
        }
        let blind = sample("int/10000", 253).sign(SECRET, MADE_AT);
        assert!(verify(&blind, "int/10000").unwrap_err().detail().contains("right to enter"));
        let other = PrivateMap { user_id: "mallory".to_owned(), ..sample("room-1", 255) };
        let enveloped = UserSig {
            user_id: "xiaojun".to_owned(),
            app: APP,
            made_at: MADE_AT,
            lifetime_s: 100,
            user_buf: Some(other.to_bytes()),
        };
        assert!(
            verify(&enveloped.sign(SECRET), "room-1")
                .unwrap_err()
                .detail()
                .contains("another application or user")
        );
        let old = PrivateMap { expires_at: 1_700_000_001, ..sample("room-1", 255) };
        let old = UserSig { user_buf: Some(old.to_bytes()), ..enveloped.clone() };
        assert_eq!(
            verify(&old.sign(SECRET), "room-1").unwrap_err().reason(),
            Reason::UserSigExpired
        );
        let plain = UserSig { user_buf: None, ..enveloped };
        assert!(
            verify(&plain.sign(SECRET), "room-1").unwrap_err().detail().contains("TLS.userbuf")
        );
    }

    #[test]
    fn bits_become_rights() {
        let room = RoomName::Integer(1);
        let all = Privileges::ALL.to_grant(&room, Role::Anchor);
        assert!(all.room_join && all.room_create && all.may_publish() && all.may_subscribe());
        assert!(all.can_publish_sources.is_empty() && all.may_publish_data());
        let watch = Privileges::RECEIVE.to_grant(&room, Role::Anchor);
        assert!(
            watch.room_join && !watch.room_create && !watch.may_publish() && watch.may_subscribe()
        );
        let voice = Privileges(2 + 4).to_grant(&room, Role::Anchor);
        assert_eq!(voice.can_publish_sources, [Source::Microphone]);
        assert!(voice.may_publish() && !voice.may_subscribe());
        let audience = Privileges::ALL.to_grant(&room, Role::Audience);
        assert!(
            !audience.may_publish() && !audience.may_publish_data() && audience.may_subscribe()
        );
        assert_eq!(audience.room, "int/1");
    }

    proptest::proptest! {
        #[test]
        fn buffers_survive(user in "[a-z]{0,32}", app: u32, number in 1u32.., expires_at: u32, bits: u32, name in "[a-z ]{1,64}", textual: bool) {
            let room = if textual { RoomName::Text(name.into()) } else { RoomName::Integer(number) };
            let map = PrivateMap {
                user_id: user, app: SdkAppId(app), room, expires_at, privileges: Privileges(bits), account_type: 0,
            };
            proptest::prop_assert_eq!(PrivateMap::parse(&map.to_bytes()), Ok(map));
        }

        #[test]
        fn garbage_is_refused_not_fatal(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            if let Ok(map) = PrivateMap::parse(&bytes) {
                proptest::prop_assert_eq!(map.to_bytes().len(), bytes.len());
            }
        }
    }
}
