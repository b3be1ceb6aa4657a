//! What a simulated world is like: sizes, durations and ratios, as one value.
//!
//! What it is not: history. The same options and the same seed give the same history ([`crate::history`]).

/// When timers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// At the instant each timer is due, as if the program never slept.
    Exact,
    /// At random moments of the history, with outages of days.
    Random,
}

/// Options of one world. Ratios are per thousand.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a world that do not depend on each other"
)]
pub struct Options {
    /// Accounts, 1 to 64.
    pub accounts: usize,
    /// Civil days, 1 or more.
    pub days: u32,
    /// When timers are looked at.
    pub polling: Polling,
    /// Longest pause between two looks at timers, minutes.
    pub poll_max_minutes: i64,
    /// Chance of an outage after a look, per thousand.
    pub outage_permille: u32,
    /// Longest outage, hours.
    pub outage_max_hours: i64,
    /// Acts of customers, operators and payment providers, per account and ten days.
    pub acts_per_ten_days: u32,
    /// Stays of people, per account and ten days.
    pub stays_per_ten_days: u32,
    /// Accounts with a clock of their own.
    pub sandbox_permille: u32,
    /// Accounts of a partner.
    pub partner_permille: u32,
    /// Commands that meet a crash.
    pub crash_permille: u32,
    /// Batches that are lost and sent again later.
    pub loss_permille: u32,
    /// Batches that arrive twice.
    pub twice_permille: u32,
    /// Longest delay of a batch that is not lost, minutes.
    pub delay_max_minutes: i64,
    /// Longest time until a lost batch arrives, hours.
    pub lost_max_hours: i64,
    /// Only acts that no hold can refuse: payments, usage, corrections, vouchers (for I10).
    pub ungated: bool,
    /// Nodes report what they owe; otherwise no day waits for them (A17).
    pub watermarks: bool,
    /// Usage of live accounts comes through nodes only, as a store wants it.
    pub nodes_only: bool,
    /// Crashes of the history are carried out.
    pub crashes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            accounts: 6,
            days: 120,
            polling: Polling::Random,
            poll_max_minutes: 600,
            outage_permille: 20,
            outage_max_hours: 72,
            acts_per_ten_days: 6,
            stays_per_ten_days: 12,
            sandbox_permille: 250,
            partner_permille: 400,
            crash_permille: 100,
            loss_permille: 100,
            twice_permille: 100,
            delay_max_minutes: 45,
            lost_max_hours: 60,
            ungated: false,
            watermarks: true,
            nodes_only: false,
            crashes: true,
        }
    }
}
