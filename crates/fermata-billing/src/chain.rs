//! The hash chain over an account's journal (P19).

use aws_lc_rs::digest;

use crate::journal::JournalRow;

/// The hash of a row: SHA-256 over its JSON with `hash` zeroed; the hash of the row before is part of it.
///
/// # Errors
/// What cannot be written as JSON, in words.
pub fn hash(row: &JournalRow) -> Result<[u8; 32], String> {
    let blank = JournalRow { hash: [0; 32], ..row.clone() };
    let text = serde_json::to_vec(&blank).map_err(|error| error.to_string())?;
    let sum = digest::digest(&digest::SHA256, &text);
    sum.as_ref().try_into().map_err(|_| "a hash has another length".to_owned())
}

/// Checks that rows follow each other without a gap; says which one does not.
///
/// # Errors
/// A sentence that names the row.
pub fn verify<'a>(
    rows: impl IntoIterator<Item = &'a JournalRow>,
    mut prev: (u64, [u8; 32]),
) -> Result<(u64, [u8; 32]), String> {
    for row in rows {
        if row.seq != prev.0 + 1 || row.prev_hash != prev.1 {
            return Err(format!("row {} does not follow row {}", row.seq, prev.0));
        }
        if hash(row)? != row.hash {
            return Err(format!("row {} was changed after it was written", row.seq));
        }
        prev = (row.seq, row.hash);
    }
    Ok(prev)
}
