//! Contacts and what they subscribed to.

use super::alerts;
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::limits::{
    AMOUNT_MAX_UNITS, CONTACTS_MAX, EMAIL_LEN_MAX, NOTICE_NAME_LEN_MAX, SUBSCRIPTIONS_MAX,
    WEBHOOK_SECRET_LEN_MAX, WEBHOOK_URL_LEN_MAX,
};
use crate::money::excerpt;
use crate::notice::{Contact, NoticeKind, OWNER, Subscription, Webhook};
use crate::state::{Item, ItemKey};
use crate::step::Step;

/// Adds or replaces a contact. The same contact again changes nothing.
///
/// # Errors
/// [`Refusal::Invalid`] naming the field; [`Refusal::LimitReached`].
pub(crate) fn put_contact(step: &mut Step<'_>, contact: &Contact) -> Result<Answer, Refusal> {
    check_name("name", &contact.name)?;
    if let Some(email) = &contact.email {
        check_email(email)?;
    }
    if let Some(webhook) = &contact.webhook {
        check_webhook(webhook)?;
    }
    // The owner's is there from the opening on, and has an address once somebody gives one.
    if contact.email.is_none() && contact.webhook.is_none() && contact.name != OWNER {
        return Err(Refusal::invalid("email", "a contact needs an address, a webhook, or both"));
    }
    let contacts = &step.state().contacts;
    match contacts.get(&contact.name) {
        Some(known) if known == contact => return Ok(Answer::Done),
        None if contacts.len() >= CONTACTS_MAX => {
            return Err(Refusal::LimitReached { what: "contacts", max: CONTACTS_MAX });
        }
        _ => {}
    }
    step.put(Item::Contact(contact.clone()));
    // The webhook's key stays out of the audit.
    let url = contact.webhook.as_ref().map(|webhook| webhook.url.clone()).unwrap_or_default();
    let email = contact.email.clone().unwrap_or_default();
    let details = [("name", contact.name.clone()), ("email", email), ("webhook", url)];
    step.audit(ClauseId::S11, "contact_put", &details)?;
    Ok(Answer::Done)
}

/// Removes a contact and its subscriptions. Also the owner's: what the owner would be told then only stands
/// among the account's notices.
///
/// # Errors
/// [`Refusal::Unknown`].
pub(crate) fn drop_contact(step: &mut Step<'_>, name: &str) -> Result<Answer, Refusal> {
    if !step.state().contacts.contains_key(name) {
        return Err(Refusal::unknown("contact", excerpt(name)));
    }
    remove_contact(step, name);
    step.audit(ClauseId::S11, "contact_dropped", &[("name", name.to_owned())])?;
    Ok(Answer::Done)
}

/// Removes a contact and its subscriptions, if it is there.
pub(crate) fn remove_contact(step: &mut Step<'_>, name: &str) {
    let own = step.state().subscriptions.values().filter(|one| one.contact == name);
    let own: Vec<_> = own.map(|one| one.name.clone()).collect();
    for subscription in own {
        step.remove(ItemKey::Subscription(subscription.clone()));
        alerts::forget_subscription(step, &subscription);
    }
    step.remove(ItemKey::Contact(name.to_owned()));
}

/// Adds or replaces a subscription. The same one again changes nothing.
///
/// # Errors
/// [`Refusal::Invalid`] naming the field; [`Refusal::Unknown`] for the contact; [`Refusal::LimitReached`].
pub(crate) fn subscribe(
    step: &mut Step<'_>,
    subscription: &Subscription,
) -> Result<Answer, Refusal> {
    check_name("name", &subscription.name)?;
    check_subscription(subscription)?;
    if !step.state().contacts.contains_key(&subscription.contact) {
        return Err(Refusal::unknown("contact", excerpt(&subscription.contact)));
    }
    let subscriptions = &step.state().subscriptions;
    match subscriptions.get(&subscription.name) {
        Some(known) if known == subscription => return Ok(Answer::Done),
        None if subscriptions.len() >= SUBSCRIPTIONS_MAX => {
            return Err(Refusal::LimitReached { what: "subscriptions", max: SUBSCRIPTIONS_MAX });
        }
        _ => {}
    }
    step.put(Item::Subscription(subscription.clone()));
    alerts::forget_subscription(step, &subscription.name);
    let details = [
        ("name", subscription.name.clone()),
        ("contact", subscription.contact.clone()),
        ("kind", subscription.kind.code().to_owned()),
    ];
    step.audit(ClauseId::S11, "subscribed", &details)?;
    Ok(Answer::Done)
}

/// Removes a subscription.
///
/// # Errors
/// [`Refusal::Unknown`].
pub(crate) fn unsubscribe(step: &mut Step<'_>, name: &str) -> Result<Answer, Refusal> {
    if !step.state().subscriptions.contains_key(name) {
        return Err(Refusal::unknown("subscription", excerpt(name)));
    }
    step.remove(ItemKey::Subscription(name.to_owned()));
    alerts::forget_subscription(step, name);
    step.audit(ClauseId::S11, "unsubscribed", &[("name", name.to_owned())])?;
    Ok(Answer::Done)
}

