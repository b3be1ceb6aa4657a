//! Prints what sealing and opening cost, in nanoseconds per packet, for each profile and two sizes of payload.
//!
//! `cargo run --release -p fermata-srtp --example srtp_rate`

use std::error::Error;
use std::io::{Write as _, stdout};

use fermata_srtp::{Opener, Profile, Sealer};
use fermata_types::Now;

/// Bytes of header: the fixed part and one extension word with its own header.
const HEADER_LEN: usize = 20;
/// Packets sealed, then opened, between two looks at the clock; they stay in the second-level cache.
const BATCH: usize = 256;
/// Batches per figure, of which the fastest counts: the others were disturbed.
const ROUNDS: u32 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    writeln!(out, "{:<26}{:>8}{:>12}{:>12}", "profile", "payload", "seal ns", "open ns")?;
    for profile in Profile::ALL {
        for payload_len in [1_200, 160] {
            let (seal, open) = measure(profile, payload_len)?;
            writeln!(out, "{:<26}{payload_len:>8}{seal:>12}{open:>12}", profile.to_string())?;
        }
    }
    Ok(())
}

/// Nanoseconds per packet to seal and to open.
fn measure(profile: Profile, payload_len: usize) -> Result<(u128, u128), Box<dyn Error>> {
    let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
    let sealer = Sealer::new(profile, &key, &salt)?;
    let opener = Opener::new(profile, &key, &salt)?;
    let len = HEADER_LEN + payload_len + profile.tag_len();
    let mut arena = vec![0x80; len * BATCH];
    for (seq, packet) in (0_u16..).zip(arena.chunks_exact_mut(len)) {
        if let Some(field) = packet.get_mut(2..4) {
            field.copy_from_slice(&seq.to_be_bytes());
        }
    }
    let (mut seal, mut open) = (u128::MAX, u128::MAX);
    for roc in 0..ROUNDS {
        let before = Now::read().instant;
        for packet in arena.chunks_exact_mut(len) {
            sealer.seal_rtp(packet, HEADER_LEN, roc)?;
        }
        let between = Now::read().instant;
        for packet in arena.chunks_exact_mut(len) {
            opener.open_rtp(packet, HEADER_LEN, roc)?;
        }
        let after = Now::read().instant;
        seal = seal.min((between - before).as_nanos());
        open = open.min((after - between).as_nanos());
    }
    Ok((seal / BATCH as u128, open / BATCH as u128))
}
