//! What an action is, and where to find it.

use fermata_billing::effect::OperationClass;

use crate::actions;
use crate::param::Param;

/// A product of the vendor whose API is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Rooms, usage and quality.
    Trtc,
    /// Balance and bills.
    Billing,
}

impl Service {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Trtc, Self::Billing];

    /// Its name in the scope of a credential and in host names.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Trtc => "trtc",
            Self::Billing => "billing",
        }
    }

    /// The one version of its API that is offered, as in `X-TC-Version`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Trtc => "2019-07-22",
            Self::Billing => "2018-07-09",
        }
    }

    /// The service of a name, such as that in the scope of a credential.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| service.code() == code)
    }

    /// The service of a version; versions of the two differ.
    pub fn from_version(version: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| service.version() == version)
    }

    /// Its actions, by category.
    pub const fn actions(self) -> &'static [Action] {
        match self {
            Self::Trtc => actions::TRTC,
            Self::Billing => actions::BILLING,
        }
    }
}

/// Which editions of the vendor's SDK know an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Editions {
    /// The Chinese one only.
    Cn,
    /// The international one only.
    Intl,
    /// Both.
    Both,
}

impl Editions {
    /// Words of a table.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Cn => "CN",
            Self::Intl => "INTL",
            Self::Both => "both",
        }
    }
}

/// What an action is about; a heading of the guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Rooms and who is in them.
    Rooms,
    /// Mixing of streams and relay to other networks.
    Mix,
    /// Recording in the cloud.
    Recording,
    /// Figures of the whole application.
    DataMonitoring,
    /// Pulling streams from outside into rooms.
    Ingest,
    /// Recording of web pages.
    WebRecord,
    /// Conversation, transcription, speech.
    Ai,
    /// Cutting of media into slices.
    Slicing,
    /// Moderation of content.
    Moderation,
    /// Calls and users in retrospect.
    CallQuality,
    /// Minutes.
    Usage,
    /// Balance, vouchers and warnings.
    Balance,
    /// Bills and their summaries.
    Bills,
    /// Costs by analysis.
    Costs,
    /// Allocation of costs.
    Allocation,
    /// Budgets.
    Budget,
    /// Orders and renewals.
    Orders,
}

impl Category {
    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rooms => "Room management",
            Self::Mix => "Stream mixing and relay",
            Self::Recording => "Cloud recording",
            Self::DataMonitoring => "Data monitoring",
            Self::Ingest => "Stream ingest",
            Self::WebRecord => "Web recording",
            Self::Ai => "AI service",
            Self::Slicing => "Cloud slicing",
            Self::Moderation => "Cloud moderation",
            Self::CallQuality => "Call quality monitoring",
            Self::Usage => "Usage statistics",
            Self::Balance => "Balance, vouchers and warnings",
            Self::Bills => "Bills",
            Self::Costs => "Costs and dosage",
            Self::Allocation => "Cost allocation",
            Self::Budget => "Budgets",
            Self::Orders => "Orders and renewals",
        }
    }
}

/// How often one account may call an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// The default of most actions, see [`crate::rate::Rates::default_per_s`].
    Default,
    /// That of usage statistics, see [`crate::rate::Rates::usage_per_s`].
    Usage,
    /// Once in so many seconds.
    OncePer(u32),
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is carried out.
    Built,
    /// Answered with `UnsupportedOperation`; why, in a few words.
    NotYet(&'static str),
    /// The vendor took it offline; answered with `ActionOffline`.
    Offline,
}

/// An action of the vendor's API; a row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// Whose.
    pub service: Service,
    /// Its name, as in `X-TC-Action`.
    pub name: &'static str,
    /// What it is about.
    pub category: Category,
    /// Who knows it.
    pub editions: Editions,
    /// What the effect matrix decides it by.
    pub class: OperationClass,
    /// Whether it changes anything; what does is not for credentials that only read.
    pub mutates: bool,
    /// How often.
    pub rate: Rate,
    /// What becomes of a call.
    pub status: Status,
    /// What it takes; empty unless built.
    pub params: &'static [Param],
}

impl Action {
    /// Whether it is carried out.
    pub const fn is_built(&self) -> bool {
        matches!(self.status, Status::Built)
    }

    /// The answer to a call that is not carried out; none if it is.
    pub fn refusal(&self) -> Option<crate::ApiError> {
        use crate::{ApiError, Code};
        match self.status {
            Status::Built => None,
            Status::NotYet(why) => Some(ApiError::new(
                Code::UNSUPPORTED_OPERATION,
                format!("{} is known but not built in this server: {why}.", self.name),
            )),
            Status::Offline => Some(ApiError::new(
                Code::ACTION_OFFLINE,
                format!("{} was taken offline and has no replacement here.", self.name),
            )),
        }
    }
}

/// The action of a name in a service. Names are case-sensitive, as the SDKs write them.
///
/// # Errors
/// `InvalidAction` for an unknown one.
pub fn find(service: Service, name: &str) -> Result<&'static Action, crate::ApiError> {
    service.actions().iter().find(|action| action.name == name).ok_or_else(|| {
        crate::ApiError::new(
            crate::Code::INVALID_ACTION,
            format!(
                "{:?} is no action of {} {}.",
                crate::code::shown(name),
                service.code(),
                service.version()
            ),
        )
    })
}

#[cfg(test)]
mod tests;
