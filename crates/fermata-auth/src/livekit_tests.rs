//! Tokens as SDKs make them (by the library, as an independent signer), our own, and forged ones.

use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limits::ROOM_AGENTS_MAX;

const SECRET: &str = "a secret of more than 32 bytes, for tests";
const NOW: i64 = 1_700_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Signs claims with the library.
fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

fn minimal() -> Value {
    json!({ "iss": "key", "sub": "ann", "exp": NOW + 60, "video": { "roomJoin": true, "room": "r" } })
}

fn read(claims: &Value) -> Result<Claims, Refusal> {
    verify(&token(claims), SECRET, now())
}

/// [`minimal`] with one claim replaced.
fn with(name: &str, value: Value) -> Value {
    let mut claims = minimal();
    claims[name] = value;
    claims
}

#[test]
fn a_minimal_token_has_the_documented_defaults() {
    let claims = read(&minimal()).unwrap();
    assert_eq!((claims.identity.as_str(), claims.made_at()), ("ann", 0));
    let grant = &claims.video;
    assert!(
        grant.room_join && grant.may_publish() && grant.may_subscribe() && grant.may_publish_data()
    );
    assert!(
        !grant.can_update_own_metadata && !grant.hidden && !grant.room_admin && !grant.room_create
    );
    assert!(claims.room_config.is_none() && claims.role.is_none());
}

#[test]
fn rights_that_follow_others() {
    let rows = [
        (json!({}), (true, true, true)),
        (json!({ "canPublish": false }), (false, true, false)),
        (json!({ "canPublish": false, "canPublishData": true }), (false, true, true)),
        (json!({ "canSubscribe": false, "canPublishData": false }), (true, false, false)),
        (json!({ "canPublish": null, "canSubscribe": null }), (true, true, true)),
    ];
    for (video, expected) in rows {
        let grant = read(&with("video", video.clone())).unwrap().video;
        let got = (grant.may_publish(), grant.may_subscribe(), grant.may_publish_data());
        assert_eq!(got, expected, "{video}");
    }
}

#[test]
fn sources_and_unknown_words() {
    let words = json!({ "canPublishSources": ["camera", "SCREEN_SHARE", "hologram"] });
    let sources = read(&with("video", words)).unwrap().video.can_publish_sources;
    assert_eq!(sources, [Source::Camera, Source::ScreenShare, Source::Unknown]);
}

#[test]
fn the_identity_falls_back_to_jti() {
    let mut claims = minimal();
    claims.as_object_mut().unwrap().remove("sub");
    claims["jti"] = json!("old-sdk");
    assert_eq!(read(&claims).unwrap().identity, "old-sdk");
    claims["sub"] = json!("");
    assert_eq!(read(&claims).unwrap().identity, "old-sdk");
    claims.as_object_mut().unwrap().remove("jti");
    assert_eq!(read(&claims).unwrap().identity, "");
}

#[test]
fn room_settings_in_both_spellings() {
    let expected = RoomConfig {
        name: "n".to_owned(),
        empty_timeout_s: Some(5),
        departure_timeout_s: Some(6),
        max_participants: Some(7),
        metadata: "m".to_owned(),
        agents: vec![AgentWish {
            agent_name: "echo".to_owned(),
            metadata: "d".to_owned(),
            ..AgentWish::default()
        }],
    };
    let camel = json!({ "name": "n", "emptyTimeout": 5, "departureTimeout": "6", "maxParticipants": 7, "metadata": "m", "egress": {},
        "agents": [{ "agentName": "echo", "metadata": "d", "restartPolicy": "JRP_NEVER" }] });
    let snake = json!({ "name": "n", "empty_timeout": 5, "departure_timeout": 6, "max_participants": 7.0, "metadata": "m",
        "agents": [{ "agent_name": "echo", "metadata": "d", "deployment": null }] });
    for settings in [camel, snake] {
        for name in ["roomConfig", "room_config"] {
            assert_eq!(
                read(&with(name, settings.clone())).unwrap().room_config,
                Some(expected.clone())
            );
        }
    }
    let refusal = read(&with("roomConfig", json!({ "emptyTimeout": -1 }))).unwrap_err();
    assert!(refusal.detail().contains("roomConfig.emptyTimeout is -1"), "{refusal}");
    let most = json!({ "agents": vec![json!({}); ROOM_AGENTS_MAX] });
    assert!(read(&with("roomConfig", most)).is_ok());
    let more = json!({ "agents": vec![json!({}); ROOM_AGENTS_MAX + 1] });
    let refusal = read(&with("roomConfig", more)).unwrap_err();
    assert!(refusal.detail().contains("roomConfig.agents has 17 entries"), "{refusal}");
}

