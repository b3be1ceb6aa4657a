//! Probes: short bursts that are faster than the target, to see whether they get through.
//!
//! What it is not: it sends nothing. Who drives the controller sends media, retransmissions or padding.

mod cluster;
mod schedule;
#[cfg(test)]
mod tests;

pub(crate) use cluster::Cluster;
pub(crate) use schedule::Schedule;

/// A burst to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// To be given back in [`crate::Outcome::probe`] of every packet of the burst; wraps.
    pub id: u8,
    /// Rate of all that is sent during the burst, bits per second on the wire. What goes out untagged between its
    /// first and its last packet is counted, too.
    pub rate_bps: u64,
    /// Fewest packets that the burst needs; padding is best cut into packets of `bytes / packets_min`.
    pub packets_min: u32,
    /// Fewest bytes that the burst needs, on the wire. It ends when it has both.
    pub bytes: u64,
}
