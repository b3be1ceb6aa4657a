//! Deliberate faults: what a buggy core would have done, done to the state after a step or to what it reads.
//!
//! Each must be caught by the oracle or an invariant; a test says so. What it is not: a change of the core.

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A second debit restarts the clock of an arrears episode (against T6, I2).
    ClockRestarted,
    /// Enabling an application drops its other holds too (against A9, I13).
    HoldClearedOnEnable,
    /// Package minutes that are left keep an account from being suspended (against S10, A3).
    PackageShields,
    /// A payment that was committed before a crash is posted again when it is sent again.
    DoublePosting,
    /// Clearing begins when 60 days are reached, not exceeded (against A12, I8).
    SixtyDaysReached,
    /// A late minute is charged again by every report of its day (against P17).
    LateChargedTwice,
}

impl Fault {
    /// Every fault.
    pub const ALL: &'static [Self] = &[
        Self::ClockRestarted,
        Self::HoldClearedOnEnable,
        Self::PackageShields,
        Self::DoublePosting,
        Self::SixtyDaysReached,
        Self::LateChargedTwice,
    ];
}
