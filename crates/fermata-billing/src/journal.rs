//! The journal of an account: what happened, written once, each row chained to the one before (P19).
//!
//! Ledger transactions, bills, payments, audit rows and receipts are its records; nothing here is ever changed.

use std::collections::BTreeMap;

use fermata_types::SdkAppId;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::calendar::YearMonth;
use crate::clause::ClauseId;
use crate::id::{BillId, CreditNoteId, PackageId, TxnId, VoucherId};
use crate::money::{Currency, Money, Price};
use crate::notice::Notice;
use crate::state::{Burn, DayKey, DayUse};

/// One row. `hash` covers everything else of the row and the hash of the row before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// 1, 2, 3, ... in an account.
    pub seq: u64,
    /// Account time it follows from (a timer's due instant).
    pub at: Timestamp,
    /// Account time it was committed.
    pub created_at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// The rule or call that caused it.
    pub cause: ClauseId,
    /// What happened.
    pub record: Record,
    /// Hash of the row before, zeros for the first.
    pub prev_hash: [u8; 32],
    /// SHA-256.
    pub hash: [u8; 32],
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", content = "is", rename_all = "snake_case")]
pub enum Record {
    /// Entries that sum to zero.
    Txn(LedgerTransaction),
    /// A payment came in.
    Payment(Payment),
    /// A payment was taken back; its id is the provider's reference.
    PaymentReversed(PaymentReversed),
    /// A bill was issued.
    Bill(Bill),
    /// Part of a bill was given back.
    CreditNote(CreditNote),
    /// A package was given back.
    Refund(Refund),
    /// A voucher was given.
    Voucher(VoucherGranted),
    /// A civil day was closed: who paid for what.
    DayClosed(DayClosed),
    /// A hold, a setting or a stage changed.
    Audit(AuditRow),
    /// People were told.
    Notice(Notice),
    /// A class of data was cleared (T21).
    Receipt(Receipt),
    /// Usage that could not be counted (T26).
    Quarantined(QuarantinedUse),
}

/// Kinds of records, for looking one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// [`Record::Txn`].
    Txn,
    /// [`Record::Payment`].
    Payment,
    /// [`Record::PaymentReversed`].
    PaymentReversed,
    /// [`Record::Bill`].
    Bill,
    /// [`Record::CreditNote`].
    CreditNote,
    /// [`Record::Refund`].
    Refund,
    /// [`Record::Voucher`].
    Voucher,
    /// [`Record::DayClosed`].
    DayClosed,
    /// [`Record::Audit`].
    Audit,
    /// [`Record::Notice`].
    Notice,
    /// [`Record::Receipt`].
    Receipt,
    /// [`Record::Quarantined`].
    Quarantined,
}

impl RecordKind {
    /// The stable code in tables.
    pub fn code(self) -> &'static str {
        match self {
            Self::Txn => "txn",
            Self::Payment => "payment",
            Self::PaymentReversed => "payment_reversed",
            Self::Bill => "bill",
            Self::CreditNote => "credit_note",
            Self::Refund => "refund",
            Self::Voucher => "voucher",
            Self::DayClosed => "day_closed",
            Self::Audit => "audit",
            Self::Notice => "notice",
            Self::Receipt => "receipt",
            Self::Quarantined => "quarantined",
        }
    }
}

impl Record {
    /// Its kind.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Txn(_) => RecordKind::Txn,
            Self::Payment(_) => RecordKind::Payment,
            Self::PaymentReversed(_) => RecordKind::PaymentReversed,
            Self::Bill(_) => RecordKind::Bill,
            Self::CreditNote(_) => RecordKind::CreditNote,
            Self::Refund(_) => RecordKind::Refund,
            Self::Voucher(_) => RecordKind::Voucher,
            Self::DayClosed(_) => RecordKind::DayClosed,
            Self::Audit(_) => RecordKind::Audit,
            Self::Notice(_) => RecordKind::Notice,
            Self::Receipt(_) => RecordKind::Receipt,
            Self::Quarantined(_) => RecordKind::Quarantined,
        }
    }

    /// The id it is looked up by, unique in its account and kind; none for rows without one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Txn(txn) => Some(txn.id.as_str()),
            Self::Payment(payment) => Some(&payment.provider_ref),
            Self::PaymentReversed(reversal) => Some(&reversal.provider_ref),
            Self::Bill(bill) => Some(bill.id.as_str()),
            Self::CreditNote(note) => Some(note.id.as_str()),
            Self::Refund(refund) => Some(refund.package.as_str()),
            Self::Voucher(voucher) => Some(voucher.id.as_str()),
            Self::Notice(notice) => Some(notice.id.as_str()),
            Self::DayClosed(_) | Self::Audit(_) | Self::Receipt(_) | Self::Quarantined(_) => None,
        }
    }
}

