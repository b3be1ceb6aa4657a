//! The currencies of ISO 4217 and how many digits each shows.
//!
//! Not here: exchange rates (an account has one currency and nothing is converted), metals, testing codes
//! and units of account without a minor unit.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{MoneyError, excerpt};

/// Codes whose minor unit is the whole unit.
const EXPONENT_0: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";

/// Codes with two digits after the point, funds codes included.
const EXPONENT_2: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD \
    BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR \
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC \
    SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW \
    ZWG";

/// Codes with three digits after the point.
const EXPONENT_3: &str = "BHD IQD JOD KWD LYD OMR TND";

/// Codes with four digits after the point.
const EXPONENT_4: &str = "CLF UYW";

/// Every current code with a minor unit, by its exponent.
/// Source: ISO 4217, list one; codes that were withdrawn are left out.
const TABLE: [(u8, &str); 4] = [(0, EXPONENT_0), (2, EXPONENT_2), (3, EXPONENT_3), (4, EXPONENT_4)];

/// A currency of ISO 4217, ordered by its code; in JSON its code, such as `"USD"`.
///
/// Only codes of the table exist, so every value has a known number of digits (billing section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

impl Currency {
    /// The dollar of the United States, the currency of the example catalog.
    pub const USD: Self = Self { code: "USD", exponent: 2 };
    /// The euro.
    pub const EUR: Self = Self { code: "EUR", exponent: 2 };
    /// The yen, which has no minor unit.
    pub const JPY: Self = Self { code: "JPY", exponent: 0 };

    /// The currency with this code: three capital letters.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for anything that is no current code of ISO 4217 with a minor unit.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        TABLE
            .iter()
            .flat_map(|(exponent, codes)| codes.split(' ').map(|known| (*exponent, known)))
            .find(|(_, known)| *known == code && !code.is_empty())
            .map(|(exponent, code)| Self { code, exponent })
            .ok_or_else(|| MoneyError::UnknownCurrency { value: excerpt(code) })
    }

    /// Every currency there is, in no particular order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().flat_map(|(exponent, codes)| {
            codes.split(' ').map(|code| Self { code, exponent: *exponent })
        })
    }

    /// Its code: three capital letters.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Digits after the point that its minor unit has: 0, 2, 3 or 4.
    pub fn exponent(self) -> u32 {
        u32::from(self.exponent)
    }

    /// Its minor unit in micro-units: 10,000 for a currency with cents. Range: 100 to 1,000,000.
    pub fn minor_unit_micros(self) -> i64 {
        // The table has no exponent above 4, so this is always a positive power of ten.
        10_i64.pow(6_u32.saturating_sub(self.exponent()))
    }
}

// By hand, because the derived code would want to borrow the code for ever.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let code = String::deserialize(source)?;
        Self::parse(&code).map_err(D::Error::custom)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.serialize_str(self.code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_three_capitals_and_listed_once() {
        let codes: Vec<_> = Currency::all().map(Currency::code).collect();
        let distinct: BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
        assert!(codes.len() > 150, "{}", codes.len());
        for code in codes {
            assert!(
                code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{code}"
            );
            assert_eq!(Currency::parse(code).expect("known").code(), code);
        }
    }

    #[test]
    fn exponents_are_those_of_the_standard() {
        let rows = [
            ("USD", 2, 10_000),
            ("EUR", 2, 10_000),
            ("JPY", 0, 1_000_000),
            ("KWD", 3, 1_000),
            ("CLF", 4, 100),
            ("HUF", 2, 10_000),
            ("IRR", 2, 10_000),
        ];
        for (code, exponent, minor) in rows {
            let currency = Currency::parse(code).expect("known");
            assert_eq!((currency.exponent(), currency.minor_unit_micros()), (exponent, minor));
        }
        for known in [Currency::USD, Currency::EUR, Currency::JPY] {
            assert_eq!(Currency::parse(known.code()), Ok(known));
        }
    }

    #[test]
    fn unknown_codes_are_named_in_the_error() {
        for code in ["", " ", "usd", "US", "USDT", "XXX", "XAU", "DEM", "USD EUR", "ÄÖÜ", "\0\0\0"]
        {
            let error = Currency::parse(code).expect_err(code);
            assert!(error.to_string().contains(&format!("{code:?}")), "{error}");
        }
        let long = "A".repeat(1_000_000);
        assert!(Currency::parse(&long).expect_err("long").to_string().len() < 200);
    }

    #[test]
    fn in_json_a_currency_is_its_code() {
        assert_eq!(serde_json::to_string(&Currency::USD).expect("json"), r#""USD""#);
        assert_eq!(serde_json::from_str::<Currency>(r#""JPY""#).expect("json"), Currency::JPY);
        assert!(serde_json::from_str::<Currency>(r#""ABC""#).is_err());
    }
}
