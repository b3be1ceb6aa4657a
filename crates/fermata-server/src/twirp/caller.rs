//! Who calls: the application of the token's API key, and what the token grants.

use axum::http::HeaderMap;
use fermata_auth::{VideoGrant, decode_unverified_key, verify};
use fermata_billing::command::Refusal as BooksRefusal;
use fermata_billing::effect::OperationClass;
use fermata_types::{AccountId, Now, Reason, Refusal, RoomName, SdkAppId};

use super::code::{Code, TwirpError};
use super::method::Grant;
use super::{Call, wire};
use crate::server::Server;
use crate::v1::auth::bearer;

/// Whoever holds a good token.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) app: SdkAppId,
    pub(super) account: AccountId,
    grant: VideoGrant,
}

impl Caller {
    /// Reads and checks the bearer token.
    pub(super) fn read(shared: &Server, headers: &HeaderMap) -> Result<Self, TwirpError> {
        let token = bearer(headers).unwrap_or_default();
        let read = || {
            let key = decode_unverified_key(token)?;
            let app = shared.directory.app_of_key(&key).ok_or(Reason::KeyUnknown)?;
            let pair =
                app.api_keys.iter().find(|pair| pair.key == key).ok_or(Reason::KeyUnknown)?;
            let claims = verify(token, &pair.secret, Now::read().wall)?;
            let (id, account) = (app.app.sdk_app_id, app.app.account.clone());
            Ok(Self { app: id, account, grant: claims.video })
        };
        read().map_err(|refusal: Refusal| TwirpError::from(&refusal))
    }
}

impl Caller {
    /// Could the token allow this in some room? Asked before the body is read, so that whoever may only join a
    /// room does not get to send ten megabytes either. What the call names is compared by [`Call::admit`].
    pub(super) fn could(&self, grant: Grant) -> Result<(), TwirpError> {
        let (granted, needed) = match grant {
            Grant::Create => (self.grant.room_create, "roomCreate"),
            Grant::List => (self.grant.room_list, "roomList"),
            Grant::Admin | Grant::AdminBoth => (self.grant.room_admin, "roomAdmin"),
            Grant::Record | Grant::Ingress | Grant::SipAdmin | Grant::SipCall | Grant::Other => {
                (true, "")
            }
        };
        if granted {
            return Ok(());
        }
        let text = format!("the token does not allow this; it needs the grant {needed}");
        Err(TwirpError::new(Code::PermissionDenied, text))
    }
}

impl Call<'_> {
    /// May the caller do this, by its token and by the standing of its application? `room` and `destination` are
    /// what the call names.
    pub(super) async fn admit(&self, room: &str, destination: &str) -> Result<(), TwirpError> {
        let grant = &self.caller.grant;
        let (granted, needed) = match self.method.grant {
            Grant::Create => (grant.room_create, "roomCreate".to_owned()),
            Grant::List => (grant.room_list, "roomList".to_owned()),
            Grant::Admin => (
                grant.room_admin && grant.room == room,
                format!("roomAdmin for room {:?}", wire::short(room)),
            ),
            Grant::AdminBoth => (
                grant.room_admin && grant.room == room && grant.destination_room == destination,
                format!(
                    "roomAdmin for room {:?} and destinationRoom {:?}",
                    wire::short(room),
                    wire::short(destination)
                ),
            ),
            // Nothing that these open is built.
            Grant::Record | Grant::Ingress | Grant::SipAdmin | Grant::SipCall | Grant::Other => {
                (true, String::new())
            }
        };
        if !granted {
            let text = format!("the token does not allow this; it needs the grant {needed}");
            return Err(TwirpError::new(Code::PermissionDenied, text));
        }
        self.allows(self.method.class).await
    }

    /// Does the standing allow this class?
    pub(super) async fn allows(&self, class: OperationClass) -> Result<(), TwirpError> {
        let Caller { app, account, .. } = &self.caller;
        // What was committed before this call decides on it.
        self.shared.settle(account).await;
        let refused = match self.shared.allows(account, Some(*app), class) {
            Ok(()) => return Ok(()),
            Err(BooksRefusal::Suspended { holds, cleared, .. }) => {
                let cleared = cleared.then_some(Reason::Cleared);
                let holds = holds.iter().map(|hold| hold.kind.rule().reason);
                let mut reasons: Vec<Reason> = Vec::new();
                for reason in cleared.into_iter().chain(holds) {
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
                Refusal::from_reasons(reasons)
            }
            Err(_) => None,
        };
        // A refusal always has a reason; this one is for what cannot be read.
        let refused = refused.unwrap_or_else(|| Reason::Unavailable.into());
        Err(TwirpError::from(&refused))
    }
}

/// A room's name as `LiveKit` writes it; `int/123` is the integer room 123.
pub(super) fn room_name(text: &str) -> Result<RoomName, TwirpError> {
    RoomName::parse(text).map_err(|error| {
        TwirpError::new(Code::InvalidArgument, wire::short(&error.to_string()))
            .with("argument", "room")
    })
}
