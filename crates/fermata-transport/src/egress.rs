//! Datagrams on their way out, one behind the other in one buffer, so that the shell can hand runs of equal
//! length to the kernel in one call.
//!
//! What it is not: a queue. Whoever fills it sees to it that it is emptied before it is full; what does not fit
//! is dropped and counted, as a network would.

use std::net::SocketAddr;
use std::ops::Range;

use crate::limits::DATAGRAM_LEN_MAX;

/// Most datagrams handed to the kernel at once. Longer runs are lost on real links, whose buffers are short.
pub const SEGMENTS_MAX: usize = 8;

/// Most datagrams in a buffer: their paths are named by 16 bits.
const DATAGRAMS_MAX: usize = u16::MAX as usize;

/// From which of our addresses, to which of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// Ours: a candidate.
    pub source: SocketAddr,
    /// The peer's.
    pub destination: SocketAddr,
}

/// One datagram in the buffer.
#[derive(Debug, Clone, Copy)]
struct Datagram {
    start: usize,
    len: u16,
    /// Place of its path among the paths.
    path: u16,
}

impl Datagram {
    fn end(&self) -> usize {
        self.start + usize::from(self.len)
    }
}

/// The buffer.
#[derive(Debug)]
pub struct Egress {
    bytes: Box<[u8]>,
    used: usize,
    datagrams: Vec<Datagram>,
    /// Where they go; said once for those that follow each other.
    paths: Vec<Path>,
    dropped: u64,
}

/// A run of datagrams to one address: all of `segment_len` bytes, but for the last, which may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Where they go.
    pub path: Path,
    /// The datagrams one behind the other.
    pub bytes: &'a [u8],
    /// Bytes of each.
    pub segment_len: usize,
}

impl Batch<'_> {
    /// How many datagrams there are.
    pub fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_len.max(1))
    }
}

impl Egress {
    /// Room for `bytes_max` bytes in `datagrams_max` datagrams, at most 65,535; nothing is allocated later.
    pub fn new(bytes_max: usize, datagrams_max: usize) -> Self {
        let datagrams_max = datagrams_max.clamp(1, DATAGRAMS_MAX);
        Self {
            bytes: vec![0; bytes_max].into_boxed_slice(),
            used: 0,
            datagrams: Vec::with_capacity(datagrams_max),
            paths: Vec::with_capacity(datagrams_max),
            dropped: 0,
        }
    }

    /// Appends a datagram of `len` bytes that `write` fills. `None` if there is no room (it is dropped and
    /// counted), or if it is longer than [`DATAGRAM_LEN_MAX`]; if `write` answers `None`, nothing is appended.
    pub fn push_with<R>(
        &mut self,
        path: Path,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> Option<R>,
    ) -> Option<R> {
        self.push_to(&path, len, write)
    }

    /// The same without a copy of the path, which is long.
    pub(crate) fn push_to<R>(
        &mut self,
        path: &Path,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> Option<R>,
    ) -> Option<R> {
        let full = len > DATAGRAM_LEN_MAX || self.datagrams.len() == self.datagrams.capacity();
        let place = self.bytes.get_mut(self.used..self.used.saturating_add(len));
        let (Some(place), Ok(len), false) = (place, u16::try_from(len), full) else {
            self.dropped += 1;
            return None;
        };
        let result = write(place)?;
        if self.paths.last() != Some(path) {
            self.paths.push(*path);
        }
        // Not more paths than datagrams, and not more of those than 16 bits can name.
        let path = u16::try_from(self.paths.len() - 1).unwrap_or(u16::MAX);
        let datagram = Datagram { start: self.used, len, path };
        self.used = datagram.end();
        self.datagrams.push(datagram);
        Some(result)
    }

    /// Appends a copy. False if there is no room.
    pub fn push(&mut self, path: Path, datagram: &[u8]) -> bool {
        let write = |place: &mut [u8]| {
            place.copy_from_slice(datagram);
            Some(())
        };
        self.push_with(path, datagram.len(), write).is_some()
    }

