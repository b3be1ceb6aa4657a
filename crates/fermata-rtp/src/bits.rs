//! Reading of bit fields from untrusted bytes: every read may come up short, none panics.

/// Most bytes of one parameter set that are looked at. Real ones have 10 to 60; scaling matrices make
/// them a few hundred.
const PARAMETER_SET_LEN_MAX: usize = 512;

/// Most leading zeros of an Exp-Golomb code that is still taken: values up to 2^20 are far above
/// any picture side.
const EXP_GOLOMB_ZEROS_MAX: u32 = 20;

/// A cursor over bits, most significant first.
#[derive(Debug, Clone)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    /// At the first bit of `data`.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// One bit.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// Up to 32 bits as a number.
    pub(crate) fn number(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..bits {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Bits read or passed over.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Passes over bits; reading behind the end fails later.
    pub(crate) fn skip(&mut self, bits: usize) {
        self.position = self.position.saturating_add(bits);
    }

    /// Unsigned Exp-Golomb code, `ue(v)` of H.264 section 9.1 (also AV1's `uvlc`).
    pub(crate) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > EXP_GOLOMB_ZEROS_MAX {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// Signed Exp-Golomb code, `se(v)` of H.264 section 9.1.1.
    pub(crate) fn exp_golomb_signed(&mut self) -> Option<i32> {
        let code = i32::try_from(self.exp_golomb()?).ok()?;
        Some(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }
}

/// The beginning of a parameter set without its emulation prevention bytes (H.264 section 7.4.1).
pub(crate) struct Unescaped {
    bytes: [u8; PARAMETER_SET_LEN_MAX],
    len: usize,
}

impl Unescaped {
    /// Copies at most [`PARAMETER_SET_LEN_MAX`] bytes, on the stack.
    pub(crate) fn new(data: &[u8]) -> Self {
        let mut this = Self { bytes: [0; PARAMETER_SET_LEN_MAX], len: 0 };
        let mut zeros = 0;
        for &byte in data {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            let Some(slot) = this.bytes.get_mut(this.len) else { break };
            *slot = byte;
            this.len += 1;
        }
        this
    }

    /// A cursor over them.
    pub(crate) fn bits(&self) -> Bits<'_> {
        Bits::new(self.bytes.get(..self.len).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_of_the_standard() {
        // H.264 table 9-2: 1 -> 0, 010 -> 1, 011 -> 2, 00100 -> 3.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!(bits.exp_golomb(), Some(0));
        assert_eq!(bits.exp_golomb(), Some(1));
        assert_eq!(bits.exp_golomb(), Some(2));
        assert_eq!(bits.exp_golomb(), Some(3));
        assert_eq!(bits.exp_golomb(), None, "runs out");
        assert_eq!(Bits::new(&[0; 64]).exp_golomb(), None, "absurdly long");
        let mut signed = Bits::new(&[0b0100_1100, 0b1000_0101]);
        assert_eq!(signed.exp_golomb_signed(), Some(1));
        assert_eq!(signed.exp_golomb_signed(), Some(-1));
        assert_eq!(signed.exp_golomb_signed(), Some(2));
        assert_eq!(signed.exp_golomb_signed(), Some(-2));
    }

    #[test]
    fn emulation_prevention_is_undone() {
        let unescaped = Unescaped::new(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3]);
        assert_eq!(&unescaped.bytes[..unescaped.len], &[1, 0, 0, 1, 0, 0, 0, 0, 3]);
        assert_eq!(Unescaped::new(&[7; 4_000]).len, PARAMETER_SET_LEN_MAX);
    }
}
