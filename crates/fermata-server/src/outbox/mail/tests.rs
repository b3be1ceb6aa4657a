//! Real mails to a small mail server on loopback.

use fermata_billing::clause::ClauseId;
use fermata_billing::id::NoticeId;
use fermata_billing::notice::{Contact, Notice, NoticeKey, NoticeKind};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;

fn delivery() -> Delivery {
    Delivery {
        id: "NO_1_2.owner".to_owned(),
        notice: Notice {
            id: NoticeId::from_text("NO_1_2"),
            key: NoticeKey { kind: NoticeKind::ArrearsReminder, of: "1".to_owned(), threshold: 0 },
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            title: "In arrears\r\nBcc: eve@example.org".to_owned(),
            text: "The balance is below zero.\n.\nRecharge within 24 hours.".to_owned(),
            clauses: vec![ClauseId::S8, ClauseId::T5],
        },
        contact: Contact { name: "owner".to_owned(), email: None, webhook: None },
    }
}

/// What a mail server was told.
#[derive(Debug, Default)]
struct Told {
    commands: Vec<String>,
    mail: String,
}

/// Speaks SMTP with one client; `rcpt` answers RCPT.
async fn speak(socket: impl AsyncRead + AsyncWrite + Unpin, rcpt: &str) -> Told {
    let mut socket = BufReader::new(socket);
    let mut told = Told::default();
    socket.write_all(b"220 test ESMTP\r\n").await.unwrap();
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await.unwrap_or(0) == 0 {
            return told;
        }
        let command = line.trim_end().to_owned();
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        told.commands.push(command);
        let answer = match verb.as_str() {
            "EHLO" => "250-test\r\n250 AUTH PLAIN\r\n".to_owned(),
            "AUTH" => "235 welcome\r\n".to_owned(),
            "MAIL" => "250 ok\r\n".to_owned(),
            "RCPT" => format!("{rcpt}\r\n"),
            "DATA" => {
                socket.write_all(b"354 go\r\n").await.unwrap();
                loop {
                    let mut line = String::new();
                    assert!(socket.read_line(&mut line).await.unwrap() > 0);
                    if line == ".\r\n" {
                        break;
                    }
                    told.mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                "250 taken\r\n".to_owned()
            }
            _ => "221 bye\r\n".to_owned(),
        };
        // A client may hang up without waiting for good-bye.
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return told;
        }
    }
}

fn mailer(url: &str, own: &[CertificateDer<'static>]) -> Mailer {
    Mailer::new(&url.parse().unwrap(), "Fermata <notices@example.org>".parse().unwrap(), own)
        .unwrap()
}

#[tokio::test]
async fn a_mail_arrives_with_a_stable_id_and_nothing_is_injected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        speak(socket, "250 ok").await
    });
    mailer(&format!("smtp://127.0.0.1:{port}"), &[])
        .send("ann@example.org", &delivery())
        .await
        .unwrap();
    let told = server.await.unwrap();
    assert!(
        told.commands.iter().any(|c| c.starts_with("MAIL FROM:<notices@example.org>")),
        "{told:?}"
    );
    let to: Vec<_> = told.commands.iter().filter(|c| c.starts_with("RCPT")).collect();
    assert_eq!(to, ["RCPT TO:<ann@example.org>"]);
    let (head, body) = told.mail.split_once("\r\n\r\n").unwrap();
    for line in [
        "Message-ID: <NO_1_2.owner@example.org>",
        "From: Fermata <notices@example.org>",
        "To: ann@example.org",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(head.lines().any(|l| l == line), "{line} in {head}");
    }
    assert!(!head.lines().any(|l| l.starts_with("Bcc")), "{head}");
    assert!(body.starts_with("The balance is below zero.\r\n.\r\nRecharge"), "{body:?}");
    assert!(body.contains("Clauses of the policy: S8, T5"), "{body:?}");
}

#[tokio::test]
async fn a_refused_recipient_is_a_failure_that_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        speak(socket, "450 later").await
    });
    let mailer = mailer(&format!("smtp://127.0.0.1:{port}"), &[]);
    let error = mailer.send("ann@example.org", &delivery()).await.unwrap_err();
    assert!(matches!(error, MailError::Smtp(_)) && !error.is_final(), "{error}");
    assert!(server.await.unwrap().mail.is_empty());
    // The server is gone now.
    let error = mailer.send("ann@example.org", &delivery()).await.unwrap_err();
    assert!(matches!(error, MailError::Smtp(_)), "{error}");
    let error = mailer.send("nobody", &delivery()).await.unwrap_err();
    assert!(matches!(error, MailError::Address { .. }) && error.is_final(), "{error}");
}

#[tokio::test]
async fn tls_with_a_trusted_authority_and_a_password() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut told = Vec::new();
        for _ in 0..2 {
            let (socket, _) = listener.accept().await.unwrap();
            if let Ok(socket) = acceptor.accept(socket).await {
                told.push(speak(socket, "250 ok").await);
            }
        }
        told
    });
    let url = format!("smtps://ann:p%40ss@localhost:{port}");
    let error = mailer(&url, &[]).send("ann@example.org", &delivery()).await.unwrap_err();
    assert!(matches!(&error, MailError::Smtp(e) if e.is_tls() || !e.is_response()), "{error:?}");
    let trusting = mailer(&url, &[made.cert.der().clone()]);
    trusting.send("ann@example.org", &delivery()).await.unwrap();
    let told = server.await.unwrap();
    assert_eq!(told.len(), 1);
    // "\0ann\0p@ss" in base64.
    assert!(told[0].commands.iter().any(|c| c == "AUTH PLAIN AGFubgBwQHNz"), "{:?}", told[0]);
    assert!(told[0].mail.contains("Recharge"));
}
