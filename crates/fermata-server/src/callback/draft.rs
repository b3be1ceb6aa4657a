//! What is to be told to whom, before it is written down.

use fermata_callback::event_id::{Place, event_id};
use fermata_callback::follow::Change;
use fermata_callback::limits::WEBHOOKS_PER_APP_MAX;
use fermata_callback::schedule::Lane;
use fermata_callback::{vendor, webhook};
use fermata_sfu::io::{RoomEvent, RoomEventKind};
use fermata_store::AppCallbacks;
use fermata_store::deliveries::{DeliveryReceiver, NewDelivery};
use fermata_types::{RoomName, RoomSid, Scene, SdkAppId};
use jiff::Timestamp;
use livekit_protocol as lk;
use prost::Message as _;

use super::lane;

/// Name of the room that test events are about.
const TEST_ROOM: &str = "callback-test";

/// A delivery without its last word: how many before it were missed.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) lane: Lane,
    /// About what it takes in memory.
    pub(super) bytes: usize,
    receiver: DeliveryReceiver,
    url: String,
    event: String,
    at: Timestamp,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Callback(Vec<u8>),
    Webhook(Box<lk::WebhookEvent>),
}

impl Draft {
    /// The delivery; `failed` says why it is given up at once.
    pub(super) fn into_delivery(self, dropped: u32, failed: Option<String>) -> NewDelivery {
        let body = match self.content {
            Content::Callback(body) => body,
            Content::Webhook(event) => webhook::body(*event, self.id.clone(), dropped),
        };
        NewDelivery {
            id: self.id,
            app: self.lane.app,
            receiver: self.receiver,
            url: self.url,
            room: self.lane.room,
            event: self.event,
            created_at: self.at,
            body,
            failed,
        }
    }
}

/// What an event tells the receivers of its application, each in its order.
pub(super) fn of_event(
    event: &RoomEvent,
    change: &Change,
    settings: &AppCallbacks,
    now: Timestamp,
) -> Vec<Draft> {
    let groups = settings.callback.as_ref().map_or(&[][..], |callback| &callback.groups);
    drafts(event, change, settings, groups, now)
}

/// A room that started, whatever groups are sent.
pub(super) fn of_test(
    app: SdkAppId,
    life: RoomSid,
    settings: &AppCallbacks,
    now: Timestamp,
) -> Vec<Draft> {
    let info = lk::Room {
        sid: life.to_string(),
        name: TEST_ROOM.to_owned(),
        creation_time: now.as_second(),
        ..lk::Room::default()
    };
    let event = RoomEvent {
        app,
        room: RoomName::Text(TEST_ROOM.into()),
        room_sid: life,
        seq: 1,
        at: now,
        scene: Scene::Call,
        info,
        kind: RoomEventKind::RoomStarted { creator: Some(TEST_ROOM.to_owned()), agents: vec![] },
    };
    drafts(&event, &Change::default(), settings, &[vendor::GROUP_ROOM], now)
}

fn drafts(
    event: &RoomEvent,
    change: &Change,
    settings: &AppCallbacks,
    groups: &[u8],
    now: Timestamp,
) -> Vec<Draft> {
    let mut all = Vec::new();
    let made = |receiver, url: &str, place, name: String, bytes: usize, content| Draft {
        id: event_id(&event.room_sid, event.seq, place),
        lane: lane(event.app, receiver, url, &event.room),
        bytes: bytes + url.len() + size_of::<Draft>(),
        receiver,
        url: url.to_owned(),
        event: name,
        at: now,
        content,
    };
    if let Some(callback) = &settings.callback
        && let Some(told) = vendor::callback(event, change, now)
        && groups.contains(&told.group)
    {
        let (name, bytes) = (told.event_type.to_string(), told.body.len());
        let content = Content::Callback(told.body);
        let receiver = DeliveryReceiver::Callback;
        all.push(made(receiver, &callback.url, Place::Callback, name, bytes, content));
    }
    if settings.webhooks.is_empty() {
        return all;
    }
    for (n, told) in webhook::events(event, change).into_iter().enumerate() {
        let bytes = told.encoded_len() * 2;
        for (r, hook) in settings.webhooks.iter().take(WEBHOOKS_PER_APP_MAX).enumerate() {
            let (place, name) = (Place::Webhook { event: n, receiver: r }, told.event.clone());
            let content = Content::Webhook(Box::new(told.clone()));
            all.push(made(DeliveryReceiver::Webhook, &hook.url, place, name, bytes, content));
        }
    }
    all
}
