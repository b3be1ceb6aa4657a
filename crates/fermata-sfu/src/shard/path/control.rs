//! Datagrams that are no media: STUN, DTLS, RTCP and data, as they are written between two polls.
//!
//! Nobody can send while an input is handled, and one input may end thousands of connections. So there is more than
//! one page: a full one waits, and another is begun, up to a limit.

use std::collections::VecDeque;

use fermata_transport::egress::Egress;

use crate::limits::{
    CONTROL_PAGE_BYTES, CONTROL_PAGE_DATAGRAMS, CONTROL_PAGES_MAX, CONTROL_ROOM_DATAGRAMS,
};

/// The pages.
#[derive(Debug)]
pub(crate) struct Control {
    /// Full ones, oldest first.
    full: VecDeque<Egress>,
    /// The one being written.
    open: Egress,
    /// The one that was given out last.
    lent: Egress,
    /// Dropped by pages that are gone.
    dropped: u64,
}

fn page() -> Egress {
    Egress::new(CONTROL_PAGE_BYTES, CONTROL_PAGE_DATAGRAMS)
}

impl Control {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { full: VecDeque::new(), open: page(), lent: page(), dropped: 0 }
    }

    /// A page with room for what a connection may want to send at once. With all pages full, what does not fit into
    /// the last one is dropped and counted.
    pub(crate) fn page(&mut self) -> &mut Egress {
        if !self.open.has_room(CONTROL_ROOM_DATAGRAMS) && self.full.len() < CONTROL_PAGES_MAX {
            self.full.push_back(std::mem::replace(&mut self.open, page()));
        }
        &mut self.open
    }

    /// Makes [`Self::lent`] the oldest page with something in it; false if there is none.
    pub(crate) fn lend(&mut self) -> bool {
        if let Some(next) = self.full.pop_front() {
            self.dropped += std::mem::replace(&mut self.lent, next).dropped();
            return true;
        }
        self.lent.clear();
        std::mem::swap(&mut self.open, &mut self.lent);
        !self.lent.is_empty()
    }

    /// The page that was given out last.
    pub(crate) fn lent(&self) -> &Egress {
        &self.lent
    }

    /// Is nothing waiting?
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.full.is_empty()
    }

    /// Datagrams dropped for want of room.
    pub(crate) fn dropped(&self) -> u64 {
        let full: u64 = self.full.iter().map(Egress::dropped).sum();
        self.dropped + full + self.open.dropped() + self.lent.dropped()
    }
}

#[cfg(test)]
mod tests {
    use fermata_transport::egress::Path;

    use super::*;

    #[test]
    fn pages_come_in_order_and_are_bounded() {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        let path = Path { source: any, destination: any };
        let mut control = Control::new();
        assert!(control.is_empty() && !control.lend());
        let mut written = 0_u32;
        while control.dropped() == 0 {
            control.page().push(path, &written.to_be_bytes());
            written += 1;
            assert!(written < 1_000_000, "bounded");
        }
        let mut read = 0_u32;
        while control.lend() {
            for (_, data) in control.lent().datagrams() {
                assert_eq!(data, read.to_be_bytes());
                read += 1;
            }
        }
        assert_eq!((read, control.dropped()), (written - 1, 1));
        assert!(control.is_empty());
        control.page().push(path, &[1]);
        assert!(control.lend() && control.lent().len() == 1 && !control.lend());
        assert_eq!(control.dropped(), 1);
    }
}
