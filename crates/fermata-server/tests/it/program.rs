//! The real program: what it prints, how it ends, what it keeps.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use crate::common::program::{Program, exchange, is_private, run, run_with};
use fermata_server::config::FREE_PORTS;
use serde_json::Value;

const DEV: (&str, &str) = ("Authorization", "Bearer dev-operator");
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn data_dir(folder: &tempfile::TempDir) -> String {
    folder.path().join("data").to_str().unwrap().to_owned()
}

#[test]
fn a_bad_configuration_ends_with_status_2_and_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fermata.toml");
    fs::write(&file, "http_port = 7880\nudp_prot = 1\n").unwrap();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let rows: &[(&[&str], &[&str])] = &[
        (&["serve", "--http-port", "99999"], &["http_port", "99999", "0 to 65535"]),
        (
            &["serve", "--dev", "--http-address", "0.0.0.0"],
            &["http_address", "0.0.0.0", "loopback"],
        ),
        (&["serve", "--config", file.to_str().unwrap()], &["udp_prot", "udp_port"]),
        (
            &["serve", "--turn-host", "turn.example.org:3478"],
            &["turn_host", "turn.example.org:3478", "a host name"],
        ),
        (&["serve", "--config", "/nonexistent"], &["/nonexistent", "TOML"]),
        (&["serve", "--dev", "--tls-cert", "/x"], &["tls_key", "both or neither"]),
        (
            &["serve", "--dev", "--tls-cert", "/x", "--tls-key", "/y", "--http-port", "0"],
            &["tls_cert", "/x"],
        ),
        (
            &["serve", "--dev", "--http-port", &port, "--udp-port", "0", "--tcp-port", "0"],
            &["http_port", &port],
        ),
        (&["serve", "--data-dir", "/proc/nowhere"], &["data_dir", "/proc/nowhere"]),
        (&["config", "--log", "loud"], &["log", "loud", "debug"]),
        (&["serve", "--no-such-flag"], &["--no-such-flag"]),
        (&["dance"], &["dance"]),
        (&[], &["Usage"]),
    ];
    for (args, words) in rows {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        for word in *words {
            assert!(text.contains(word), "{args:?}: {text:?} lacks {word:?}");
        }
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_misspelt_variable_is_bad_configuration() {
    for arguments in [["config"].as_slice(), &["serve", "--dev"]] {
        let output = run_with(arguments, &[("FERMATA_HTTP_PROT", "0")]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("FERMATA_HTTP_PROT") && text.contains("FERMATA_HTTP_PORT"), "{text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let output = run_with(&["config"], &[("FERMATA_ROOMS_MAX", "12")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("From: variable FERMATA_ROOMS_MAX.\nrooms_max = 12\n"), "{text}");
}

#[test]
fn help_version_and_config_are_worth_reading() {
    let help = run(&["serve", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    for key in fermata_server::config::KEYS {
        assert!(help.contains(&format!("--{}", key.flag)), "{}", key.name);
    }
    let version = run(&["--version"]);
    assert_eq!(
        String::from_utf8(version.stdout).unwrap().trim(),
        concat!("fermata ", env!("CARGO_PKG_VERSION"))
    );
    let config = run(&["config", "--http-port", "81"]);
    assert_eq!(config.status.code(), Some(0));
    let config = String::from_utf8(config.stdout).unwrap();
    assert!(config.contains("From: flag --http-port.\nhttp_port = 81\n"), "{config}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("again.toml");
    fs::write(&file, &config).unwrap();
    let again = run(&["config", "--config", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(0), "what it prints is a configuration file: {again:?}");
}

#[test]
fn generated_pages_are_fresh() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide");
    for page in ["configuration", "metrics", "errors"] {
        let made = String::from_utf8(run(&["docs", page]).stdout).unwrap();
        let committed = fs::read_to_string(format!("{root}/{page}.md")).unwrap_or_default();
        assert_eq!(committed, made, "run: fermata docs {page} > docs/guide/{page}.md");
    }
}

#[test]
fn development_mode_is_ready_with_its_credentials_and_ends_with_status_0() {
    let program = Program::serve(&["--dev"]);
    assert_eq!(program.ready["ready"], true);
    assert!(program.ready["http"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(program.ready["udp"].as_str().unwrap().starts_with("127.0.0.1:"));
    let folder = program.ready["data_dir"].as_str().unwrap().to_owned();
    assert!(Path::new(&folder).exists());
    assert_eq!(program.ask("GET /", &[], ""), (200, "OK".to_owned()));
    for token in ["dev-operator", "dev-operator-2"] {
        let bearer = format!("Bearer {token}");
        let (status, body) =
            program.ask("GET /api/v1/apps/1400000001", &[("Authorization", &bearer)], "");
        assert_eq!(status, 200);
        let app: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(app["default_scene"], "live");
    }
    let token = crate::common::dev_token("ann", "r");
    let validate = format!("GET /rtc/validate?access_token={token}");
    assert_eq!(program.ask(&validate, &[], ""), (200, "success".to_owned()));
    assert_eq!(program.ask(&validate, &[("Host", "evil.example")], "").0, 403);
    assert_eq!(program.ask(&validate, &[("Origin", "https://evil.example")], "").0, 403);
    assert_eq!(program.terminate().code(), Some(0));
    assert!(!Path::new(&folder).exists(), "the temporary folder is removed");
}

#[test]
fn the_first_start_shows_a_token_once() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(&folder);
    let program = Program::serve(&["--data-dir", &dir]);
    let token = program.log_line("fmt_").trim().to_owned();
    let bearer = format!("Bearer {token}");
    assert_eq!(program.ask("GET /api/v1/tokens", &[("Authorization", &bearer)], "").0, 200);
    assert_eq!(program.ask("GET /api/v1/tokens", &[DEV], "").0, 401);
    assert!(is_private(Path::new(&dir)) && is_private(&Path::new(&dir).join("fermata.key")));
    assert_eq!(program.terminate().code(), Some(0));

    let program = Program::serve(&["--data-dir", &dir]);
    assert_eq!(program.ask("GET /api/v1/tokens", &[("Authorization", &bearer)], "").0, 200);
    let mut before_serving = String::new();
    while !before_serving.contains("Serving.") {
        before_serving = program.log_line("");
        assert!(!before_serving.contains("fmt_"), "shown a second time");
    }
    let database = fs::read(Path::new(&dir).join("fermata.db")).unwrap();
    assert!(
        !database.windows(token.len()).any(|window| window == token.as_bytes()),
        "only its hash is stored"
    );
}

#[test]
fn development_credentials_are_refused_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(&folder);
    assert_eq!(Program::serve(&["--dev", "--data-dir", &dir]).terminate().code(), Some(0));
    let output = run(&[&["serve", "--data-dir", &dir], &FREE_PORTS[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("devkey") && text.contains("32"), "{text}");
    assert!(!text.contains("secret\""), "{text}");
}

#[test]
fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(&folder);
    let program = Program::serve(&["--dev", "--data-dir", &dir]);
    let (status, body) = program.ask("POST /api/v1/accounts", &[DEV, JSON], r#"{"name": "kept"}"#);
    assert_eq!(status, 201, "{body}");
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
    let off = program.ask("POST /api/v1/apps/1400000001/disable", &[DEV, JSON], "{}");
    assert_eq!(off.0, 200, "{}", off.1);
    program.kill();

    let program = Program::serve(&["--dev", "--data-dir", &dir]);
    assert_eq!(program.ask(&format!("GET /api/v1/accounts/{id}"), &[DEV], "").0, 200);
    let validate =
        format!("GET /rtc/validate?access_token={}", crate::common::dev_token("ann", "r"));
    let (status, text) = program.ask(&validate, &[], "");
    assert_eq!(status, 403, "still disabled: {text}");
}

#[test]
fn one_server_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(&folder);
    let _first = Program::serve(&["--dev", "--data-dir", &dir]);
    let second = run(&[&["serve", "--dev", "--data-dir", &dir], &FREE_PORTS[..]].concat());
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process"), "{second:?}");
}

#[test]
fn backups_are_made_while_serving_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = data_dir(&folder);
    let (copy, key) = (folder.path().join("copy.db"), folder.path().join("copy.key"));
    let (copy, key) = (copy.to_str().unwrap(), key.to_str().unwrap());
    let program = Program::serve(&["--dev", "--data-dir", &dir]);
    let (_, body) = program.ask("POST /api/v1/accounts", &[DEV, JSON], r#"{"name": "before"}"#);
    let before = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();

    let backup = run(&["backup", "--data-dir", &dir, "--to", copy, "--key-to", key]);
    assert_eq!(backup.status.code(), Some(0), "{backup:?}");
    assert_eq!(String::from_utf8_lossy(&backup.stdout).trim(), copy);
    assert_ne!(
        run(&["backup", "--data-dir", &dir, "--to", copy]).status.code(),
        Some(0),
        "never overwritten"
    );
    let check = run(&["check", "--backup", copy]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    assert!(is_private(Path::new(key)));

    let (_, body) = program.ask("POST /api/v1/accounts", &[DEV, JSON], r#"{"name": "after"}"#);
    let after = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
    let restore = run(&["restore", "--data-dir", &dir, "--from", copy]);
    assert_ne!(restore.status.code(), Some(0), "not while serving");
    assert_eq!(program.terminate().code(), Some(0));
    let offline = run(&["backup", "--data-dir", &dir]);
    assert_eq!(offline.status.code(), Some(0), "{offline:?}");
    let restore = run(&["restore", "--data-dir", &dir, "--from", copy]);
    assert_ne!(restore.status.code(), Some(0), "nothing is overwritten");
    let dir = folder.path().join("restored").to_str().unwrap().to_owned();
    let restore = run(&["restore", "--data-dir", &dir, "--from", copy, "--key", key]);
    assert_eq!(restore.status.code(), Some(0), "{restore:?}");
    let check = run(&["check", "--data-dir", &dir]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let verify = run(&["verify", "--data-dir", &dir]);
    assert_eq!(verify.status.code(), Some(0), "{verify:?}");
    assert!(String::from_utf8_lossy(&verify.stdout).ends_with(", 0 disagreements\n"), "{verify:?}");

    let program = Program::serve(&["--dev", "--data-dir", &dir]);
    assert_eq!(program.ask(&format!("GET /api/v1/accounts/{before}"), &[DEV], "").0, 200);
    assert_eq!(program.ask(&format!("GET /api/v1/accounts/{after}"), &[DEV], "").0, 404);
}

/// A certificate of its own authority, written to the files.
fn write_certificate(cert: &Path, key: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(key, made.signing_key.serialize_pem()).unwrap();
    fs::write(cert, made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

/// One request over TLS that trusts this certificate alone.
fn ask_tls(address: &str, trusted: &[u8]) -> Result<(u16, String), String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.to_vec().into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|e| e.to_string())?;
    }
    let stream = rustls::StreamOwned::new(connection, socket);
    Ok(exchange(stream, "localhost", "GET /", &[], ""))
}

#[test]
fn changed_certificates_are_taken_into_use_while_serving() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let first = write_certificate(&cert, &key);
    let (cert_arg, key_arg) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let flags =
        ["--dev", "--tls-cert", cert_arg, "--tls-key", key_arg, "--tls-check-interval", "1"];
    let program = Program::serve(&flags);
    assert!(program.ready["http"].as_str().unwrap().starts_with("https://"));
    assert_eq!(ask_tls(program.address(), &first), Ok((200, "OK".to_owned())));

    fs::write(&cert, "no certificate").unwrap();
    program.log_line("cannot be used");
    assert_eq!(ask_tls(program.address(), &first), Ok((200, "OK".to_owned())), "the old one stays");

    let second = write_certificate(&cert, &key);
    program.log_line("Loaded the changed certificate.");
    assert_eq!(ask_tls(program.address(), &second), Ok((200, "OK".to_owned())));
    assert!(ask_tls(program.address(), &first).is_err());
    assert_eq!(program.terminate().code(), Some(0));
}

#[test]
fn more_connections_than_allowed_are_closed_at_once() {
    use std::io::Read as _;
    let program = Program::serve(&["--dev", "--http-connections-max", "16"]);
    let open = || TcpStream::connect(program.address()).unwrap();
    let held: Vec<_> = (0..16).map(|_| open()).collect();
    let mut one_more = open();
    assert!(matches!(one_more.read(&mut [0; 1]), Ok(0) | Err(_)), "closed without an answer");
    drop(held);
    // Permits come back when the server has seen the ends; until then it closes at once.
    let answered = (0..1_000).any(|_| {
        let mut stream = open();
        let asked = stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.ends_with("OK")
    });
    assert!(answered);
}