fn check_subscription(subscription: &Subscription) -> Result<(), Refusal> {
    let kind = subscription.kind;
    if kind == NoticeKind::OperatorAlert {
        return Err(Refusal::invalid("kind", "operator_alert is for the operator only"));
    }
    let most = AMOUNT_MAX_UNITS.saturating_mul(1_000_000);
    match (kind, subscription.below) {
        (NoticeKind::BalanceLow, Some(below)) if (-most..=most).contains(&below.micros()) => {}
        (NoticeKind::BalanceLow, Some(_)) => {
            let problem = format!("-{AMOUNT_MAX_UNITS} to {AMOUNT_MAX_UNITS} are allowed");
            return Err(Refusal::invalid("below", problem));
        }
        (NoticeKind::BalanceLow, None) => {
            return Err(Refusal::invalid("below", "balance_low needs the balance to warn below"));
        }
        (_, Some(_)) => {
            let problem = format!("only balance_low has one, {} does not", kind.code());
            return Err(Refusal::invalid("below", problem));
        }
        (_, None) => {}
    }
    match (kind, subscription.percent) {
        (NoticeKind::PackageAlarm, Some(0..=99)) => Ok(()),
        (NoticeKind::PackageAlarm, Some(percent)) => {
            Err(Refusal::invalid("percent", format!("{percent} is not allowed; 0 to 99 are")))
        }
        (NoticeKind::PackageAlarm, None) => {
            Err(Refusal::invalid("percent", "package_alarm needs the share left, 0 to 99"))
        }
        (_, Some(_)) => {
            let problem = format!("only package_alarm has one, {} does not", kind.code());
            Err(Refusal::invalid("percent", problem))
        }
        (_, None) => Ok(()),
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), Refusal> {
    let fine =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if (1..=NOTICE_NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(());
    }
    let problem = format!(
        "{:?} is not allowed; 1 to {NOTICE_NAME_LEN_MAX} of a-z, 0-9, _ and - are",
        excerpt(name)
    );
    Err(Refusal::invalid(field, problem))
}

/// The shape of a mail address; whether it exists is for the mail to tell.
fn check_email(email: &str) -> Result<(), Refusal> {
    let wrong = |why: &str| {
        let problem = format!("{:?} is no mail address: {why}", excerpt(email));
        Err(Refusal::invalid("email", problem))
    };
    if email.len() > EMAIL_LEN_MAX {
        return wrong(&format!("at most {EMAIL_LEN_MAX} bytes are allowed"));
    }
    let Some((local, domain)) = email.rsplit_once('@') else { return wrong("it has no @") };
    let in_local = |c: char| c.is_ascii_graphic() && !"()<>[]:;@\\,\"".contains(c);
    if !(1..=64).contains(&local.len()) || !local.chars().all(in_local) {
        return wrong("1 to 64 letters, digits and signs such as . + - _ belong before the @");
    }
    if !is_host(domain) {
        return wrong("the name of a host belongs after the @");
    }
    Ok(())
}

/// Labels of letters, digits and inner hyphens, with dots between.
fn is_host(host: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.chars().all(fine)
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn check_webhook(webhook: &Webhook) -> Result<(), Refusal> {
    let secret = webhook.secret.len();
    if !(1..=WEBHOOK_SECRET_LEN_MAX).contains(&secret) {
        let problem =
            format!("1 to {WEBHOOK_SECRET_LEN_MAX} bytes are allowed, these are {secret}");
        return Err(Refusal::invalid("webhook.secret", problem));
    }
    check_url(&webhook.url, WEBHOOK_URL_LEN_MAX).map_err(|why| {
        let problem = format!("{:?} is no address of a webhook: {why}", excerpt(&webhook.url));
        Refusal::invalid("webhook.url", problem)
    })
}

/// Is it the address of a web server, as far as its text says?
///
/// # Errors
/// What is wrong, as a sentence without its end.
pub fn check_url(url: &str, len_max: usize) -> Result<(), String> {
    if url.len() > len_max {
        return Err(format!("at most {len_max} bytes are allowed"));
    }
    if !url.chars().all(|c| c.is_ascii_graphic()) {
        return Err("spaces, control and non-ASCII characters must be escaped".to_owned());
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or("it must begin with https:// or http://")?;
    if rest.contains('#') {
        return Err("a fragment (#) is not sent to servers".to_owned());
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("a user name or password in it is not allowed".to_owned());
    }
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = if let Some((v6, port)) = bracketed {
        v6.parse::<std::net::Ipv6Addr>().map_err(|_| "its IPv6 address is none")?;
        (None, port)
    } else {
        let colon = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(colon);
        (Some(host), port)
    };
    if host.is_some_and(|host| !is_host(host)) {
        return Err("it names no host".to_owned());
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(digits) if digits.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        _ => Err("its port is none of 1 to 65535".to_owned()),
    }
}

#[cfg(test)]
#[path = "contacts_tests.rs"]
mod tests;
