//! The service `billing`: balance, bills, and orders. All of it stays open in every state.

use fermata_billing::effect::OperationClass::Billing;

use super::Group;
use super::params::{END_MOMENT, START_MOMENT, TEXT};
use crate::action::Editions::{Both, Cn, Intl};
use crate::action::{Action, Category, Service};
use crate::param::{Kind, Param};

const fn group(category: Category, why: &'static str) -> Group {
    Group { service: Service::Billing, category, why }
}

const fn text(name: &'static str) -> Param {
    Param::optional(name, TEXT)
}

const fn moment(name: &'static str) -> Param {
    Param::optional(name, Kind::DateTime)
}

const fn flag(name: &'static str) -> Param {
    Param::optional(name, Kind::Integer { min: 0, max: 1 }).or(0)
}

const fn limit(max: i64) -> Param {
    Param::required("Limit", Kind::Integer { min: 1, max })
}

const OFFSET: Param = Param::required("Offset", Kind::Integer { min: 0, max: 10_000_000 });
const MONTH: Param = Param::required("Month", Kind::Month);
const BEGIN: Param = Param::required("BeginTime", Kind::DateTime);
const END: Param = Param::required("EndTime", Kind::DateTime);
const PAYER: Param = text("PayerUin");
const PAY_MODE: Param = Param::optional("PayMode", Kind::Word(&["prePay", "postPay"]));
const PERIOD_TYPE: Param = Param::optional("PeriodType", Kind::Word(&["byUsedTime", "byPayTime"]));
const TEXTS: Kind = Kind::List { of: &TEXT, max: 20 };

const FUNDS: Group = group(Category::Balance, "balance alarms are set in the notice settings");

pub(super) const BALANCE: &[Action] = &[
    FUNDS
        .read("DescribeAccountBalance", Both, Billing)
        .takes(&[Param::optional("TempCredit", Kind::Bool)]),
    FUNDS.read("DescribeAccountWarning", Cn, Billing).takes(&[]),
    FUNDS.write("ModifyAccountWarning", Cn, Billing),
    FUNDS
        .read("DescribeOrgMemberAccountBalance", Both, Billing)
        .not_yet("accounts have no members"),
    FUNDS.read("DescribeVoucherInfo", Both, Billing).takes(&[
        Param::optional("Limit", Kind::Integer { min: 1, max: 1000 }).or(20),
        Param::optional("Offset", Kind::Integer { min: 0, max: 1_000_000 }).or(1),
        Param::optional(
            "Status",
            Kind::Word(&["unUsed", "used", "delivered", "cancel", "overdue"]),
        ),
        text("VoucherId"),
        text("CodeId"),
        text("ProductCode"),
        text("ActivityId"),
        text("VoucherName"),
        moment("TimeFrom"),
        moment("TimeTo"),
        Param::optional("SortField", Kind::Word(&["BeginTime", "EndTime", "CreateTime"])),
        Param::optional("SortOrder", Kind::Word(&["desc", "asc"])),
        text("PayMode"),
        text("PayScene"),
        text("Operator"),
        text("VoucherMainType"),
        text("VoucherSubType"),
        moment("StartTimeFrom"),
        moment("StartTimeTo"),
        moment("EndTimeFrom"),
        moment("EndTimeTo"),
        moment("CreateTimeFrom"),
        moment("CreateTimeTo"),
        text("Lang"),
    ]),
    FUNDS
        .read("DescribeVoucherUsageDetails", Both, Billing)
        .not_yet("what a voucher paid stands in the ledger"),
];

const ACCOUNTS: Group = group(Category::Bills, "bills are read as CSV and HTML in the console");
const NO_ORGANIZATION: &str = "accounts have no members";

pub(super) const BILLS: &[Action] = &[
    ACCOUNTS.read("DescribeBillList", Cn, Billing).takes(&[
        START_MOMENT,
        END_MOMENT,
        OFFSET,
        limit(1000),
        Param::optional("PayType", TEXTS),
        Param::optional("SubPayType", TEXTS),
        flag("WithZeroAmount"),
    ]),
    ACCOUNTS.read("DescribeBillDetail", Both, Billing).takes(&[
        OFFSET,
        limit(300),
        PERIOD_TYPE,
        Param::optional("Month", Kind::Month),
        moment("BeginTime"),
        moment("EndTime"),
        flag("NeedRecordNum"),
        text("ProductCode"),
        PAY_MODE,
        text("ResourceId"),
        text("ActionType"),
        Param::optional("ProjectId", Kind::Integer { min: 0, max: i64::MAX }),
        text("BusinessCode"),
        text("Context"),
        PAYER,
    ]),
    ACCOUNTS.read("DescribeBillSummary", Both, Billing).takes(&[
        MONTH,
        Param::required(
            "GroupType",
            Kind::Word(&["business", "project", "region", "payMode", "tag"]),
        ),
        Param::optional("TagKey", TEXTS),
        text("OperateUin"),
        PAYER,
    ]),
    ACCOUNTS.read("DescribeBillSummaryByProduct", Both, Billing).takes(&[
        BEGIN,
        END,
        PAYER,
        Param::optional("PayType", Kind::Word(&["consume", "refund", "adjustment"])),
    ]),
    ACCOUNTS.read("DescribeBillSummaryByRegion", Both, Billing).takes(&[BEGIN, END, PAYER]),
    ACCOUNTS.read("DescribeBillSummaryByPayMode", Both, Billing).takes(&[BEGIN, END, PAYER]),
    ACCOUNTS.read("DescribeBillSummaryByProject", Both, Billing).takes(&[BEGIN, END, PAYER]),
    ACCOUNTS.read("DescribeBillSummaryByTag", Both, Billing).not_yet("applications have no tags"),
    ACCOUNTS.read("DescribeBillResourceSummary", Both, Billing).takes(&[
        OFFSET,
        limit(1000),
        MONTH,
        PERIOD_TYPE,
        flag("NeedRecordNum"),
        text("ActionType"),
        text("ResourceId"),
        PAY_MODE,
        text("BusinessCode"),
        PAYER,
        text("TagKey"),
        text("TagValue"),
    ]),
    ACCOUNTS
        .read("DescribeBillAdjustInfo", Both, Billing)
        .not_yet("adjustments stand in the ledger"),
    ACCOUNTS.read("DescribeBillDownloadUrl", Both, Billing),
    ACCOUNTS.read("DescribeBillDetailForOrganization", Both, Billing).not_yet(NO_ORGANIZATION),
    ACCOUNTS
        .read("DescribeBillResourceSummaryForOrganization", Both, Billing)
        .not_yet(NO_ORGANIZATION),
    ACCOUNTS.read("DescribeBillSummaryForOrganization", Both, Billing).not_yet(NO_ORGANIZATION),
];

const DEALS: Group = group(Category::Orders, "packages are bought in the console and its API");

pub(super) const ORDERS: &[Action] = &[
    DEALS.read("DescribeDealsByCond", Both, Billing),
    DEALS.write("PayDeals", Both, Billing),
    DEALS.write("CreateInstance", Both, Billing),
    DEALS.write("RefundInstance", Both, Billing),
    DEALS.write("RenewInstance", Both, Billing),
    DEALS.read("DescribeRenewInstances", Both, Billing),
    DEALS.write("SetRenewal", Both, Billing),
    DEALS.read("DescribeCPQBillingMapping", Intl, Billing),
];
