//! STUN binding requests as a client writes them, and as one writes them who has no right to (RFC 8489, RFC 8445).

use aws_lc_rs::hmac;

use super::random::Random;

/// Magic cookie, RFC 8489 section 5.
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Length of a header, bytes.
pub(super) const HEADER_LEN: usize = 20;

const REQUEST: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const CONTROLLING: u16 = 0x802A;
const FINGERPRINT_XOR: u32 = 0x5354_554E;
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Identifies a transaction, RFC 8489 section 5.
pub(super) type Transaction = [u8; 12];

/// A check of the path to who knows `password` and is called `theirs`, from who is called `ours`; complete, with
/// integrity and fingerprint.
pub(super) fn check(
    random: &mut Random,
    (theirs, ours): (&str, &str),
    password: &str,
) -> (Transaction, Vec<u8>) {
    let transaction = random.bytes();
    let mut data = Vec::with_capacity(128);
    data.extend(REQUEST);
    data.extend([0, 0]);
    data.extend(COOKIE);
    data.extend(transaction);
    attribute(&mut data, USERNAME, format!("{theirs}:{ours}").as_bytes());
    attribute(&mut data, PRIORITY, &0x6E7F_1EFF_u32.to_be_bytes());
    attribute(&mut data, CONTROLLING, &random.bytes::<8>());
    attribute(&mut data, USE_CANDIDATE, &[]);
    // The length covers the attribute that is being computed, and nothing behind it.
    set_len(&mut data, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let tag = hmac::sign(&key, &data);
    attribute(&mut data, INTEGRITY, tag.as_ref());
    set_len(&mut data, 8);
    let sum = CRC.checksum(&data) ^ FINGERPRINT_XOR;
    attribute(&mut data, FINGERPRINT, &sum.to_be_bytes());
    (transaction, data)
}

/// Is it the answer to this transaction, and a good one?
pub(super) fn is_success(data: &[u8], transaction: &Transaction) -> bool {
    data.get(..2) == Some(&SUCCESS) && data.get(8..HEADER_LEN) == Some(transaction)
}

fn attribute(data: &mut Vec<u8>, kind: u16, value: &[u8]) {
    data.extend(kind.to_be_bytes());
    data.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    data.extend(value);
    data.resize(data.len().next_multiple_of(4), 0);
}

/// Sets the header's length to what is there and `more` bytes.
fn set_len(data: &mut [u8], more: usize) {
    let len = u16::try_from(data.len() - HEADER_LEN + more).unwrap_or(u16::MAX);
    if let Some(field) = data.get_mut(2..4) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_whole_and_signed() {
        let (transaction, data) = check(&mut Random::new(1), ("srv", "cli"), "password");
        assert_eq!(usize::from(u16::from_be_bytes([data[2], data[3]])), data.len() - HEADER_LEN);
        assert_eq!(data[8..20], transaction);
        let integrity = data.len() - 8 - 24;
        let mut signed = data[..integrity].to_vec();
        set_len(&mut signed, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"password");
        assert!(hmac::verify(&key, &signed, &data[integrity + 4..integrity + 24]).is_ok());
        let sum = CRC.checksum(&data[..data.len() - 8]) ^ FINGERPRINT_XOR;
        assert_eq!(data[data.len() - 4..], sum.to_be_bytes());
        let mut answer = data;
        assert!(!is_success(&answer, &transaction));
        answer[..2].copy_from_slice(&SUCCESS);
        assert!(is_success(&answer, &transaction));
        assert!(!is_success(&answer, &[0; 12]));
    }
}
