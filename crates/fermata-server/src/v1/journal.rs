//! Reading an account's journal in parts: what the lists of ledger, bills, notices and audit share.
//!
//! What it is not: an endpoint. The journal as a whole is the chain that `fermata verify` proves; each noun shows
//! its own rows of it.

use fermata_billing::journal::{JournalRow, RecordKind};
use fermata_types::AccountId;

use super::accounts::{Page, page_limit};
use super::error::ApiError;
use crate::server::Shared;

/// One part of a list of rows.
pub(super) struct Rows {
    /// The rows, by number.
    pub(super) rows: Vec<JournalRow>,
    /// What to ask with `after` for the next part; none at the end.
    pub(super) next: Option<String>,
}

/// Reads the part of an account's journal that `page` asks for; rows of these kinds only.
///
/// # Errors
/// [`ApiError::Invalid`] for the page, and what the store says.
pub(super) async fn rows(
    shared: &Shared,
    account: &AccountId,
    kinds: &[RecordKind],
    page: &Page,
) -> Result<Rows, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = row_number(page.after.as_deref())?;
    let rows = shared.store.journal(account.clone(), kinds, &[], after, limit).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|len| len == limit);
    let next = rows.last().filter(|_| full).map(|row| row.seq.to_string());
    Ok(Rows { rows, next })
}

/// The row's number behind which a part begins; 0 if none is given.
pub(super) fn row_number(after: Option<&str>) -> Result<u64, ApiError> {
    let Some(text) = after else { return Ok(0) };
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        ApiError::Invalid(format!(
            "after: {shown:?} is no row number; it takes `next` of the part before"
        ))
    })
}

/// A hash as people compare it: 64 hexadecimal digits.
pub(super) fn hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
pub(super) mod tests {
    use fermata_billing::clause::ClauseId;
    use fermata_billing::journal::Record;
    use jiff::Timestamp;

    use super::*;

    /// A row with a record, for the tests of those who show it.
    pub(in crate::v1) fn row(seq: u64, record: Record) -> JournalRow {
        JournalRow {
            seq,
            at: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            actor: "operator:somebody".into(),
            cause: ClauseId::T5,
            record,
            prev_hash: [0; 32],
            hash: [0x5a; 32],
        }
    }

    #[test]
    fn row_numbers_are_read_and_nothing_else_is() {
        assert_eq!(row_number(None).unwrap(), 0);
        assert_eq!(row_number(Some("17")).unwrap(), 17);
        for wrong in ["", "-1", "x", "1.5", "99999999999999999999999999"] {
            let error = row_number(Some(wrong)).unwrap_err().to_string();
            assert!(error.starts_with("after: "), "{error}");
        }
    }

    #[test]
    fn hashes_have_64_digits() {
        let mut hash = [0; 32];
        hash[31] = 0xab;
        assert_eq!(hex(&hash), format!("{}ab", "0".repeat(62)));
    }
}
