//! Named bounds of the core; each says what happens beyond it.

use jiff::SignedDuration;

/// Largest single amount of an API call, units of the currency. More: refused (`AmountInvalid`).
pub const AMOUNT_MAX_UNITS: i64 = 1_000_000_000;
/// Applications of one account. More: a new one is refused (`LimitReached`).
pub const APPS_MAX: usize = 1_000;
/// Live packages of one account. More: a purchase is refused (`LimitReached`).
pub const PACKAGES_LIVE_MAX: usize = 256;
/// Usable vouchers of one account. More: refused (`LimitReached`).
pub const VOUCHERS_LIVE_MAX: usize = 256;
/// Holds of one account and its apps, proposals included. More: refused (`LimitReached`).
pub const HOLDS_MAX: usize = 4_096;
/// Contacts of one account. More: refused (`LimitReached`).
pub const CONTACTS_MAX: usize = 32;
/// Notice subscriptions of one account. More: refused (`LimitReached`).
pub const SUBSCRIPTIONS_MAX: usize = 128;
/// Longest free text (reason, evidence, name), characters. Longer: refused (`TextInvalid`).
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Longest reference of a payment provider, bytes. Longer: refused (`TextInvalid`).
pub const PROVIDER_REF_LEN_MAX: usize = 128;
/// How long after its civil day has ended usage is still billed (policy T25). Later: quarantined (T26).
pub const LATE_WINDOW: SignedDuration = SignedDuration::from_hours(35 * 24);
/// How far in the future usage may lie (policy T26). Further: quarantined.
pub const FUTURE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How far one call may move a sandbox clock.
pub const CLOCK_STEP_MAX: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How often a day close that waits for watermarks looks again.
pub const CLOSE_RETRY: SignedDuration = SignedDuration::from_mins(5);
/// Timers one call may fire. More: the rest fires with the next call; nothing is lost.
pub const FIRED_PER_CALL_MAX: usize = 20_000;
/// Versions of the catalog. More: a new one is refused (`CatalogError::TooManyVersions`).
pub const CATALOG_VERSIONS_MAX: usize = 1_000;
/// Currencies with a price list in one version. More: refused (`CatalogError::TooManyCurrencies`).
pub const CATALOG_CURRENCIES_MAX: usize = 32;
/// Package types in one version. More: refused (`CatalogError::TooManyPackageTypes`).
pub const PACKAGE_TYPES_MAX: usize = 64;
/// Longest code of a package type, bytes. Longer: refused (`CatalogError::BadCode`).
pub const PACKAGE_CODE_LEN_MAX: usize = 64;
/// Longest title of a package type, characters. Longer: refused (`CatalogError::BadTitle`).
pub const PACKAGE_TITLE_CHARS_MAX: usize = 100;
/// Longest name of who adds a version, characters. Longer: refused (`CatalogError::BadActor`).
pub const CATALOG_ACTOR_CHARS_MAX: usize = 200;
/// Dearest minute, units of the currency, so that a day of 90 million of them can still be billed.
/// Dearer: refused (`CatalogError::MinuteTooDear`).
pub const PRICE_MINUTE_MAX_UNITS: i64 = 100_000;
/// Minutes one price may be for. More: refused (`CatalogError::PerOutOfRange`).
pub const PRICE_PER_MAX: u32 = 1_000_000;
/// Longest validity in years. Longer: refused (`CatalogError::ValidityOutOfRange`).
pub const VALIDITY_YEARS_MAX: u32 = 100;
/// Longest validity in days, and longest time for a refund. Longer: refused.
pub const VALIDITY_DAYS_MAX: u32 = 36_500;
/// Longest catalog file, bytes. Longer: refused unread (`CatalogError::TextTooLong`).
/// The largest version that is allowed fits in (a test writes it).
pub const CATALOG_TOML_BYTES_MAX: usize = 512 * 1024;
/// Versions of one agreement. More: a new one is refused (`PolicyError::TooManyVersions`).
pub const AGREEMENT_VERSIONS_MAX: usize = 1_000;
/// Longest grace of an agreement, hours. Longer: refused (`PolicyError::OutOfRange`).
pub const GRACE_HOURS_MAX: u32 = 8_760;
/// Warnings within one grace. More: refused (`PolicyError::OutOfRange`).
pub const WARN_HOURS_MAX: usize = 16;
/// Shortest time to reclamation of an agreement, hours, so that a notice a day before fits in.
/// Shorter: refused (`PolicyError::OutOfRange`).
pub const RECLAIM_HOURS_MIN: u32 = 24;
/// Longest time to reclamation of an agreement, hours (ten years). Longer: refused.
pub const RECLAIM_HOURS_MAX: u32 = 87_600;
/// Longest name of a contact or of a subscription, bytes. Longer: refused (`Invalid`).
pub const NOTICE_NAME_LEN_MAX: usize = 64;
/// Longest mail address, bytes (RFC 5321 4.5.3.1.3). Longer: refused (`Invalid`).
pub const EMAIL_LEN_MAX: usize = 254;
/// Longest address of a webhook, bytes. Longer: refused (`Invalid`).
pub const WEBHOOK_URL_LEN_MAX: usize = 2_048;
/// Longest key of a webhook's signature, bytes. Longer: refused (`Invalid`).
pub const WEBHOOK_SECRET_LEN_MAX: usize = 256;
/// How many days in a row one balance alert goes out (billing section 8). Then it is silent until the balance
/// has recovered.
pub const BALANCE_ALERTS_MAX: usize = 5;
/// Days with an operator alert that are remembered, one alert a day; older ones are forgotten.
pub const OPERATOR_ALERTS_KEPT: usize = 8;
/// Applications named in one notice. More: counted only.
pub const APPS_NAMED_MAX: usize = 20;
/// Seconds of one application, SKU and civil day, either way: eleven million people all day long.
/// More: what would pass it is quarantined (policy T26).
pub const DAY_SECONDS_MAX: i64 = 1_000_000_000_000;
/// Disagreements that a check of an account's books names. More: not named, and not counted.
pub const DISAGREEMENTS_MAX: usize = 1_000;
