use super::*;
use crate::command::Command;
use crate::money::Money;
use crate::standing::world::{World, contact};

fn with_email(email: &str) -> Contact {
    Contact { email: Some(email.to_owned()), ..contact("desk") }
}

fn with_url(url: &str) -> Contact {
    let webhook = Webhook { url: url.to_owned(), secret: "key".to_owned() };
    Contact { name: "desk".to_owned(), email: None, webhook: Some(webhook) }
}

fn subscription(kind: NoticeKind, below: Option<i64>, percent: Option<u8>) -> Subscription {
    Subscription {
        name: "one".to_owned(),
        contact: "owner".to_owned(),
        kind,
        below: below.map(Money::from_micros),
        percent,
    }
}

#[test]
fn s11_contacts_are_checked_and_errors_name_what_is_wrong() {
    let mut world = World::new();
    let named = |name: &str| contact(name);
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long = format!("a@{}", "b".repeat(260));
    let long_url = format!("https://example.org/{}", "x".repeat(2_048));
    let empty = Contact { email: None, ..contact("desk") };
    let mut unsigned = with_url("https://example.org");
    unsigned.webhook.as_mut().unwrap().secret.clear();
    let refused = [
        (named(""), "name"),
        (named("Owner"), "name"),
        (named(&"x".repeat(65)), "name"),
        (named("a b"), "name"),
        (empty, "email"),
        (with_email("nobody"), "email"),
        (with_email("@example.org"), "email"),
        (with_email("a@"), "email"),
        (with_email("a b@example.org"), "email"),
        (with_email("a@exa mple.org"), "email"),
        (with_email("a@-x.org"), "email"),
        (with_email("a@x..org"), "email"),
        (with_email("a@x.org\r\nBcc: b@x.org"), "email"),
        (with_email(&long_local), "email"),
        (with_email(&long), "email"),
        (unsigned, "webhook.secret"),
        (with_url("ftp://example.org"), "webhook.url"),
        (with_url("example.org"), "webhook.url"),
        (with_url("https://"), "webhook.url"),
        (with_url("https:///path"), "webhook.url"),
        (with_url("https://a b.org"), "webhook.url"),
        (with_url("https://user:pw@example.org"), "webhook.url"),
        (with_url("https://example.org#x"), "webhook.url"),
        (with_url("https://example.org:0"), "webhook.url"),
        (with_url("https://example.org:65536"), "webhook.url"),
        (with_url("https://example.org:x"), "webhook.url"),
        (with_url("https://[::g]/"), "webhook.url"),
        (with_url("https://[::1]x/"), "webhook.url"),
        (with_url(&long_url), "webhook.url"),
    ];
    for (contact, field) in refused {
        let shown = format!("{contact:?}");
        match world.run_as(crate::standing::world::customer(), Command::PutContact(contact)) {
            Err(Refusal::Invalid { field: named, problem }) => {
                assert_eq!(named, field, "{shown}: {problem}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
    let fine = [
        with_email("ann.bee+bills@mail.example.org"),
        with_email("root@localhost"),
        with_url("https://example.org"),
        with_url("http://127.0.0.1:8080/hook?a=b"),
        with_url("https://[::1]:8443/hook"),
        named("a-b_9"),
    ];
    for contact in fine {
        world.run(Command::PutContact(contact));
    }
}

#[test]
fn s11_contacts_are_bounded_and_replaced_by_name() {
    let mut world = World::new();
    for number in 1..CONTACTS_MAX {
        world.run(Command::PutContact(contact(&format!("c{number}"))));
    }
    let more = world.run_as(crate::standing::world::customer(), Command::PutContact(contact("x")));
    assert_eq!(more, Err(Refusal::LimitReached { what: "contacts", max: CONTACTS_MAX }));
    let rows = world.history.rows.len();
    world.run(Command::PutContact(contact("c1")));
    assert_eq!(world.history.rows.len(), rows, "the same again is nothing new");
    world.run(Command::PutContact(Contact {
        email: Some("new@example.org".to_owned()),
        ..contact("c1")
    }));
    world.run(Command::DropContact { name: "c1".to_owned() });
    let gone = Command::DropContact { name: "c1".to_owned() };
    let gone = world.run_as(crate::standing::world::customer(), gone);
    assert!(matches!(gone, Err(Refusal::Unknown { what: "contact", .. })));
}

#[test]
fn s11_the_key_of_a_webhook_stays_out_of_the_audit() {
    let mut world = World::new();
    let mut secretive = with_url("https://example.org");
    secretive.webhook.as_mut().unwrap().secret = "hush-hush".to_owned();
    world.run(Command::PutContact(secretive));
    assert!(!format!("{:?}", world.history.rows).contains("hush-hush"));
}

#[test]
fn s11_subscriptions_are_checked_and_go_with_their_contact() {
    use NoticeKind as N;
    let mut world = World::new();
    let customer = crate::standing::world::customer;
    let refused = [
        (subscription(N::OperatorAlert, None, None), "kind"),
        (subscription(N::BalanceLow, None, None), "below"),
        (subscription(N::BalanceLow, Some(i64::MIN), None), "below"),
        (subscription(N::BillReady, Some(1), None), "below"),
        (subscription(N::PackageAlarm, None, None), "percent"),
        (subscription(N::PackageAlarm, None, Some(100)), "percent"),
        (subscription(N::ArrearsWarning, None, Some(1)), "percent"),
        (Subscription { name: "A/B".to_owned(), ..subscription(N::BillReady, None, None) }, "name"),
    ];
    for (subscription, field) in refused {
        let answer = world.run_as(customer(), Command::Subscribe(subscription));
        assert!(
            matches!(&answer, Err(Refusal::Invalid { field: f, .. }) if *f == field),
            "{answer:?}"
        );
    }
    let nobody =
        Subscription { contact: "nobody".to_owned(), ..subscription(N::BillReady, None, None) };
    let answer = world.run_as(customer(), Command::Subscribe(nobody));
    assert!(matches!(answer, Err(Refusal::Unknown { what: "contact", .. })));
    for number in 0..SUBSCRIPTIONS_MAX {
        let name = format!("s{number}");
        let one = Subscription { name, ..subscription(N::BillReady, None, None) };
        world.run(Command::Subscribe(one));
    }
    let more = world.run_as(customer(), Command::Subscribe(subscription(N::BillReady, None, None)));
    assert!(matches!(more, Err(Refusal::LimitReached { what: "subscriptions", .. })));
    world.run(Command::Unsubscribe { name: "s0".to_owned() });
    world.run(Command::DropContact { name: "owner".to_owned() });
    assert!(world.state.subscriptions.is_empty());
}