    /// Can `count` more datagrams of the greatest length be appended?
    pub fn has_room(&self, count: usize) -> bool {
        self.bytes.len() - self.used >= count * DATAGRAM_LEN_MAX
            && self.datagrams.capacity() - self.datagrams.len() >= count
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Datagrams in it.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Bytes in it.
    pub fn bytes_len(&self) -> usize {
        self.used
    }

    /// Datagrams dropped for want of room, since the beginning.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.used = 0;
        self.datagrams.clear();
        self.paths.clear();
    }

    /// Each datagram, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.datagrams.iter().filter_map(|datagram| {
            let bytes = self.bytes.get(datagram.start..datagram.end())?;
            Some((*self.paths.get(usize::from(datagram.path))?, bytes))
        })
    }

    /// The same in runs of at most [`SEGMENTS_MAX`] that the kernel can cut up by itself.
    pub fn batches(&self) -> Batches<'_> {
        Batches { egress: self, next: 0 }
    }
}

/// Iterator of [`Egress::batches`].
#[derive(Debug)]
pub struct Batches<'a> {
    egress: &'a Egress,
    next: usize,
}

impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        let rest = self.egress.datagrams.get(self.next..)?;
        let first = rest.first()?;
        let mut count = 1;
        let mut end = first.end();
        for datagram in rest.iter().take(SEGMENTS_MAX).skip(1) {
            if datagram.path != first.path || datagram.len > first.len {
                break;
            }
            count += 1;
            end = datagram.end();
            // Only the last of a run may be shorter.
            if datagram.len < first.len {
                break;
            }
        }
        self.next += count;
        let range: Range<usize> = first.start..end;
        let bytes = self.egress.bytes.get(range).unwrap_or_default();
        let path = *self.egress.paths.get(usize::from(first.path))?;
        Some(Batch { path, bytes, segment_len: usize::from(first.len) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        let ip = std::net::Ipv4Addr::LOCALHOST;
        Path { source: (ip, 1).into(), destination: (ip, port).into() }
    }

    #[test]
    fn runs_are_cut_where_the_kernel_could_not() {
        let mut egress = Egress::new(100_000, 64);
        for (port, len) in
            [(1, 100), (1, 100), (1, 60), (1, 100), (2, 100), (2, 120), (2, 120), (1, 120)]
        {
            assert!(egress.push(path(port), &vec![u8::try_from(len).unwrap(); len]));
        }
        let runs: Vec<_> = egress
            .batches()
            .map(|batch| {
                (batch.path.destination.port(), batch.segment_len, batch.bytes.len(), batch.count())
            })
            .collect();
        assert_eq!(
            runs,
            [
                (1, 100, 260, 3),
                (1, 100, 100, 1),
                (2, 100, 100, 1),
                (2, 120, 240, 2),
                (1, 120, 120, 1)
            ]
        );
        for _ in 0..=SEGMENTS_MAX {
            egress.push(path(3), &[7; 10]);
        }
        let last: Vec<_> = egress.batches().skip(5).map(|batch| batch.count()).collect();
        assert_eq!(last, [SEGMENTS_MAX, 1]);
        egress.clear();
        assert!(egress.is_empty() && egress.batches().next().is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let mut egress = Egress::new(DATAGRAM_LEN_MAX * 2, 3);
        assert!(egress.has_room(2) && !egress.has_room(3));
        assert!(!egress.push(path(1), &[0; DATAGRAM_LEN_MAX + 1]));
        assert_eq!(egress.push_with(path(1), 10, |_| None::<()>), None);
        assert!(egress.is_empty() && egress.bytes_len() == 0);
        for _ in 0..3 {
            assert!(egress.push(path(1), &[0; 10]));
        }
        assert!(!egress.push(path(1), &[0; 10]));
        assert_eq!((egress.len(), egress.bytes_len(), egress.dropped()), (3, 30, 2));
    }
}
