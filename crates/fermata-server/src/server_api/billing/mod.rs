//! The service `billing`: balance, bookings, bills, vouchers and warnings, read from the books.
//!
//! What it is not: it changes nothing and computes no price. Amounts in text are units of the account's currency
//! with all their digits. Amounts in numbers are whole smallest coins (cents), rounded half away from zero; what
//! the ledger holds are whole coins already, so nothing is lost.

mod balance;
mod detail;
mod items;
mod list;
mod resource;
mod summary;
mod voucher;

use aws_lc_rs::digest;
use fermata_billing::calendar::YearMonth;
use fermata_billing::money::{Currency, Money};
use fermata_types::{AccountId, SdkAppId, SkuKind};
use serde_json::{Map, Value, json};

use self::items::{Item, inside};
use super::call::{Answer, Call};
use super::fault::Fault;

pub(super) use balance::{account_balance, account_warning};
pub(super) use detail::bill_detail;
pub(super) use items::moment;
pub(super) use list::bill_list;
pub(super) use resource::bill_resource_summary;
pub(super) use summary::{
    bill_summary, summary_by_pay_mode, summary_by_product, summary_by_project, summary_by_region,
};
pub(super) use voucher::voucher_info;

/// Code of the one product.
const PRODUCT: &str = "fermata";
/// Its name.
const PRODUCT_NAME: &str = "Fermata";
/// The one region, since prices know none.
const REGION: u32 = 1;
/// Its name.
const REGION_NAME: &str = "Self-hosted";

/// A number for an account, where the vendor's models have one: 12 digits, always the same for the same account.
fn uin(account: &AccountId) -> u64 {
    let hash = digest::digest(&digest::SHA256, account.as_str().as_bytes());
    let bits = hash.as_ref().iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    100_000_000_000 + bits % 900_000_000_000
}

/// Whole smallest coins.
fn cents(amount: Money, currency: Currency) -> i64 {
    amount.rounded(currency).micros() / currency.minor_unit_micros()
}

/// Refuses a payer or operator that is another account.
fn own_account(call: &Call, names: &[&str]) -> Result<(), Fault> {
    for name in names {
        let given = call.text(name).unwrap_or_default();
        if !given.is_empty()
            && given != uin(&call.account).to_string()
            && given != call.account.as_str()
        {
            let message =
                format!("{name}: it takes the number of the caller's own account, or nothing.");
            return Err(Fault::new("UnauthorizedOperation", message));
        }
    }
    Ok(())
}

/// The month in the parameter `Month`.
fn month(call: &Call) -> Result<YearMonth, Fault> {
    Ok(YearMonth::of(call.params.date("Month")?))
}

/// The one month of `BeginTime` and `EndTime`.
fn month_of_span(call: &Call) -> Result<YearMonth, Fault> {
    let of = |name: &str| -> Result<YearMonth, Fault> {
        Ok(YearMonth::of(call.params.date_time(name)?.date()))
    };
    let begin = of("BeginTime")?;
    if of("EndTime")? == begin {
        return Ok(begin);
    }
    Err(Fault::new("InvalidParameterValue", "EndTime: it must lie in the month of BeginTime."))
}

/// The part of a list that `Offset` and `Limit` ask for.
fn page<T>(call: &Call, rows: Vec<T>, limit_max: usize) -> Result<Vec<T>, Fault> {
    let number = |name: &str, otherwise: usize, min: usize, max: usize| {
        let Some(given) = call.number(name) else { return Ok(otherwise) };
        usize::try_from(given).ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| {
            Fault::new(
                "InvalidParameterValue",
                format!("{name}: {given}; it takes {min} to {max}."),
            )
        })
    };
    let offset = number("Offset", 0, 0, 1_000_000_000)?;
    let limit = number("Limit", limit_max, 1, limit_max)?;
    Ok(rows.into_iter().skip(offset).take(limit).collect())
}

