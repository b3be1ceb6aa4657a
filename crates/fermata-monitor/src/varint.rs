//! Whole numbers in as few bytes as they need: seven bits a byte, least significant first (LEB128), and
//! zigzag for signed ones, so that small differences are short either way.

/// Longest encoding of 64 bits.
const LEN_MAX: u32 = 10;

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a number of either sign.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// What is left to be read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next number; `None` if there is none, or none of 64 bits.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for n in 0..LEN_MAX {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let low = u64::from(byte & 0x7F);
            if n == LEN_MAX - 1 && low > 1 {
                return None;
            }
            value |= low << (7 * n);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next number of either sign.
    pub(crate) fn take_signed(&mut self) -> Option<i64> {
        let value = self.take()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The next bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn endless_and_cut_numbers_are_none() {
        assert_eq!(Reader(&[0x80; 20]).take(), None);
        assert_eq!(Reader(&[0x80]).take(), None);
        assert_eq!(Reader(&[]).take(), None);
        let too_many_bits = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
        assert_eq!(Reader(&too_many_bits).take(), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back(unsigned in any::<u64>(), signed in any::<i64>()) {
            let mut out = Vec::new();
            put(&mut out, unsigned);
            put_signed(&mut out, signed);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.take(), Some(unsigned));
            prop_assert_eq!(reader.take_signed(), Some(signed));
            prop_assert!(reader.0.is_empty());
        }
    }
}
