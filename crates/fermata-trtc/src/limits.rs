//! Every bound of this crate. What is larger is refused, and the answer says so.

/// Longest text given back in a message, characters; longer ones are cut.
pub const SHOWN_LEN_MAX: usize = 64;

/// Deepest nesting of a parameter in form encoding (`A.0.B.1` has 4 parts). The vendor's models need 6.
pub const FLAT_DEPTH_MAX: usize = 8;

/// Most elements of one list in form encoding, whatever its own limit; an index beyond is refused.
pub const FLAT_INDEX_MAX: usize = 255;

/// Longest string room, bytes (the vendor's rule).
pub const STRING_ROOM_LEN_MAX: usize = 64;

/// Most buckets that rates are counted in: one for each account and action that called lately.
/// When full, full buckets are dropped; if there are none, the call is refused.
pub const BUCKETS_MAX: usize = 100_000;
