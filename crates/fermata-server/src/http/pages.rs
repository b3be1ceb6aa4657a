//! The pages inside the program: `/meet`.
//!
//! Hashed assets may be kept for ever; everything else is asked for anew. Paths without a dot fall back to
//! `index.html`, because the page routes itself. Without a built page the server says how to get it.

use std::borrow::Cow;
use std::path::{Component, Path as FilePath, PathBuf};

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use rust_embed::RustEmbed;

use crate::server::Shared;

/// The built page; empty if it was not there when the program was built.
#[derive(RustEmbed)]
#[folder = "../../web/meet/dist"]
#[exclude = ".gitkeep"]
#[exclude = ".vite/*"]
#[allow_missing = true]
struct Meet;

/// Where the page comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// From inside the program.
    Embedded,
    /// From the configured folder.
    Folder,
    /// There is none.
    Absent,
}

impl Presence {
    /// The word for health reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Folder => "folder",
            Self::Absent => "absent",
        }
    }
}

/// Is there a page to serve?
pub fn presence(shared: &Shared) -> Presence {
    match &shared.settings.meet_dir {
        Some(folder) if folder.join("index.html").is_file() => Presence::Folder,
        None if Meet::get("index.html").is_some() => Presence::Embedded,
        Some(_) | None => Presence::Absent,
    }
}

/// `GET /meet`, `GET /meet/`.
pub async fn index(State(shared): State<Shared>) -> Response {
    serve(&shared, "index.html").await
}

/// `GET /meet/{*path}`.
pub async fn asset(State(shared): State<Shared>, Path(path): Path<String>) -> Response {
    serve(&shared, &path).await
}

async fn serve(shared: &Shared, path: &str) -> Response {
    if let Some(bytes) = load(shared, path).await {
        return file(path, bytes);
    }
    if !path.rsplit('/').next().unwrap_or_default().contains('.')
        && let Some(bytes) = load(shared, "index.html").await
    {
        return file("index.html", bytes);
    }
    if presence(shared) == Presence::Absent {
        let page = (StatusCode::NOT_FOUND, Html(ABSENT)).into_response();
        return secured(page, "no-cache");
    }
    (StatusCode::NOT_FOUND, "There is no such file.\n").into_response()
}

async fn load(shared: &Shared, path: &str) -> Option<Cow<'static, [u8]>> {
    let Some(folder) = &shared.settings.meet_dir else {
        return Meet::get(path).map(|file| file.data);
    };
    let inside = FilePath::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let file: PathBuf = inside.then(|| folder.join(path))?;
    tokio::fs::read(file).await.ok().map(Cow::Owned)
}

fn file(path: &str, bytes: Cow<'static, [u8]>) -> Response {
    let hashed = path.starts_with("assets/");
    let caching = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let response = ([(header::CONTENT_TYPE, media_type(path))], bytes.into_owned()).into_response();
    secured(response, caching)
}

/// Media type by ending; what a Vite build puts out.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/wav",
        "webm" => "video/webm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What a page may do: its own scripts and styles, connections to any server the user names (a join link may
/// carry one), camera and microphone for itself, and no frame around it.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'self'; connect-src 'self' http: https: ws: wss:; img-src 'self' data: blob:; media-src 'self' blob: \
         mediastream:; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' \
         blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
];

fn secured(mut response: Response, caching: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    for (name, value) in HEADERS {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    response
}

const ABSENT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Fermata: the page is not built</title>
<h1>The meeting page is not in this program</h1>
<p>Fermata was built without it, which works: clients with an SDK can join as always.</p>
<p>To get the page, run <code>cargo xtask web</code> and build the program again,
or build <code>web/meet</code> with <code>npm ci &amp;&amp; npm run build</code> and start the server with
<code>--meet-dir web/meet/dist</code>.</p>
</html>
";
