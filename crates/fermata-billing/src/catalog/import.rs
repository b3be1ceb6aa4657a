//! The next version from a TOML file, with the line and the field of whatever is wrong in it.

use std::collections::BTreeMap;

use fermata_types::Sku;
use toml::de::DeTable;

use super::check;
use super::error::shortened;
use super::fields::{Fields, line_of};
use super::{CatalogDraft, CatalogError, PackageKind, PackageScope, PackageType};
use crate::limits::CATALOG_TOML_BYTES_MAX;
use crate::money::{Currency, Price};

/// Reads and checks a catalog file, the shape of which `docs/guide/catalog.md` shows.
///
/// Amounts, package minutes and ratios are decimal strings or whole numbers; numbers with a point are
/// refused unquoted, since a float is not exact.
///
/// # Errors
/// [`CatalogError::TextTooLong`] before reading, [`CatalogError::Syntax`] and [`CatalogError::Field`] with
/// the line, and whatever the checks of a version find.
pub fn from_toml(text: &str) -> Result<CatalogDraft, CatalogError> {
    if text.len() > CATALOG_TOML_BYTES_MAX {
        return Err(CatalogError::TextTooLong { bytes: text.len() });
    }
    let root = DeTable::parse(text).map_err(|error| CatalogError::Syntax {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: shortened(error.message()),
    })?;
    let root = Fields { text, path: "", at: root.span().start, table: root.get_ref() };
    let draft = draft(&root)?;
    check::addition(&draft.prices, &draft.package_types).map_err(|error| root.with_line(error))?;
    Ok(draft)
}

fn draft(root: &Fields<'_>) -> Result<CatalogDraft, CatalogError> {
    root.only(&["effective_from", "prices", "package_types"])?;
    let effective_from =
        root.optional("effective_from").map(|field| field.instant()).transpose()?;
    let prices = root.required("prices")?.table(|lists| {
        lists.each(currency, |_, list| {
            list.table(|list| list.each(sku, |_, price| price.table(|price| read_price(&price))))
        })
    })?;
    let package_types = root.required("package_types")?.table(|types| {
        let own = |code: &str| Ok(code.to_owned());
        types.each(own, |code, one| one.table(|one| read_type(code, &one)))
    })?;
    Ok(CatalogDraft { effective_from, prices, package_types })
}

fn read_price(fields: &Fields<'_>) -> Result<Price, CatalogError> {
    fields.only(&["amount", "per"])?;
    let amount = fields.required("amount")?.amount()?;
    // Bounds are checked with those of the rest, and their errors name the price.
    Ok(Price { amount, per: fields.required("per")?.count()? })
}

fn read_type(code: &str, fields: &Fields<'_>) -> Result<PackageType, CatalogError> {
    fields.only(&[
        "title",
        "kind",
        "scope",
        "validity",
        "minutes",
        "priority",
        "stackable",
        "refundable_days",
        "prices",
        "ratios",
    ])?;
    let kinds = [PackageKind::Free, PackageKind::Monthly, PackageKind::Pack];
    let scopes = [PackageScope::Account, PackageScope::App];
    let prices = match fields.optional("prices") {
        Some(prices) => prices.table(|prices| prices.each(currency, |_, price| price.amount()))?,
        None => BTreeMap::new(),
    };
    Ok(PackageType {
        code: code.to_owned(),
        title: fields.required("title")?.text()?.to_owned(),
        units: fields.required("minutes")?.units()?,
        prices,
        scope: fields.required("scope")?.word(&scopes.map(|one| (one.code(), one)))?,
        validity: fields.required("validity")?.validity()?,
        ratios: fields
            .required("ratios")?
            .table(|ratios| ratios.each(sku, |_, ratio| ratio.ratio()))?,
        priority: fields.optional("priority").map_or(Ok(0), |field| field.integer())?,
        stackable: fields.optional("stackable").map_or(Ok(false), |field| field.boolean())?,
        refundable_days: fields.optional("refundable_days").map_or(Ok(0), |field| field.count())?,
        kind: fields.required("kind")?.word(&kinds.map(|one| (one.code(), one)))?,
    })
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::parse(code).map_err(|error| error.to_string())
}

fn sku(code: &str) -> Result<Sku, String> {
    Sku::from_code(code).ok_or_else(|| {
        let codes: Vec<&str> = Sku::ALL.iter().map(|sku| sku.code()).collect();
        format!("no such SKU; there are {}", codes.join(", "))
    })
}
