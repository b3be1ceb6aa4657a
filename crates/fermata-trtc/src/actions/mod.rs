//! The table of actions, a file for each group.
//!
//! Every action of both editions of the vendor's SDKs stands here once; what a group's rows have in common
//! is said by its [`Group`].

use fermata_billing::effect::OperationClass;

use crate::action::{Action, Category, Editions, Rate, Service, Status};
use crate::param::Param;

mod ai;
mod billing;
mod costs;
mod media;
mod params;
mod quality;
mod rooms;
mod usage;

/// The 89 actions of trtc, 2019-07-22.
pub(crate) const TRTC: &[Action] = &joined::<89>(&[
    rooms::ROWS,
    usage::ROWS,
    quality::CALLS,
    quality::DATA,
    media::MIX,
    media::RECORDING,
    media::INGEST,
    media::WEB,
    media::SLICING,
    media::MODERATION,
    ai::ROWS,
]);

/// The 72 actions of billing, 2018-07-09.
pub(crate) const BILLING: &[Action] = &joined::<72>(&[
    billing::BALANCE,
    billing::BILLS,
    billing::ORDERS,
    costs::COSTS,
    costs::ALLOCATION,
    costs::BUDGET,
]);

/// Groups one behind the other. Fails to compile if their number is not `N`.
const fn joined<const N: usize>(groups: &[&[Action]]) -> [Action; N] {
    let mut all = [groups[0][0]; N];
    let (mut group, mut at) = (0, 0);
    while group < groups.len() {
        let rows = groups[group];
        let mut row = 0;
        while row < rows.len() {
            all[at] = rows[row];
            row += 1;
            at += 1;
        }
        group += 1;
    }
    assert!(at == N, "the number of actions is another one");
    all
}

/// What actions of one group have in common.
struct Group {
    service: Service,
    category: Category,
    /// Why those that are not built are not.
    why: &'static str,
}

impl Group {
    /// An action that changes nothing.
    const fn read(&self, name: &'static str, editions: Editions, class: OperationClass) -> Action {
        Action {
            service: self.service,
            name,
            category: self.category,
            editions,
            class,
            mutates: false,
            rate: Rate::Default,
            status: Status::NotYet(self.why),
            params: &[],
        }
    }

    /// An action that changes something.
    const fn write(&self, name: &'static str, editions: Editions, class: OperationClass) -> Action {
        Action { mutates: true, ..self.read(name, editions, class) }
    }
}

impl Action {
    /// The same, carried out, with these parameters.
    const fn takes(self, params: &'static [Param]) -> Self {
        Self { status: Status::Built, params, ..self }
    }

    /// The same, not built for a reason of its own.
    const fn not_yet(self, why: &'static str) -> Self {
        Self { status: Status::NotYet(why), ..self }
    }

    /// The same, taken offline by the vendor.
    const fn offline(self) -> Self {
        Self { status: Status::Offline, ..self }
    }

    /// The same with another rate.
    const fn at(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }
}
