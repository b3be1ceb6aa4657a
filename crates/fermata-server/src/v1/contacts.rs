//! Contacts of an account: people and programs to tell. They are listed and changed with the account.

use fermata_billing::notice::{Contact, Webhook};
use fermata_billing::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;

/// A contact, without secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactView {
    /// Its name; `owner` is always told of arrears.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Webhook.
    pub webhook: Option<WebhookView>,
}

/// A webhook, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Address.
    pub url: String,
}

impl From<&Contact> for ContactView {
    fn from(contact: &Contact) -> Self {
        let webhook = contact.webhook.as_ref();
        Self {
            name: contact.name.clone(),
            email: contact.email.clone(),
            webhook: webhook.map(|webhook| WebhookView { url: webhook.url.clone() }),
        }
    }
}

/// A contact to keep; it needs a mail address, a webhook, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// Its name, 1 to 64 of `a-z`, `0-9`, `_` and `-`, once in the list.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Webhook.
    pub webhook: Option<NewWebhook>,
}

/// A webhook to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Address, `https://` or `http://`.
    pub url: String,
    /// Key of the signature over each delivery, 1 to 256 bytes; if absent, the contact's webhook keeps the one it has.
    pub secret: Option<String>,
}

impl std::fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewWebhook").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The contacts as the books keep them; keys that are not given are those of `known`.
///
/// # Errors
/// [`ApiError::Invalid`] for a name that is there twice or a webhook without a key.
pub(super) fn contacts(new: Vec<NewContact>, known: &State) -> Result<Vec<Contact>, ApiError> {
    let mut contacts: Vec<Contact> = Vec::new();
    for contact in new {
        let NewContact { name, email, webhook } = contact;
        if contacts.iter().any(|earlier| earlier.name == name) {
            return Err(ApiError::Invalid(format!("contacts: {name:?} is there twice")));
        }
        let had = known.contacts.get(&name).and_then(|contact| contact.webhook.as_ref());
        let webhook = match webhook {
            None => None,
            Some(NewWebhook { url, secret }) => {
                let secret = secret.or_else(|| had.map(|webhook| webhook.secret.clone()));
                let secret = secret.ok_or_else(|| {
                    ApiError::Invalid(format!("contacts: the webhook of {name:?} needs a secret"))
                })?;
                Some(Webhook { url, secret })
            }
        };
        contacts.push(Contact { name, email, webhook });
    }
    Ok(contacts)
}