/// Entries that sum to zero per unit. Never changed; corrected only by a reversing transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTransaction {
    /// Its id.
    pub id: TxnId,
    /// Why money or minutes moved.
    pub kind: PostingKind,
    /// Account time it belongs to.
    pub booked_at: Timestamp,
    /// Account time it was written.
    pub created_at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// The document or fact behind it: a bill, a payment, a package.
    pub subject: String,
    /// The transaction it takes back, if it does.
    pub reverses: Option<TxnId>,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One side of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which ledger account.
    pub account: LedgerAccount,
    /// Micro-units of money, or thousandths of package minutes; by the account's unit.
    pub amount: i64,
}

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerUnit {
    /// Micro-units of the account's currency.
    Money,
    /// Thousandths of package minutes.
    Minutes,
}

/// The chart of accounts (billing section 4). Positive is what the customer may use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// Money that came in from payment providers, negative here.
    CashClearing,
    /// The customer's balance; below zero it is a debt.
    Customer,
    /// Vouchers that are still usable.
    Vouchers,
    /// Paid packages that are not used yet.
    DeferredRevenue,
    /// Earned.
    Revenue,
    /// Tax.
    Tax,
    /// Residues of rounding a line to the currency's smallest coin.
    Rounding,
    /// Paid packages that expired unused.
    Breakage,
    /// Minutes, vouchers and goodwill that the operator pays for.
    AbsorbedCost,
    /// Debts given up.
    BadDebt,
    /// Minutes given out, negative.
    UnitsIssued,
    /// Minutes of one package; never below zero (P3).
    Package(PackageId),
    /// Minutes used.
    UnitsConsumed,
    /// Minutes that expired.
    UnitsExpired,
    /// Minutes forfeited by reclamation.
    UnitsReclaimed,
    /// Minutes given back for money.
    UnitsRefunded,
}

impl LedgerAccount {
    /// What its amounts count.
    pub fn unit(&self) -> LedgerUnit {
        match self {
            Self::CashClearing
            | Self::Customer
            | Self::Vouchers
            | Self::DeferredRevenue
            | Self::Revenue
            | Self::Tax
            | Self::Rounding
            | Self::Breakage
            | Self::AbsorbedCost
            | Self::BadDebt => LedgerUnit::Money,
            Self::UnitsIssued
            | Self::Package(_)
            | Self::UnitsConsumed
            | Self::UnitsExpired
            | Self::UnitsReclaimed
            | Self::UnitsRefunded => LedgerUnit::Minutes,
        }
    }

    /// Stable text for tables and APIs.
    pub fn code(&self) -> String {
        let code = match self {
            Self::CashClearing => "cash_clearing",
            Self::Customer => "customer",
            Self::Vouchers => "vouchers",
            Self::DeferredRevenue => "deferred_revenue",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Rounding => "rounding",
            Self::Breakage => "breakage",
            Self::AbsorbedCost => "absorbed_cost",
            Self::BadDebt => "bad_debt",
            Self::UnitsIssued => "units_issued",
            Self::Package(id) => return format!("package:{id}"),
            Self::UnitsConsumed => "units_consumed",
            Self::UnitsExpired => "units_expired",
            Self::UnitsReclaimed => "units_reclaimed",
            Self::UnitsRefunded => "units_refunded",
        };
        code.to_owned()
    }
}

/// Why money or minutes move. Which ledger accounts each may touch stands in [`crate::ledger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// A customer paid.
    Payment,
    /// A payment was taken back (T27).
    PaymentReversal,
    /// A bill's debit.
    Bill,
    /// A package was bought.
    Purchase,
    /// A package was granted without money (free minutes).
    Grant,
    /// A package was given back.
    Refund,
    /// A closed day burnt packages, with the revenue that earned.
    Consumption,
    /// A package's days are over.
    Expiry,
    /// A package was forfeited (T21).
    Reclaim,
    /// A voucher was given.
    VoucherGrant,
    /// A voucher ended.
    VoucherExpiry,
    /// A credit note.
    CreditNote,
    /// An operator's correction.
    Adjustment,
    /// Minutes nobody pays for (A8).
    Absorption,
}

