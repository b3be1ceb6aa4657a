//! Ids of billing facts. They are counted, not drawn: the same history gives the same ids.

use fermata_types::AccountId;
use serde::{Deserialize, Serialize};

macro_rules! counted_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id with number `serial` in an account: prefix, the account's own part, number.
            pub fn nth(account: &AccountId, serial: u64) -> Self {
                let own = account.as_str();
                let own = own.strip_prefix(AccountId::PREFIX).unwrap_or(own);
                Self(format!("{}{own}_{serial}", $prefix))
            }

            /// Takes over an id that was made earlier; the text is not checked.
            pub fn from_text(text: &str) -> Self {
                Self(text.to_owned())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

counted_id!(
    /// A bill.
    BillId, "BL_"
);
counted_id!(
    /// A credit note.
    CreditNoteId, "CN_"
);
counted_id!(
    /// A hold.
    HoldId, "HD_"
);
counted_id!(
    /// A notice to people.
    NoticeId, "NT_"
);
counted_id!(
    /// A package: prepaid minutes.
    PackageId, "PK_"
);
counted_id!(
    /// A ticket of a customer.
    TicketId, "TI_"
);
counted_id!(
    /// A ledger transaction.
    TxnId, "TX_"
);
counted_id!(
    /// A voucher.
    VoucherId, "VO_"
);

/// A partner (reseller). The operator chooses it, so it is not counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartnerId(pub String);

impl std::fmt::Display for PartnerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
