//! Datagrams in a TCP connection (RFC 4571), cut wherever the network cuts.

use fermata_node::limits::FRAME_LEN_MAX;
use fermata_node::streams::framing::{FrameQueue, FrameReader, FrameTooLong};

/// What a reader is given at once, bytes; a whole frame fits.
const BUFFER_BYTES: usize = 64 * 1024;

/// The first byte says in what pieces the others come. All at once they are the same frames and the same error; what
/// was read is written and read again.
pub(crate) fn stream_frames(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else { return };
    let whole = read(bytes, BUFFER_BYTES);
    assert_eq!(whole, read(bytes, usize::from(*piece) + 1), "it matters how the bytes were cut");
    let (frames, _) = whole;
    let (mut queue, mut written) = (FrameQueue::default(), Vec::new());
    for frame in &frames {
        assert!(queue.push(frame), "a frame that was read is too long to be written");
        // Written in pieces, too.
        let count = queue.waiting().len().min(usize::from(*piece) + 1);
        written.extend(queue.waiting().iter().take(count));
        queue.written(count);
        if queue.waiting().len() > BUFFER_BYTES {
            written.extend_from_slice(queue.waiting());
            queue.written(usize::MAX);
        }
    }
    written.extend_from_slice(queue.waiting());
    assert_eq!(read(&written, BUFFER_BYTES), (frames, None), "what was written is not read");
}

/// The frames, and why there are no more.
fn read(mut bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<FrameTooLong>) {
    let (mut reader, mut frames) = (FrameReader::default(), Vec::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    while !bytes.is_empty() {
        let held = reader.restore(&mut buffer);
        let count = piece.min(bytes.len()).min(BUFFER_BYTES - held);
        assert!(count > 0, "what is kept leaves no room: {held} bytes");
        let (now, later) = bytes.split_at(count);
        bytes = later;
        let Some(front) = buffer.get_mut(..held + count) else { return (frames, None) };
        if let Some(place) = front.get_mut(held..) {
            place.copy_from_slice(now);
        }
        let cut = reader.cut(front, |frame| {
            assert!((1..=FRAME_LEN_MAX).contains(&frame.len()), "{} bytes", frame.len());
            frames.push(frame.to_vec());
            true
        });
        if let Err(error) = cut {
            return (frames, Some(error));
        }
    }
    (frames, None)
}
