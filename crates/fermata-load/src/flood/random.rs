//! Bytes that look random. Nothing here is secret: it is garbage, and names that must differ.

use fermata_types::Now;

/// A generator of 64 bits at a time (`SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// One whose numbers follow from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One that differs from run to run.
    pub(super) fn unseeded() -> Self {
        let micros = Now::read().wall.as_microsecond();
        Self(u64::from_le_bytes(micros.to_le_bytes()) ^ u64::from(std::process::id()) << 32)
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of `low` to `high`, both included.
    pub(super) fn within(&mut self, low: usize, high: usize) -> usize {
        let span = (high.saturating_sub(low) as u64).saturating_add(1);
        low + usize::try_from(self.next() % span).unwrap_or(0)
    }

    /// Fills with bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            for (byte, random) in chunk.iter_mut().zip(word) {
                *byte = random;
            }
        }
    }

    /// So many bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Letters and digits, as ICE's fragments and passwords are made of (RFC 8445 section 15.4).
    pub(super) fn text(&mut self, len: usize) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let letter = |byte: u8| LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        (0..len).map(|_| char::from(letter(self.next().to_le_bytes()[0]))).collect()
    }
}