impl PostingKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Payment,
        Self::PaymentReversal,
        Self::Bill,
        Self::Purchase,
        Self::Grant,
        Self::Refund,
        Self::Consumption,
        Self::Expiry,
        Self::Reclaim,
        Self::VoucherGrant,
        Self::VoucherExpiry,
        Self::CreditNote,
        Self::Adjustment,
        Self::Absorption,
    ];

    /// The stable code in tables and APIs, and the word in the JSON of a row.
    pub fn code(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::PaymentReversal => "payment_reversal",
            Self::Bill => "bill",
            Self::Purchase => "purchase",
            Self::Grant => "grant",
            Self::Refund => "refund",
            Self::Consumption => "consumption",
            Self::Expiry => "expiry",
            Self::Reclaim => "reclaim",
            Self::VoucherGrant => "voucher_grant",
            Self::VoucherExpiry => "voucher_expiry",
            Self::CreditNote => "credit_note",
            Self::Adjustment => "adjustment",
            Self::Absorption => "absorption",
        }
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The provider's reference; one credit for ever.
    pub provider_ref: String,
    /// How much, more than zero.
    pub amount: Money,
    /// When it was booked.
    pub at: Timestamp,
    /// Its posting.
    pub txn: TxnId,
}

/// A payment that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentReversed {
    /// Which payment.
    pub provider_ref: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The reversing posting.
    pub txn: TxnId,
}

/// A bill: never changed after it was issued (P11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Its id.
    pub id: BillId,
    /// First civil day it is for.
    pub from_day: Date,
    /// Last civil day it is for, inclusive.
    pub to_day: Date,
    /// Begin of the period, inclusive.
    pub from: Timestamp,
    /// End of the period, exclusive.
    pub to: Timestamp,
    /// The zone of its days.
    pub zone: String,
    /// The month, for a monthly bill.
    pub month: Option<YearMonth>,
    /// When it was issued, account time.
    pub issued_at: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// Its lines.
    pub lines: Vec<BillLine>,
    /// Sum of the lines.
    pub total: Money,
    /// Customer balance and vouchers before and after (P15).
    pub balance_before: Money,
    /// After.
    pub balance_after: Money,
    /// The one debit; none if nothing was to be paid.
    pub txn: Option<TxnId>,
}

/// One line of a bill: an application, a SKU and a civil day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// Of what.
    pub key: DayKey,
    /// Arrived after its day was closed (T25).
    pub late: bool,
    /// All minutes.
    pub minutes: u64,
    /// Covered by packages.
    pub covered: Vec<Burn>,
    /// To be paid.
    pub billed: u64,
    /// Paid by nobody (A8).
    pub absorbed: u64,
    /// Version of the price list in force on the day (P16).
    pub catalog_version: u32,
    /// Its price.
    pub price: Price,
    /// `billed` at `price`, rounded once.
    pub amount: Money,
}

/// Part of a bill that was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its id.
    pub id: CreditNoteId,
    /// Of which bill.
    pub bill: BillId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Its posting.
    pub txn: TxnId,
}

/// A package that was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Which package.
    pub package: PackageId,
    /// How much came back.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
    /// Its posting.
    pub txn: TxnId,
}

/// A voucher that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherGranted {
    /// Its id.
    pub id: VoucherId,
    /// How much.
    pub amount: Money,
    /// Until when.
    pub expires_at: Timestamp,
    /// Why.
    pub reason: String,
    /// Its posting.
    pub txn: TxnId,
}

/// A closed civil day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClosed {
    /// Which day.
    pub day: Date,
    /// All use of it, as it was when it closed.
    pub uses: Vec<DayUse>,
}

/// A change of standing, settings or stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// What was done, snake case: `hold_raised`, `hold_dropped`, `billing_changed`, ...
    pub action: String,
    /// The application it concerns, if one.
    pub app: Option<SdkAppId>,
    /// Details, by name.
    pub details: BTreeMap<String, String>,
}

/// A class of data that was cleared (T21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Number of the step.
    pub step: u32,
    /// The class.
    pub class: DataClass,
    /// When.
    pub at: Timestamp,
}

/// Classes of data that reclamation clears, in order (S22, T21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Settings of applications and of notices.
    Configuration,
    /// Logs of rooms, stays and quality.
    ServiceLogs,
    /// Keys and signatures.
    Authorisations,
    /// Recordings, by the storage's own rules.
    Recordings,
    /// Packages, forfeited by a posting.
    Packages,
}

impl DataClass {
    /// Every class, in the order of the steps.
    pub const ALL: &'static [Self] = &[
        Self::Configuration,
        Self::ServiceLogs,
        Self::Authorisations,
        Self::Recordings,
        Self::Packages,
    ];
}

/// Usage that was set aside (T26).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedUse {
    /// Of what.
    pub key: DayKey,
    /// Seconds.
    pub seconds: i64,
    /// Why, for the operator.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_postings_are_the_words_in_the_rows() {
        for kind in PostingKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.code());
        }
        let codes: std::collections::BTreeSet<_> =
            PostingKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), PostingKind::ALL.len());
    }
}