#[test]
fn unknown_claims_are_ignored() {
    let mut claims = minimal();
    claims["sip"] = json!({ "admin": true });
    claims["inference"] = json!({ "perform": true });
    claims["sha256"] = json!("x");
    claims["kindDetails"] = json!([1]);
    claims["aud"] = json!("somebody else");
    claims["video"]["holograms"] = json!(true);
    assert!(read(&claims).is_ok());
}

#[test]
fn times_have_a_minute_of_leeway() {
    let rows = [
        (NOW - 60, None, true),
        (NOW - 61, None, false),
        (NOW + 10, Some(NOW + 60), true),
        (NOW + 100, Some(NOW + 61), false),
    ];
    for (exp, nbf, ok) in rows {
        let mut claims = with("exp", json!(exp));
        if let Some(nbf) = nbf {
            claims["nbf"] = json!(nbf);
        }
        let result = read(&claims);
        assert_eq!(result.is_ok(), ok, "{exp} {nbf:?}");
        if let Err(refusal) = result {
            assert_eq!(refusal.reason(), Reason::TokenExpired);
        }
    }
    assert!(read(&with("exp", json!(1_700_000_060.5))).is_ok(), "some makers write floats");
    assert_eq!(read(&with("nbf", json!(NOW - 5))).unwrap().made_at(), NOW - 5);
    assert_eq!(read(&with("iat", json!(NOW - 6))).unwrap().made_at(), NOW - 6);
}

#[test]
fn wrong_tokens_are_refused_by_name() {
    let check = |token: &str, reason: Reason, word: &str| {
        let refusal = verify(token, SECRET, now()).unwrap_err();
        assert_eq!(refusal.reason(), reason, "{refusal}");
        assert!(refusal.detail().contains(word), "{refusal} lacks {word:?}");
        assert!(!refusal.to_string().contains(SECRET));
    };
    check("", Reason::TokenMissing, "");
    check("abc", Reason::TokenInvalid, "three parts");
    check("a.b.c.d", Reason::TokenInvalid, "three parts");
    check("a.%.c", Reason::TokenInvalid, "base64url");
    check("a.b25l.c", Reason::TokenInvalid, "JSON");
    check(&"a".repeat(TOKEN_LEN_MAX + 1), Reason::TokenInvalid, "bytes");
    check(&token(&with("iss", json!(""))), Reason::TokenInvalid, "iss");
    check(&token(&with("exp", Value::Null)), Reason::TokenInvalid, "no exp");
    check(&token(&with("exp", json!(true))), Reason::TokenInvalid, "cannot be read");
    check(&token(&with("video", json!("all"))), Reason::TokenInvalid, "cannot be read");
    let good = token(&minimal());
    assert!(verify(&good, "another secret", now()).unwrap_err().detail().contains("signature"));
    check(good.rsplit_once('.').unwrap().0, Reason::TokenInvalid, "three parts");
    check(&format!("{}.", good.rsplit_once('.').unwrap().0), Reason::TokenInvalid, "");
}

