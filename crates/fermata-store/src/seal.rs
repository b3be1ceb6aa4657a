//! Secrets at rest: AES-256-GCM under one master key that lives in a file beside the data.
//!
//! A sealed value is one byte of format version, 12 bytes of nonce, then the ciphertext with its tag.
//! What is authenticated along with it names the table, the column and the row, so that a sealed
//! value copied into another row does not open there.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::StoreError;

/// Version byte of a sealed value: AES-256-GCM with a random 96-bit nonce.
const FORMAT: u8 = 1;
/// Bytes of the master key.
const KEY_LEN: usize = 32;

/// The master key under which secrets are sealed.
///
/// Its text form, in the key file, is 64 hexadecimal digits and a line break.
#[derive(Clone)]
pub struct SecretKey {
    bytes: [u8; KEY_LEN],
    /// The file it came from, to be named when it does not fit.
    source: Option<PathBuf>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").field("source", &self.source).finish_non_exhaustive()
    }
}

impl SecretKey {
    /// A key that the caller keeps somewhere itself.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self { bytes, source: None }
    }

    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if the system has none.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = [0; KEY_LEN];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| StoreError::Backend("the system gives no randomness".to_owned()))?;
        Ok(Self::from_bytes(bytes))
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// [`StoreError::Key`] if there is none, or if its contents are no key.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let fail = |problem: String| StoreError::Key { path: path.to_owned(), problem };
        let mut text = String::new();
        // A key file has 65 bytes; whatever is longer is something else.
        let bound = u64::try_from(KEY_LEN * 4).unwrap_or(u64::MAX);
        File::open(path)
            .and_then(|file| file.take(bound).read_to_string(&mut text))
            .map_err(|error| fail(format!("it cannot be read ({error})")))?;
        let bytes = from_hex(text.trim())
            .ok_or_else(|| fail("it does not hold 64 hexadecimal digits".to_owned()))?;
        warn_if_shared(path);
        Ok(Self { bytes, source: Some(path.to_owned()) })
    }

    /// Reads the key file; makes one, readable for its owner only, if there is none.
    ///
    /// # Errors
    /// [`StoreError::Key`] if it can neither be read nor written.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            return Self::load(path);
        }
        let key = Self::generate()?;
        key.save_new(path)?;
        Ok(Self { source: Some(path.to_owned()), ..key })
    }

    /// Writes the key to a new file, readable for its owner only.
    ///
    /// # Errors
    /// [`StoreError::Key`] if the file exists or cannot be written.
    pub fn save_new(&self, path: &Path) -> Result<(), StoreError> {
        let text = format!("{}\n", self.to_text());
        write_new_private(path, text.as_bytes())
            .map_err(|error| StoreError::Key { path: path.to_owned(), problem: error.to_string() })
    }

    /// Its text form, without the line break.
    pub(crate) fn to_text(&self) -> String {
        hex_text(&self.bytes)
    }

    /// The file this key came from, if it came from one.
    pub fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// What to call this key's file in an error.
    pub(crate) fn named(&self) -> PathBuf {
        self.source.clone().unwrap_or_else(|| PathBuf::from("(given by the caller)"))
    }

    /// Seals `plain` for one cell of one table.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if the system has no randomness.
    pub(crate) fn seal(&self, cell: &Cell<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let failed = |_| StoreError::Backend("sealing a secret failed".to_owned());
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.bytes).map_err(failed)?;
        let mut text = plain.to_vec();
        let nonce =
            key.seal_in_place_append_tag(Aad::from(cell.name()), &mut text).map_err(failed)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what [`SecretKey::seal`] made for the same cell.
    ///
    /// # Errors
    /// [`StoreError::Key`] if the key is another one, or the value was changed or moved.
    pub(crate) fn open(&self, cell: &Cell<'_>, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.try_open(cell, sealed).ok_or_else(|| StoreError::Key {
            path: self.named(),
            problem: format!("it does not open {}", cell.name()),
        })
    }

    fn try_open(&self, cell: &Cell<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&format, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        if format != FORMAT {
            return None;
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.bytes).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = key.open_in_place(nonce, Aad::from(cell.name()), &mut text).ok()?;
        Some(plain.to_vec())
    }
}

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a str,
}

impl Cell<'_> {
    /// The authenticated name. Rows come last, so no row's text can imitate another column.
    fn name(&self) -> String {
        format!("{}.{} of {}", self.table, self.column, self.row)
    }
}

/// Writes a new file with mode 0600 and makes it durable; fails if it exists.
pub(crate) fn write_new_private(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let mut file = private_file(path)?;
    file.write_all(contents)?;
    file.sync_all()?;
    sync_parent(path)
}

/// Creates a new file that only its owner may read or write.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the name of a file durable, not only its contents.
pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let shared = path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if shared {
        tracing::warn!(path = %path.display(), "The key file can be read by others; mode 0600 is enough.");
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_path: &Path) {}

fn hex_digits(byte: u8) -> [char; 2] {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    [digit(byte >> 4), digit(byte & 0xf)]
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| hex_digits(*byte)).collect()
}

/// The bytes of hexadecimal digits; none if they are none.
pub(crate) fn from_hex_text(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok());
    if rest.is_empty() { bytes.collect() } else { None }
}

fn from_hex(text: &str) -> Option<[u8; KEY_LEN]> {
    from_hex_text(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: Cell<'_> = Cell { table: "apps", column: "usersig_key_sealed", row: "7" };

    #[test]
    fn a_sealed_value_opens_only_in_its_own_cell_and_unchanged() {
        let key = SecretKey::from_bytes([7; KEY_LEN]);
        let sealed = key.seal(&CELL, b"hush").expect("seal");
        assert_eq!(key.open(&CELL, &sealed).expect("open"), b"hush");
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_ne!(sealed, key.seal(&CELL, b"hush").expect("seal"), "nonces are fresh");

        assert!(key.open(&Cell { row: "8", ..CELL }, &sealed).is_err());
        assert!(key.open(&Cell { column: "name", ..CELL }, &sealed).is_err());
        assert!(SecretKey::from_bytes([8; KEY_LEN]).open(&CELL, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(key.open(&CELL, &bent).is_err(), "byte {at}");
            assert!(key.open(&CELL, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_key_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("fermata.key");
        assert!(matches!(SecretKey::load(&path), Err(StoreError::Key { .. })));
        let made = SecretKey::load_or_create(&path).expect("made");
        let read = SecretKey::load_or_create(&path).expect("read");
        assert_eq!(made.bytes, read.bytes);
        assert!(matches!(made.save_new(&path), Err(StoreError::Key { .. })), "never overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = path.metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for bad in ["", "00", &"zz".repeat(32), &"00".repeat(33), &"é".repeat(32)] {
            std::fs::write(&path, bad).expect("write");
            assert!(matches!(SecretKey::load(&path), Err(StoreError::Key { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_key_never_shows_itself() {
        let text = format!("{:?}", SecretKey::from_bytes([0xab; KEY_LEN]));
        assert!(!text.contains("171") && !text.contains("ab"), "{text}");
    }
}
