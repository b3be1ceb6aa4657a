//! What clients say on their WebSocket and on their data channels.

use fermata_signal::{decode_binary, decode_text};

/// A binary frame.
pub(crate) fn binary(data: &[u8]) {
    let _ = decode_binary(data);
}

/// A text frame.
pub(crate) fn text(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = decode_text(text);
    }
}

/// A message on the reliable data channel.
pub(crate) fn data_packet(data: &[u8]) {
    fermata_sfu::read_data_packet(data);
}
