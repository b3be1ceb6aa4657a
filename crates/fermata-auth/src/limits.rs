//! Every bound of this crate. What is larger is refused, and the refusal says so.

/// Longest `LiveKit` token, bytes. Metadata and attributes travel in it; URLs longer than this do not arrive anyway.
pub const TOKEN_LEN_MAX: usize = 64 * 1024;

/// Longest `UserSig` or `PrivateMapKey` text, bytes. Real ones have about 250.
pub const USERSIG_LEN_MAX: usize = 4 * 1024;

/// Most bytes a `UserSig` may inflate to. Real ones have about 350; more is a compression bomb.
pub const USERSIG_JSON_LEN_MAX: usize = 8 * 1024;

/// Longest user name through `UserSig`, bytes (the vendor's rule).
pub const USER_ID_LEN_MAX: usize = 32;

/// Longest string room name through `UserSig`, bytes (the vendor's rule).
pub const USERSIG_ROOM_LEN_MAX: usize = 64;

/// Clocks of token makers may differ from ours by this much, seconds (as `LiveKit` allows).
pub const LEEWAY_S: i64 = 60;

/// Longest text of an operator token, bytes; ours have 47, configured ones of `--dev` fewer.
pub const API_TOKEN_LEN_MAX: usize = 256;
