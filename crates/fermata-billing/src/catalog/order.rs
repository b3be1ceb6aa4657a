//! In which order packages are used up.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{PackageKind, PackageScope};

/// The published deduction order as a key: of the packages that cover a minute, the one with the least key
/// pays for it. This is the one place that states the order (billing P6):
///
/// 1. free minutes before what was paid for;
/// 2. the narrower scope before the wider: the application's before the account's;
/// 3. what expires earlier;
/// 4. the lower priority;
/// 5. what was created earlier;
/// 6. the lower id, so that the order is total.
///
/// Order of the fields is the order of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BurnKey<I> {
    free: Reverse<bool>,
    of_app: Reverse<bool>,
    expires: Timestamp,
    priority: i32,
    created: Timestamp,
    id: I,
}

impl<I: Ord> BurnKey<I> {
    /// The key of a package; `expires` is the first instant it may no longer be used.
    pub fn new(
        kind: PackageKind,
        scope: PackageScope,
        expires: Timestamp,
        priority: i32,
        created: Timestamp,
        id: I,
    ) -> Self {
        Self {
            free: Reverse(kind == PackageKind::Free),
            of_app: Reverse(scope == PackageScope::App),
            expires,
            priority,
            created,
            id,
        }
    }
}
