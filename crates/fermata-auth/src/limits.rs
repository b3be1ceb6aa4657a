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

/// Fewest characters of a password (NIST SP 800-63B section 3.1.1 asks for 8 at least; nobody is asked for digits or
/// signs). Fewer: the password is refused.
pub const PASSWORD_CHARS_MIN: usize = 12;

/// Most characters of a password, so that hashing one takes no longer than another. More: the password is refused.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Memory of one Argon2id hash, KiB: 19 MiB (OWASP Password Storage Cheat Sheet).
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;

/// Passes of Argon2id over that memory (the same source).
pub const ARGON2_PASSES: u32 = 2;

/// Lanes of Argon2id (the same source).
pub const ARGON2_LANES: u32 = 1;

/// Steps of 30 s by which a clock that shows one-time codes may be off, each way (RFC 6238 section 5.2 advises one).
pub const TOTP_DRIFT_STEPS: u64 = 1;

/// Clocks of those who sign requests may differ from ours by this much, seconds (the vendor's rule).
pub const SKEW_S: i64 = 300;

/// Longest `Authorization` header of a signed request, bytes. Real ones have about 250.
pub const AUTHORIZATION_LEN_MAX: usize = 4 * 1024;

/// Most headers that a signature may cover. SDKs sign two or three.
pub const SIGNED_HEADERS_MAX: usize = 32;

/// Longest name of a secret pair, characters. Real ones have 36.
pub const SECRET_ID_LEN_MAX: usize = 64;

/// Most parameters of a request in form encoding; more is refused. The largest real action has about 200.
pub const FORM_PAIRS_MAX: usize = 1_024;

/// Most nonces remembered for one secret pair: 60 requests a second over the longest life of a nonce (600 s).
/// When full, further requests of the pair are refused until one of them expires.
pub const NONCES_PER_SECRET_MAX: usize = 36_000;

/// Most nonces remembered in all, some 20 MB. No secret pair may hold more than is free of it, so that few pairs
/// cannot fill it for all others. When full, requests are refused until one expires.
pub const NONCES_MAX: usize = 250_000;

/// Most agents that a token may ask for (`roomConfig.agents`). More: the token is refused.
pub const ROOM_AGENTS_MAX: usize = 16;

/// Life of the token that signs a webhook, seconds. It is made anew for each attempt.
pub const WEBHOOK_TOKEN_LIFETIME_S: i64 = 300;
