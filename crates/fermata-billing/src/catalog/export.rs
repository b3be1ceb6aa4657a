//! A version as a TOML file. What [`super::from_toml`] reads back is the draft of the same version.
//!
//! Written by hand: the shape is small and fixed, and so prices line up as a person would write them.

use std::fmt::Write;

use super::{CatalogVersion, PackageType, Validity};
use crate::units::Units;

/// A version as a TOML file, always the same for the same version.
/// Number and author stand in a comment; they are not part of a draft.
pub fn to_toml(version: &CatalogVersion) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_version(&mut out, version);
    out
}

fn write_version(out: &mut String, version: &CatalogVersion) -> std::fmt::Result {
    let CatalogVersion { version: number, effective_from, actor, .. } = version;
    let actor = actor.replace(char::is_control, "?");
    writeln!(out, "# Catalog version {number}, by {actor}.")?;
    writeln!(out, "effective_from = {effective_from}")?;
    for (currency, list) in &version.prices {
        writeln!(out, "\n[prices.{currency}]")?;
        for (sku, price) in list {
            let (code, amount, per) = (sku.code(), price.amount.to_decimal(*currency), price.per);
            writeln!(out, "{code} = {{ amount = \"{amount}\", per = {per} }}")?;
        }
    }
    version.package_types.iter().try_for_each(|(code, one)| write_type(out, code, one))
}

fn write_type(out: &mut String, code: &str, one: &PackageType) -> std::fmt::Result {
    writeln!(out, "\n[package_types.{code}]")?;
    writeln!(out, "title = {}", quoted(&one.title))?;
    writeln!(out, "kind = \"{}\"", one.kind.code())?;
    writeln!(out, "scope = \"{}\"", one.scope.code())?;
    match one.validity {
        Validity::CalendarMonth => writeln!(out, "validity = \"calendar_month\"")?,
        Validity::Month => writeln!(out, "validity = \"month\"")?,
        Validity::Years(years) => writeln!(out, "validity = {{ years = {years} }}")?,
        Validity::Days(days) => writeln!(out, "validity = {{ days = {days} }}")?,
    }
    writeln!(out, "minutes = \"{}\"", one.units)?;
    writeln!(out, "priority = {}", one.priority)?;
    writeln!(out, "stackable = {}", one.stackable)?;
    writeln!(out, "refundable_days = {}", one.refundable_days)?;
    if !one.prices.is_empty() {
        writeln!(out, "\n[package_types.{code}.prices]")?;
        for (currency, price) in &one.prices {
            writeln!(out, "{currency} = \"{}\"", price.to_decimal(*currency))?;
        }
    }
    writeln!(out, "\n[package_types.{code}.ratios]")?;
    for (sku, ratio) in &one.ratios {
        let ratio = Units::from_thousandths(ratio.thousandths().into());
        writeln!(out, "{} = \"{ratio}\"", sku.code())?;
    }
    Ok(())
}

/// A basic string. Control characters are not in titles, but a file that cannot be read is worse than one
/// that looks odd.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
