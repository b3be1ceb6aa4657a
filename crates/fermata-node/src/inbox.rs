//! Where datagrams are received: buffers for one call to the kernel, which may put several datagrams of one
//! sender into one buffer (GRO).
//!
//! What it is not: a queue. What one call brought is handed on before the next.

use std::io::IoSliceMut;
use std::net::SocketAddr;

use quinn_udp::{BATCH_SIZE, RecvMeta};

use crate::limits::RECEIVE_BUFFER_LEN;

/// The buffers.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    metas: [RecvMeta; BATCH_SIZE],
}

/// Datagrams of one sender, all of `segment_len` bytes but for the last, which may be shorter.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) source: SocketAddr,
    pub(crate) data: &'a mut [u8],
    pub(crate) segment_len: usize,
}

impl Inbox {
    /// Takes all the memory it will ever need.
    pub(crate) fn new() -> Self {
        let bytes = vec![0; RECEIVE_BUFFER_LEN * BATCH_SIZE].into_boxed_slice();
        Self { bytes, metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// Lets `receive` fill buffers and their descriptions.
    pub(crate) fn fill<R>(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> R,
    ) -> R {
        let mut parts = self.bytes.chunks_exact_mut(RECEIVE_BUFFER_LEN);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(parts.next().unwrap_or_default()));
        receive(&mut buffers, &mut self.metas)
    }

    /// The first `count` that were filled.
    pub(crate) fn runs(&mut self, count: usize) -> impl Iterator<Item = Run<'_>> {
        let parts = self.bytes.chunks_exact_mut(RECEIVE_BUFFER_LEN);
        parts.zip(self.metas).take(count).filter_map(|(part, meta)| {
            let data = part.get_mut(..meta.len).filter(|data| !data.is_empty())?;
            Some(Run { source: meta.addr, data, segment_len: meta.stride.max(1) })
        })
    }
}

impl Run<'_> {
    /// How many datagrams there are.
    pub(crate) fn count(&self) -> usize {
        self.data.len().div_ceil(self.segment_len)
    }
}
