//! Datagrams in a stream of bytes: each with its length before it, 16 bits in network order (RFC 4571 section 2).
//!
//! What it is not: it reads and writes no socket, and looks into no datagram.

use crate::limits::{FRAME_LEN_MAX, STREAM_QUEUE_LEN};

/// Bytes of the length.
const HEADER_LEN: usize = 2;

/// A length above [`FRAME_LEN_MAX`] was announced: no client of ours speaks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {len} bytes was announced; {FRAME_LEN_MAX} are allowed")]
pub struct FrameTooLong {
    /// The announced length, bytes.
    pub len: usize,
}

/// The reader of one connection: keeps what has come of a frame whose end has not.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// Less than one frame.
    held: Vec<u8>,
}

impl FrameReader {
    /// Puts what is kept at the front of `buffer`, behind which the bytes that came next are to be written;
    /// how many bytes it is. `buffer` holds a whole frame at least.
    pub fn restore(&mut self, buffer: &mut [u8]) -> usize {
        let Some(front) = buffer.get_mut(..self.held.len()) else { return 0 };
        front.copy_from_slice(&self.held);
        self.held.len()
    }

    /// Cuts bytes that begin with what [`Self::restore`] put there. Each whole frame that is not empty is handed
    /// over, the rest is kept. `each` says whether to go on; the bytes behind a frame that it stops at are lost.
    ///
    /// # Errors
    /// [`FrameTooLong`]; frames before it were handed over. The stream is of no more use then.
    pub fn cut(
        &mut self,
        bytes: &mut [u8],
        mut each: impl FnMut(&mut [u8]) -> bool,
    ) -> Result<(), FrameTooLong> {
        self.held.clear();
        let mut rest = bytes;
        while let Some((header, behind)) = rest.split_first_chunk_mut::<HEADER_LEN>() {
            let len = usize::from(u16::from_be_bytes(*header));
            if len > FRAME_LEN_MAX {
                return Err(FrameTooLong { len });
            }
            if behind.len() < len {
                break;
            }
            let (_, behind) = std::mem::take(&mut rest).split_at_mut(HEADER_LEN);
            let (frame, behind) = behind.split_at_mut(len);
            rest = behind;
            if len > 0 && !each(frame) {
                return Ok(());
            }
        }
        if !rest.is_empty() && self.held.capacity() == 0 {
            // Once for a connection.
            self.held.reserve_exact(HEADER_LEN + FRAME_LEN_MAX);
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
}

/// What waits to be written to one connection: whole frames, but for the first, of which a part may be gone.
#[derive(Debug, Default)]
pub struct FrameQueue {
    bytes: Vec<u8>,
    /// Written already.
    start: usize,
}

impl FrameQueue {
    /// Appends a datagram. False, with nothing done, if it is empty or longer than a frame may be, or if it would
    /// make more than [`STREAM_QUEUE_LEN`] bytes wait.
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        let len = HEADER_LEN + datagram.len();
        let waiting = self.waiting().len();
        let fits =
            (1..=FRAME_LEN_MAX).contains(&datagram.len()) && waiting + len <= STREAM_QUEUE_LEN;
        let Some(header) = u16::try_from(datagram.len()).ok().filter(|_| fits) else {
            return false;
        };
        if self.start > 0 && self.bytes.len() + len > STREAM_QUEUE_LEN {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(&header.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// What is to be written next.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// So many bytes of it were written.
    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads bytes in pieces.
    fn read(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let (mut reader, mut found, mut at) = (FrameReader::default(), Vec::new(), 0);
        let mut pieces = pieces.iter().cycle();
        while at < bytes.len() {
            let mut buffer = vec![0; 64 * 1024];
            let held = reader.restore(&mut buffer);
            assert!(held < HEADER_LEN + FRAME_LEN_MAX);
            let count =
                (*pieces.next().unwrap()).clamp(1, bytes.len() - at).min(buffer.len() - held);
            buffer[held..held + count].copy_from_slice(&bytes[at..at + count]);
            at += count;
            reader.cut(&mut buffer[..held + count], |frame| {
                found.push(frame.to_vec());
                true
            })?;
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            lens in prop::collection::vec(1..=FRAME_LEN_MAX, 1..20),
            pieces in prop::collection::vec(1..5_000_usize, 1..10),
        ) {
            let frames: Vec<Vec<u8>> =
                lens.iter().zip(0..).map(|(len, byte)| vec![byte; *len]).collect();
            let (mut queue, mut bytes) = (FrameQueue::default(), Vec::new());
            for frame in &frames {
                prop_assert!(queue.push(frame));
                let count = queue.waiting().len().min(pieces[0]);
                bytes.extend_from_slice(&queue.waiting()[..count]);
                queue.written(count);
            }
            bytes.extend_from_slice(queue.waiting());
            prop_assert_eq!(read(&bytes, &pieces).unwrap(), frames);
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..5_000), piece in 1..3_000_usize) {
            let _ = read(&bytes, &[piece]);
        }
    }

    #[test]
    fn frames_are_bounded_and_empty_ones_are_nothing() {
        let len = FRAME_LEN_MAX + 1;
        let header = u16::try_from(len).unwrap().to_be_bytes();
        assert_eq!(read(&header, &[1]), Err(FrameTooLong { len }));
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r\n", &[99]), Err(FrameTooLong { len: 0x4745 }));
        assert_eq!(read(&[0, 0, 0, 1, 7, 0, 0, 0, 9], &[99]), Ok(vec![vec![7]]));
        let mut queue = FrameQueue::default();
        assert!(!queue.push(&[]) && !queue.push(&vec![0; len]));
    }

    #[test]
    fn a_full_queue_takes_nothing_and_goes_on_with_whole_frames() {
        let (mut queue, mut taken) = (FrameQueue::default(), 0_usize);
        while queue.push(&[1; 1_000]) {
            taken += 1;
        }
        assert_eq!(taken, STREAM_QUEUE_LEN / 1_002);
        // Half a frame is gone; the rest of it stays, and there is no room for another whole one.
        queue.written(100);
        assert!(!queue.push(&[2; 1_000]));
        queue.written(902);
        assert!(queue.push(&[2; 1_000]));
        assert!(queue.bytes.capacity() <= 2 * STREAM_QUEUE_LEN);
        let frames = read(queue.waiting(), &[4_000]).unwrap();
        assert_eq!((frames.len(), frames.last().map(|f| f[0])), (taken, Some(2)));
        queue.written(usize::MAX);
        assert!(queue.waiting().is_empty());
    }
}
