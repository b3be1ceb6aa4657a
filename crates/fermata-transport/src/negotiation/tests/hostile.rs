//! Whatever a peer sends, and in whatever order.

use super::*;
use proptest::prelude::*;

/// Takes an offer and, if it is accepted, everything that may follow.
fn swallow(ours: &mut Negotiation, text: &str) {
    if let Ok(accepted) = ours.accept_offer(text) {
        let places: Vec<_> = accepted.offered.sections.iter().filter(|s| s.placeholder).collect();
        let answer = ours.answer(&[]).unwrap();
        check_answer(text, &answer);
        let assignments: Vec<_> = places
            .iter()
            .map(|place| Assignment { mid: place.mid, stream_id: "PA_1|camera", track_id: "TR_1" })
            .collect();
        let answer = ours.answer(&assignments).unwrap();
        check_answer(text, &answer);
        assert_eq!(msids(&answer).len(), places.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,300}") {
        swallow(&mut end(PeerKind::Single), &text);
        let mut subscriber = end(PeerKind::Subscriber);
        subscriber.create_offer(None).unwrap();
        let _ = subscriber.accept_answer(&text);
    }

    #[test]
    fn spoilt_offers_are_taken_or_refused(
        which in 0..CORPUS.len(),
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = CORPUS[which].as_bytes().to_vec();
        for (index, value) in spots {
            let len = bytes.len();
            bytes[index.index(len)] = value;
        }
        let text = String::from_utf8_lossy(&bytes);
        swallow(&mut end(PeerKind::Single), &text);
        let mut known = end(PeerKind::Single);
        known.accept_offer(CORPUS[which]).unwrap();
        swallow(&mut known, &text);
    }

    #[test]
    fn numbers_and_lines_moved_about_are_taken_or_refused(
        which in 0..CORPUS.len(),
        moves in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4, 0_u16..300),
            1..6,
        ),
    ) {
        let mut lines: Vec<String> = CORPUS[which].lines().map(str::to_owned).collect();
        for (at, other, what, number) in moves {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match what {
                0 => lines.swap(at, other),
                1 => lines.insert(at, lines[other].clone()),
                2 => {
                    lines.remove(at);
                }
                _ => {
                    // The first number of the line becomes another.
                    let line = &lines[at];
                    let digits = |c: char| c.is_ascii_digit();
                    if let Some(start) = line.find(digits) {
                        let end = line[start..].find(|c| !digits(c)).map_or(line.len(), |n| start + n);
                        lines[at] = format!("{}{number}{}", &line[..start], &line[end..]);
                    }
                }
            }
        }
        let text = lines.join("\r\n") + "\r\n";
        swallow(&mut end(PeerKind::Single), &text);
        let mut known = end(PeerKind::Single);
        known.accept_offer(CORPUS[which]).unwrap();
        swallow(&mut known, &text);
    }

    #[test]
    fn whatever_tracks_come_and_go_the_client_follows(
        reuse in any::<bool>(),
        steps in prop::collection::vec((0_u8..5, any::<prop::sample::Index>()), 1..40),
    ) {
        let mut client = client();
        let mut ours = Negotiation::new(NegotiationConfig { reuse_sections: reuse, ..config(PeerKind::Subscriber) });
        let mut live: Vec<Mid> = Vec::new();
        let mut order: Vec<Mid> = Vec::new();
        for (number, (step, which)) in steps.into_iter().enumerate() {
            match step {
                0 => live.push(ours.add_track(MediaKind::Audio, "PA_1|camera", &format!("TR_{number}"))),
                1 => live.push(ours.add_track(MediaKind::Video, "PA_1|camera", &format!("TR_{number}"))),
                2 if !live.is_empty() => {
                    let at = which.index(live.len());
                    ours.stop_track(live.swap_remove(at));
                }
                3 if ours.needs_offer() => {
                    let offer = renegotiate(&mut ours, &mut client);
                    let offer = parse(&offer).unwrap();
                    let mids: Vec<Mid> = offer.sections.iter().map(|section| section.mid).collect();
                    prop_assert!(mids.starts_with(&order), "sections keep their places");
                    order = mids;
                    for line in &ours.negotiated().lines {
                        prop_assert_eq!(line.sending, live.contains(&line.mid));
                    }
                    let sending = offer.sections.iter().filter(|s| s.direction == Direction::SendOnly);
                    prop_assert_eq!(sending.count(), live.len());
                }
                4 if ours.needs_offer() => {
                    // An answer to something else.
                    ours.create_offer(None).unwrap();
                    let answer = "v=0\r\ns=-\r\n";
                    prop_assert!(matches!(ours.accept_answer(answer), Err(SdpError::Refused { .. })), "refused");
                }
                _ => {}
            }
        }
    }
}
