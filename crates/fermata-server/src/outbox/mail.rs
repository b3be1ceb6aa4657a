//! E-mail over SMTP: one plain-text mail a notice and contact.
//!
//! The `Message-ID` is made from the delivery's id, so that mail programs may tell repetitions.
//! What it is not: no queue; the outbox is one, and the mail server has its own.

use fermata_billing::notice::Delivery;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use rustls::pki_types::CertificateDer;

use crate::config::SmtpUrl;
use crate::limits::{MAIL_COMMAND_TIME_MAX, MAIL_TIME_MAX};

/// Why a mail was not handed to the mail server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The operator named no mail server.
    #[error("no e-mail can be sent: smtp_url is not set")]
    NotConfigured,
    /// The contact's address is none.
    #[error("{address:?} is no mail address")]
    Address {
        /// As given.
        address: String,
        /// What is wrong.
        source: AddressError,
    },
    /// The mail cannot be put together.
    #[error("the mail cannot be written")]
    Message(#[from] lettre::error::Error),
    /// The mail server cannot be reached, or refuses the mail.
    #[error("the mail server did not take the mail")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// It took too long.
    #[error("the mail server took longer than {} seconds", MAIL_TIME_MAX.as_secs())]
    Time,
}

impl MailError {
    /// Trying again cannot help.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::NotConfigured | Self::Address { .. } | Self::Message(_))
    }
}

/// Sends mail.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// A mailer over the server of `url`; certificates of `own` authorities are trusted beside the public ones.
    ///
    /// # Errors
    /// [`MailError::Smtp`] if the TLS parameters cannot be made.
    pub fn new(
        url: &SmtpUrl,
        from: Mailbox,
        own: &[CertificateDer<'static>],
    ) -> Result<Self, MailError> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())?
            .timeout(Some(MAIL_COMMAND_TIME_MAX));
        if !own.is_empty()
            && let Some(mode) = url.tls()
        {
            let mut parameters = TlsParameters::builder(url.host().to_owned());
            for certificate in own {
                parameters =
                    parameters.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
            }
            builder = builder.tls(mode(parameters.build()?));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Hands one mail to the server, within [`MAIL_TIME_MAX`].
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, to: &str, delivery: &Delivery) -> Result<(), MailError> {
        let message = self.message(to, delivery)?;
        let sent = tokio::time::timeout(MAIL_TIME_MAX, self.transport.send(message));
        sent.await.map_err(|_| MailError::Time)??;
        Ok(())
    }

    fn message(&self, to: &str, delivery: &Delivery) -> Result<Message, MailError> {
        let to: Address =
            to.parse().map_err(|source| MailError::Address { address: to.to_owned(), source })?;
        let id = format!("<{}@{}>", delivery.id, self.from.email.domain());
        // Keeps vacation replies away (RFC 3834).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let automatic = HeaderValue::new(automatic, "auto-generated".to_owned());
        let title: String =
            delivery.notice.title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Ok(Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .message_id(Some(id))
            .subject(title)
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN)
            .body(text(delivery))?)
    }
}

/// The mail as people read it.
fn text(delivery: &Delivery) -> String {
    let notice = &delivery.notice;
    let mut text = notice.text.trim_end().to_owned();
    text.push_str("\n\n-- \n");
    if !notice.clauses.is_empty() {
        let clauses: Vec<_> = notice.clauses.iter().map(|clause| clause.id()).collect();
        text.push_str("Clauses of the policy: ");
        text.push_str(&clauses.join(", "));
        text.push('\n');
    }
    text.push_str("Notice ");
    text.push_str(notice.id.as_str());
    text.push_str(", ");
    text.push_str(&notice.at.to_string());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
