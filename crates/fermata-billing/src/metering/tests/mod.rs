//! Usage meets packages, postpaid and closed days; reports in any order; the naive oracle.

mod late;
mod oracle;
mod order;
mod rows;
