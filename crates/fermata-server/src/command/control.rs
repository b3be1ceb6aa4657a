//! The control socket: the operator API for whoever may open a socket in the data folder.
//!
//! Only the owner of the data folder may, who could read and write everything in it anyway. It lets
//! `fermata backup` ask the running server without a token.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;

use crate::http::control_router;
use crate::server::Shared;

/// Name of the socket in the data folder.
const SOCKET: &str = "control.sock";

/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Longest time to wait for a backup.
const ANSWER_TIME_MAX: Duration = Duration::from_hours(1);

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}

/// Opens the socket. The data folder is locked by this process, so an old socket is a dead one.
///
/// # Errors
/// Whatever the system says, such as a path too long for a socket.
pub(super) fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let path = path(data_dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket, for ever.
pub(super) async fn serve(listener: UnixListener, shared: Shared) {
    if let Err(error) = axum::serve(listener, control_router(&shared)).await {
        tracing::warn!(%error, "The control socket ended.");
    }
}

/// Takes the socket away at the end.
pub(super) fn remove(data_dir: &Path) {
    let _ = std::fs::remove_file(path(data_dir));
}

/// Asks the server that runs on this data folder; `None` if none does. Answers status and body.
///
/// # Errors
/// Whatever the system says.
pub(super) fn post(data_dir: &Path, target: &str, body: &str) -> io::Result<Option<(u16, String)>> {
    let mut stream = match UnixStream::connect(path(data_dir)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    write!(
        stream,
        "POST {target} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let malformed = || io::Error::other("the server's answer cannot be read");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
    Ok(Some((status, body.to_owned())))
}
