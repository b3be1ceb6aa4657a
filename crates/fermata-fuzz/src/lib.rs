//! Everything that reads what a stranger sent, as functions of bytes.
//!
//! What it is: one function a parser, in one table ([`TARGETS`]). The fuzzers in the folder `fuzz` call them with
//! bytes that nobody would think of (`cargo xtask fuzz`); the tests of this crate call them with all that the
//! fuzzers kept (`fuzz/corpus`), so that what was found once stays found.
//! What it is not: part of the program.
//!
//! A function returns nothing: that it comes back, soon, and without a panic is what is asked of it. Where a
//! reader has a writer, what was read is written and read again.

mod connection;
mod media;
mod relay;
mod signal;
mod streams;

/// Reads any bytes.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("stun", connection::stun),
    ("datagrams", connection::datagrams),
    ("sdp_offer", connection::sdp_offer),
    ("sdp_answer", connection::sdp_answer),
    ("rtp", media::rtp),
    ("rtcp", media::rtcp),
    ("transport_feedback", media::transport_feedback),
    ("vp8", media::vp8),
    ("vp9", media::vp9),
    ("av1", media::av1),
    ("dependency", media::dependency),
    ("h264", media::h264),
    ("h265", media::h265),
    ("signal_binary", signal::binary),
    ("signal_text", signal::text),
    ("data_packet", signal::data_packet),
    ("stream_frames", streams::stream_frames),
    ("turn", relay::turn),
    ("turn_stream", relay::turn_stream),
];

/// Runs a target by its name; false if there is none of that name.
pub fn run(name: &str, data: &[u8]) -> bool {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    if let Some((_, target)) = found {
        target(data);
    }
    found.is_some()
}
