//! What can be wrong with a catalog, or with a question to it.

use fermata_types::Sku;
use jiff::Timestamp;
use thiserror::Error;

use super::CatalogVersion;
use crate::limits::{
    AMOUNT_MAX_UNITS, CATALOG_ACTOR_CHARS_MAX, CATALOG_CURRENCIES_MAX, CATALOG_TOML_BYTES_MAX,
    CATALOG_VERSIONS_MAX, PACKAGE_CODE_LEN_MAX, PACKAGE_TITLE_CHARS_MAX, PACKAGE_TYPES_MAX,
    PRICE_MINUTE_MAX_UNITS, PRICE_PER_MAX, VALIDITY_DAYS_MAX, VALIDITY_YEARS_MAX,
};
use crate::money::Currency;
use crate::units::PACKAGE_MINUTES_MAX;

/// Why a catalog has no answer, or why a version is refused. Every message names what was wrong and what
/// is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The instant lies before the first version.
    #[error("no catalog version is in force at {at}")]
    NotInForce {
        /// The instant asked for.
        at: Timestamp,
    },
    /// The version in force has no such price.
    #[error("the catalog has no price in {currency} for `{}`", sku.code())]
    NoPrice {
        /// Currency asked for.
        currency: Currency,
        /// SKU asked for.
        sku: Sku,
    },
    /// The version in force has no such package type.
    #[error("the catalog has no package type `{code}`; it has {}", codes.join(", "))]
    NoPackageType {
        /// Code asked for, shortened to the longest a code can be.
        code: String,
        /// Codes there are.
        codes: Vec<String>,
    },
    /// The package type is not sold in the currency.
    #[error("package type `{code}` has no price in {currency}")]
    NoPackagePrice {
        /// Code of the type.
        code: String,
        /// Currency asked for.
        currency: Currency,
    },
    /// A version would take effect in the past, where prices are settled.
    #[error(
        "`effective_from` is {effective_from}, but must not lie before now ({now}); leave it out to \
         take effect at once"
    )]
    InThePast {
        /// The instant proposed.
        effective_from: Timestamp,
        /// The earliest allowed.
        now: Timestamp,
    },
    /// A version would take effect before one that is there already.
    #[error("`effective_from` is {effective_from}, but must lie after the last version's ({last})")]
    NotAfterLast {
        /// The instant proposed.
        effective_from: Timestamp,
        /// When the last version takes effect.
        last: Timestamp,
    },
    /// A currency that was complete no longer is; accounts may be kept in it.
    #[error("{currency} must go on having a price for every SKU: accounts may be kept in it")]
    CurrencyWithdrawn {
        /// The currency.
        currency: Currency,
    },
    /// Too many versions.
    #[error("a catalog has at most {CATALOG_VERSIONS_MAX} versions")]
    TooManyVersions,
    /// Too many currencies.
    #[error("{count} currencies have prices; at most {CATALOG_CURRENCIES_MAX} may")]
    TooManyCurrencies {
        /// How many there are.
        count: usize,
    },
    /// Too many package types.
    #[error("there are {count} package types; at most {PACKAGE_TYPES_MAX} may be")]
    TooManyPackageTypes {
        /// How many there are.
        count: usize,
    },
    /// No currency an account could be opened in.
    #[error("no currency has a price for every SKU; at least one must")]
    NoCompleteCurrency,
    /// A stored list of versions is not one that was written by adding versions.
    #[error(
        "catalog version {version} is missing or out of order: numbers must rise by one from 1, \
         `effective_from` must rise strictly"
    )]
    Disordered {
        /// The first number that is wrong.
        version: u32,
    },
    /// The name of who adds a version.
    #[error(
        "the actor must have 1 to {CATALOG_ACTOR_CHARS_MAX} characters, none of them control characters"
    )]
    BadActor,
    /// A price or package price is negative or absurd.
    #[error("{place}: the amount {amount} is out of range: 0 to {AMOUNT_MAX_UNITS}")]
    AmountOutOfRange {
        /// Which price, as a path in the file.
        place: String,
        /// The amount, decimal.
        amount: String,
    },
    /// A price that could not be multiplied by the minutes of a busy day.
    #[error("{place}: one minute costs more than {PRICE_MINUTE_MAX_UNITS}")]
    MinuteTooDear {
        /// Which price, as a path in the file.
        place: String,
    },
    /// A price is for no minutes, or for too many.
    #[error("{place}: a price may be for 1 to {PRICE_PER_MAX} minutes, not {per}")]
    PerOutOfRange {
        /// Which price, as a path in the file.
        place: String,
        /// Minutes it is for.
        per: u32,
    },
    /// A package price in a currency without price list.
    #[error("package_types.{code}.prices: {currency} has no price list under `prices`")]
    UnlistedCurrency {
        /// Code of the type.
        code: String,
        /// The currency.
        currency: Currency,
    },
    /// A code that is none.
    #[error(
        "package type code `{code}`: 1 to {PACKAGE_CODE_LEN_MAX} of a-z, 0-9 and _ are allowed"
    )]
    BadCode {
        /// The code, shortened.
        code: String,
    },
    /// A package type stands under another code than its own.
    #[error("package type `{code}` stands under the key `{key}`; they must be equal")]
    CodeMismatch {
        /// Code in the type.
        code: String,
        /// Key it stands under.
        key: String,
    },
    /// A title that is none.
    #[error(
        "package_types.{code}.title: 1 to {PACKAGE_TITLE_CHARS_MAX} characters are allowed, none of \
         them control characters"
    )]
    BadTitle {
        /// Code of the type.
        code: String,
    },
    /// A package with no minutes, or with too many.
    #[error(
        "package_types.{code}.minutes: {minutes} is out of range: more than 0, at most \
         {PACKAGE_MINUTES_MAX}"
    )]
    UnitsOutOfRange {
        /// Code of the type.
        code: String,
        /// The package minutes, decimal.
        minutes: String,
    },
    /// A package that covers nothing.
    #[error("package_types.{code}.ratios: at least one SKU must have a ratio")]
    NoRatio {
        /// Code of the type.
        code: String,
    },
    /// A validity of no time, or of too much.
    #[error(
        "package_types.{code}.validity: 1 to {VALIDITY_YEARS_MAX} years or 1 to {VALIDITY_DAYS_MAX} \
         days are allowed"
    )]
    ValidityOutOfRange {
        /// Code of the type.
        code: String,
    },
    /// Too long a time for a refund.
    #[error("package_types.{code}.refundable_days: 0 (never) to {VALIDITY_DAYS_MAX} are allowed")]
    RefundableDaysOutOfRange {
        /// Code of the type.
        code: String,
    },
    /// A field does not go with the kind of package.
    #[error("package_types.{code}: a package of kind `{kind}` needs {needs}")]
    KindMismatch {
        /// Code of the type.
        code: String,
        /// The kind, as its word.
        kind: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Nothing to give to every account each month (policy S16).
    #[error("at least one package type must be of kind `free` (validity `calendar_month`)")]
    NoFreeType,
    /// The text is larger than any catalog.
    #[error("the catalog file has {bytes} bytes; at most {CATALOG_TOML_BYTES_MAX} are read")]
    TextTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The text is no TOML.
    #[error("line {line}: {problem}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// The text can be read, but what it says is refused.
    #[error("line {line}: {problem}")]
    Content {
        /// Line, counted from 1.
        line: usize,
        /// What it is refused for.
        problem: Box<CatalogError>,
    },
    /// The text is TOML, but a field is not as it must be.
    #[error("line {line}, {field}: {problem}")]
    Field {
        /// Line, counted from 1.
        line: usize,
        /// Path of the field.
        field: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

impl CatalogError {
    /// Where in a file the thing is that a version is refused for, as a path of keys.
    pub fn place(&self) -> Option<String> {
        let of_type = |code: &str, field: &str| Some(format!("package_types.{code}{field}"));
        match self {
            Self::AmountOutOfRange { place, .. }
            | Self::PerOutOfRange { place, .. }
            | Self::MinuteTooDear { place } => Some(place.clone()),
            Self::TooManyCurrencies { .. } | Self::NoCompleteCurrency => Some("prices".to_owned()),
            Self::TooManyPackageTypes { .. } | Self::NoFreeType => Some("package_types".to_owned()),
            Self::BadCode { code } | Self::KindMismatch { code, .. } => of_type(code, ""),
            Self::UnlistedCurrency { code, .. } => of_type(code, ".prices"),
            Self::BadTitle { code } => of_type(code, ".title"),
            Self::UnitsOutOfRange { code, .. } => of_type(code, ".minutes"),
            Self::NoRatio { code } => of_type(code, ".ratios"),
            Self::ValidityOutOfRange { code } => of_type(code, ".validity"),
            Self::RefundableDaysOutOfRange { code } => of_type(code, ".refundable_days"),
            Self::Field { field, .. } => Some(field.clone()),
            _ => None,
        }
    }

    /// The code of nobody's package type, with those there are.
    pub(super) fn no_package_type(version: &CatalogVersion, code: &str) -> Self {
        let codes = version.package_types.keys().cloned().collect();
        Self::NoPackageType { code: shortened(code), codes }
    }
}

/// Text of others, short enough to be repeated in a message.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(PACKAGE_CODE_LEN_MAX).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
