//! Records of the usage log as bytes: length (u32), CRC-32 of the body (u32), both little-endian, then the body as JSON.
//!
//! A file that ends inside a record, or whose checksum fails, ends there: that is what a crash leaves.

use fermata_sfu::io::UsageFact;
use fermata_types::{StayClosed, StayOpened, UsageWindow};
use flate2::Crc;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::USAGE_RECORD_LEN_MAX;

/// Bytes before the body.
const HEAD_LEN: usize = 8;

/// One record. The names are the file format: they may be added to, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Opened(StayOpened),
    Window(UsageWindow),
    Closed(StayClosed),
    /// The node was alive at this moment, and every fact before it stands before it.
    Heartbeat(Timestamp),
}

impl From<UsageFact> for Record {
    fn from(fact: UsageFact) -> Self {
        match fact {
            UsageFact::Opened(fact) => Self::Opened(fact),
            UsageFact::Window(fact) => Self::Window(fact),
            UsageFact::Closed(fact) => Self::Closed(fact),
        }
    }
}

/// Why reading stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Torn;

impl Record {
    /// Appends the record's bytes to `out`. A record too large to be read again is an error (the caller counts it).
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Torn> {
        let body = serde_json::to_vec(self).map_err(|_| Torn)?;
        if body.len() > USAGE_RECORD_LEN_MAX {
            return Err(Torn);
        }
        let len = u32::try_from(body.len()).map_err(|_| Torn)?;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&checksum(&body).to_le_bytes());
        out.extend_from_slice(&body);
        Ok(())
    }

    /// Reads the record at the start of `bytes` and moves `bytes` behind it. `None` at the end.
    pub(crate) fn read(bytes: &mut &[u8]) -> Result<Option<Self>, Torn> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (head, rest) = bytes.split_at_checked(HEAD_LEN).ok_or(Torn)?;
        let (len, sum) = head.split_at_checked(4).ok_or(Torn)?;
        let len = u32::from_le_bytes(len.try_into().map_err(|_| Torn)?);
        let sum = u32::from_le_bytes(sum.try_into().map_err(|_| Torn)?);
        let len = usize::try_from(len).map_err(|_| Torn)?;
        if len > USAGE_RECORD_LEN_MAX {
            return Err(Torn);
        }
        let (body, rest) = rest.split_at_checked(len).ok_or(Torn)?;
        if checksum(body) != sum {
            return Err(Torn);
        }
        let record = serde_json::from_slice(body).map_err(|_| Torn)?;
        *bytes = rest;
        Ok(Some(record))
    }
}

fn checksum(body: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(body);
    crc.sum()
}
