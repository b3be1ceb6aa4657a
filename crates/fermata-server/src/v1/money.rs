//! Money in requests and answers: decimal numbers as text, in the account's currency.

use fermata_billing::money::{Currency, Money};

use super::error::ApiError;

/// An amount as the API shows it: `49.00`.
pub fn text(amount: Money, currency: Currency) -> String {
    amount.to_decimal(currency)
}

/// Reads the amount in `field`.
///
/// # Errors
/// [`ApiError::Invalid`], naming the field and what is allowed.
pub fn amount(field: &str, text: &str) -> Result<Money, ApiError> {
    Money::parse_decimal(text).map_err(|error| ApiError::Invalid(format!("{field}: {error}")))
}

/// Reads the amount in `field` where only whole coins of the currency make sense, such as a payment.
///
/// # Errors
/// [`ApiError::Invalid`], naming the field and what is allowed.
pub fn coins(field: &str, text: &str, currency: Currency) -> Result<Money, ApiError> {
    let read = amount(field, text)?;
    if read.micros() % currency.minor_unit_micros() == 0 {
        return Ok(read);
    }
    let digits = currency.exponent();
    Err(ApiError::Invalid(format!(
        "{field}: {text:?} is no amount in {currency}, which has {digits} digits after the point"
    )))
}

/// Reads the currency in `field`.
///
/// # Errors
/// [`ApiError::Invalid`], naming the field and what is allowed.
pub fn currency(field: &str, code: &str) -> Result<Currency, ApiError> {
    Currency::parse(code).map_err(|error| ApiError::Invalid(format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_in_and_out_as_text() {
        for (given, currency, shown) in [
            ("49", Currency::USD, "49.00"),
            ("-0.5", Currency::EUR, "-0.50"),
            ("49", Currency::JPY, "49"),
            ("0.000001", Currency::USD, "0.000001"),
        ] {
            assert_eq!(text(amount("amount", given).unwrap(), currency), shown);
        }
        for bad in ["", "1,5", "1e3", "NaN", "1.", "+1", "9999999999999999999"] {
            let error = amount("amount", bad).unwrap_err();
            assert!(error.to_string().starts_with("amount: "), "{error}");
        }
        assert_eq!(currency("currency", "usd").unwrap_err().code(), "invalid");
    }

    #[test]
    fn coins_are_not_split() {
        let rows = [
            ("10.01", Currency::USD, true),
            ("10.010", Currency::USD, true),
            ("10.001", Currency::USD, false),
            ("10", Currency::JPY, true),
            ("10.5", Currency::JPY, false),
            ("ten", Currency::USD, false),
        ];
        for (given, currency, allowed) in rows {
            assert_eq!(coins("amount", given, currency).is_ok(), allowed, "{given} {currency}");
        }
    }
}
