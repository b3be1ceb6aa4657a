//! How bad the network is.

use crate::net::Ms;

/// How bad a direction is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Share of packets lost, each for itself.
    pub(crate) loss: f64,
    /// Bursts that start in a second, and how long each lasts; everything in one is lost.
    pub(crate) bursts: (f64, Ms),
    /// Share of packets that come later than their neighbours, and by how much at most.
    pub(crate) late: (f64, Ms),
    /// Share of packets that come twice.
    pub(crate) twice: f64,
}

/// Nothing but delay.
pub(crate) const CLEAN: Shape = shape("loss 0 %", 0.0);

/// What is tried.
pub(crate) const SHAPES: [Shape; 6] = [
    CLEAN,
    shape("loss 1 %", 0.01),
    shape("loss 5 %", 0.05),
    shape("loss 10 %", 0.1),
    Shape { late: (0.2, 30), twice: 0.01, ..shape("reordering", 0.0) },
    Shape { bursts: (0.5, 80), late: (0.05, 10), ..shape("bursts", 0.0) },
];

const fn shape(name: &'static str, loss: f64) -> Shape {
    Shape { name, loss, bursts: (0.0, 0), late: (0.0, 0), twice: 0.0 }
}
