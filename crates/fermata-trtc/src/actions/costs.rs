//! The service `billing`: analysis of costs, their allocation, budgets. Nothing of it is built.

use fermata_billing::effect::OperationClass::Billing;

use super::Group;
use crate::action::Editions::{Both, Cn};
use crate::action::{Action, Category, Service};

const fn group(category: Category, why: &'static str) -> Group {
    Group { service: Service::Billing, category, why }
}

const BY_COST: Group = group(Category::Costs, "costs are read from bills and their details");

pub(super) const COSTS: &[Action] = &[
    BY_COST.read("DescribeCostDetail", Both, Billing),
    BY_COST.read("DescribeCostExplorerSummary", Both, Billing),
    BY_COST.read("DescribeCostSummaryByProduct", Both, Billing),
    BY_COST.read("DescribeCostSummaryByProject", Both, Billing),
    BY_COST.read("DescribeCostSummaryByRegion", Both, Billing),
    BY_COST.read("DescribeCostSummaryByResource", Both, Billing),
    BY_COST.read("DescribeCostSummaryByTag", Cn, Billing),
    BY_COST.read("DescribeDosageCosDetailByDate", Both, Billing),
    BY_COST.read("DescribeDosageDetailByDate", Cn, Billing),
    BY_COST.read("DescribeDosageDetailList", Cn, Billing),
    BY_COST.read("DescribeSavingPlanResourceInfo", Cn, Billing),
    BY_COST.read("DescribeTagList", Both, Billing),
];

const SHARES: Group = group(Category::Allocation, "costs are not allocated to units here");

pub(super) const ALLOCATION: &[Action] = &[
    SHARES.write("CreateAllocationRule", Both, Billing),
    SHARES.write("CreateAllocationTag", Both, Billing),
    SHARES.write("CreateAllocationUnit", Both, Billing),
    SHARES.write("CreateGatherRule", Both, Billing),
    SHARES.write("DeleteAllocationRule", Both, Billing),
    SHARES.write("DeleteAllocationTag", Both, Billing),
    SHARES.write("DeleteAllocationUnit", Both, Billing),
    SHARES.write("DeleteGatherRule", Both, Billing),
    SHARES.read("DescribeAllocateConditions", Both, Billing),
    SHARES.read("DescribeAllocationBillConditions", Both, Billing),
    SHARES.read("DescribeAllocationBillDetail", Both, Billing),
    SHARES.read("DescribeAllocationMonthOverview", Both, Billing),
    SHARES.read("DescribeAllocationOverview", Both, Billing),
    SHARES.read("DescribeAllocationRuleDetail", Both, Billing),
    SHARES.read("DescribeAllocationRuleSummary", Both, Billing),
    SHARES.read("DescribeAllocationSummaryByBusiness", Both, Billing),
    SHARES.read("DescribeAllocationSummaryByItem", Both, Billing),
    SHARES.read("DescribeAllocationSummaryByResource", Both, Billing),
    SHARES.read("DescribeAllocationTree", Both, Billing),
    SHARES.read("DescribeAllocationTrendByMonth", Both, Billing),
    SHARES.read("DescribeAllocationUnitDetail", Both, Billing),
    SHARES.read("DescribeGatherResource", Both, Billing),
    SHARES.read("DescribeGatherRuleDetail", Both, Billing),
    SHARES.write("ModifyAllocationRule", Both, Billing),
    SHARES.write("ModifyAllocationUnit", Both, Billing),
    SHARES.write("ModifyGatherRule", Both, Billing),
];

const PLANS: Group =
    group(Category::Budget, "budgets are not offered; see the alerts of the notice settings");

pub(super) const BUDGET: &[Action] = &[
    PLANS.write("CreateBudget", Both, Billing),
    PLANS.write("DeleteBudget", Both, Billing),
    PLANS.read("DescribeBudget", Both, Billing),
    PLANS.read("DescribeBudgetOperationLog", Both, Billing),
    PLANS.read("DescribeBudgetRemindRecordList", Both, Billing),
    PLANS.write("ModifyBudget", Both, Billing),
];