/// Code and name of the part of the product that an item belongs to.
fn part(item: &Item) -> (&'static str, &'static str) {
    match item.sku.map(fermata_types::Sku::kind) {
        None if item.kind == items::Kind::Credit => ("credit", "Credit notes"),
        None => ("package", "Packages"),
        Some(SkuKind::Room) => ("room", "Rooms"),
        Some(SkuKind::Record) => ("record", "Cloud recording"),
        Some(SkuKind::Mix) => ("mix", "Mix transcoding"),
        Some(SkuKind::WebRecord) => ("web_record", "Web page recording"),
        Some(SkuKind::Relay) => ("relay", "Relay"),
    }
}

/// Number and name of an application as project; 0 for what belongs to none.
fn project(call: &Call, app: Option<SdkAppId>) -> (u32, String) {
    let Some(app) = app else { return (0, "Account".to_owned()) };
    let name = call.shared.directory.app(app).map(|found| found.app.name.clone());
    (app.0, name.unwrap_or_else(|| format!("Application {app}")))
}

/// Sums of items, as the vendor's models have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    amount: Money,
    vouchers: Money,
    cash: Money,
}

impl Totals {
    fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Result<Self, Fault> {
        let mut totals = Self::default();
        for item in items {
            totals.add(item)?;
        }
        Ok(totals)
    }

    fn add(&mut self, item: &Item) -> Result<(), Fault> {
        let sum = |a: Money, b: Money| a.checked_add(b).map_err(|error| inside(&error));
        self.amount = sum(self.amount, item.amount)?;
        self.vouchers = sum(self.vouchers, item.vouchers)?;
        self.cash = sum(self.cash, item.cash)?;
        Ok(())
    }

    /// Their fields; there are neither discounts nor other purses, so what it cost is what was paid.
    fn fields(&self, currency: Currency) -> Map<String, Value> {
        let text = |amount: Money| Value::from(amount.to_decimal(currency));
        let nothing = text(Money::ZERO);
        let mut fields = Map::new();
        for (name, value) in [
            ("TotalCost", text(self.amount)),
            ("RealTotalCost", text(self.amount)),
            ("CashPayAmount", text(self.cash)),
            ("VoucherPayAmount", text(self.vouchers)),
            ("IncentivePayAmount", nothing.clone()),
            ("TransferPayAmount", nothing),
        ] {
            fields.insert(name.to_owned(), value);
        }
        fields
    }

    /// The share in a whole, percent with two digits: `33.33`.
    fn ratio(&self, whole: &Self) -> String {
        let (part, whole) = (i128::from(self.amount.micros()), i128::from(whole.amount.micros()));
        if whole == 0 {
            return "0.00".to_owned();
        }
        let (size, sign) = (
            (part * 10_000).unsigned_abs(),
            if (part < 0) == (whole < 0) || part == 0 { "" } else { "-" },
        );
        let hundredths = (size + whole.unsigned_abs() / 2) / whole.unsigned_abs();
        format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

/// `value` as the object of an answer.
fn object(value: Value) -> Answer {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Fault::internal()),
    }
}

/// The application's tags, of which there are none.
fn no_tags() -> Value {
    json!([])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_two_digits() {
        let of = |micros| Totals { amount: Money::from_micros(micros), ..Totals::default() };
        for (part, whole, shown) in [
            (1, 3, "33.33"),
            (2, 3, "66.67"),
            (3, 3, "100.00"),
            (0, 3, "0.00"),
            (0, 0, "0.00"),
            (-1, 4, "-25.00"),
            (i64::MAX, i64::MAX, "100.00"),
            (i64::MIN, i64::MAX, "-100.00"),
        ] {
            assert_eq!(of(part).ratio(&of(whole)), shown, "{part} of {whole}");
        }
    }

    #[test]
    fn cents_are_the_smallest_coins() {
        let of = Money::from_micros;
        assert_eq!(cents(of(12_340_000), Currency::USD), 1234);
        assert_eq!(cents(of(-12_345_000), Currency::USD), -1235);
        assert_eq!(cents(of(49_000_000), Currency::JPY), 49);
    }

    #[test]
    fn an_account_has_one_number() {
        let one = uin(&AccountId::from_text("AC_1"));
        assert_eq!(one, uin(&AccountId::from_text("AC_1")));
        assert_ne!(one, uin(&AccountId::from_text("AC_2")));
        assert!((100_000_000_000..1_000_000_000_000).contains(&one));
    }
}