#[test]
fn other_algorithms_are_refused() {
    let payload = URL_SAFE_NO_PAD.encode(minimal().to_string());
    for alg in ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
        let signed = format!("{header}.{payload}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        for token in [format!("{signed}."), format!("{signed}.{signature}")] {
            let refusal = verify(&token, SECRET, now()).unwrap_err();
            assert_eq!(refusal.reason(), Reason::TokenInvalid, "{alg}");
        }
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let hs384 = jsonwebtoken::encode(&Header::new(Algorithm::HS384), &minimal(), &key).unwrap();
    assert!(verify(&hs384, SECRET, now()).unwrap_err().detail().contains("HS256"));
}

#[test]
fn the_key_is_found_before_the_signature_is_checked() {
    assert_eq!(decode_unverified_key(&token(&minimal())).as_deref(), Ok("key"));
}

fn flag() -> impl Strategy<Value = Option<bool>> {
    prop::option::of(any::<bool>())
}

prop_compose! {
    fn grants()(
        flags in any::<[bool; 10]>(),
        room in ".{0,20}",
        options in (flag(), flag(), flag()),
        sources in prop::collection::vec(0usize..5, 0..5),
        destination_room in ".{0,9}",
    ) -> VideoGrant {
        const ALL: [Source; 5] =
            [Source::Unknown, Source::Camera, Source::Microphone, Source::ScreenShare, Source::ScreenShareAudio];
        VideoGrant {
            room_join: flags[0],
            room,
            room_create: flags[1],
            room_list: flags[2],
            room_record: flags[3],
            room_admin: flags[4],
            can_publish: options.0,
            can_subscribe: options.1,
            can_publish_data: options.2,
            can_publish_sources: sources.into_iter().map(|i| ALL[i]).collect(),
            can_update_own_metadata: flags[5],
            hidden: flags[6],
            recorder: flags[7],
            agent: flags[8],
            can_subscribe_metrics: flags[9],
            destination_room,
        }
    }
}

prop_compose! {
    fn any_claims()(
        identity in ".{1,20}",
        name in ".{0,20}",
        metadata in ".{0,50}",
        attributes in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
        kind in "[a-z]{0,8}",
        made in (prop::option::of(0..=NOW), prop::option::of(any::<i32>().prop_map(i64::from))),
        expires_at in NOW..NOW + 1_000_000,
        video in grants(),
        config in prop::option::of((".{0,9}", prop::option::of(any::<u32>()), ".{0,9}")),
        role in prop::option::of(any::<bool>()),
        creation_denied in any::<bool>(),
    ) -> Claims {
        Claims {
            identity, name, metadata, attributes, kind,
            not_before: made.0,
            issued_at: made.1,
            expires_at,
            video,
            room_config: config.map(|(name, number, metadata)| RoomConfig {
                agents: name.chars().map(|letter| AgentWish {
                    agent_name: letter.to_string(),
                    attributes: [(metadata.clone(), name.clone())].into(),
                    ..AgentWish::default()
                }).collect(),
                name, metadata, empty_timeout_s: number, departure_timeout_s: None, max_participants: number,
            }),
            role: role.map(|anchor| if anchor { Role::Anchor } else { Role::Audience }),
            creation_denied,
        }
    }
}

proptest! {
    #[test]
    fn what_is_signed_reads_back(claims in any_claims()) {
        let token = sign(&claims, "key", SECRET);
        prop_assert_eq!(decode_unverified_key(&token), Ok("key".to_owned()));
        prop_assert_eq!(verify(&token, SECRET, now()), Ok(claims));
        prop_assert!(verify(&token, "other", now()).is_err());
    }

    #[test]
    fn any_changed_byte_is_noticed(place in 0usize..400, with in 0u8..64) {
        let good = token(&minimal());
        let mut bytes = good.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[usize::from(with)];
        let changed = String::from_utf8(bytes).unwrap();
        let same = changed == good;
        prop_assert_eq!(verify(&changed, SECRET, now()).is_ok(), same);
    }

    #[test]
    fn garbage_is_refused_not_fatal(text in ".{0,200}", parts in prop::array::uniform3("[A-Za-z0-9_-]{0,60}")) {
        prop_assert!(verify(&text, SECRET, now()).is_err());
        prop_assert!(verify(&parts.join("."), SECRET, now()).is_err());
    }
}
