//! Backups while serving.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use crate::server::Shared;

/// Longest name of a backup, bytes.
const NAME_BYTES_MAX: usize = 64;

/// A backup to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// Its file name in the folder `backups` of the data folder: letters, digits, `.`, `_` and `-`, not
    /// beginning with a dot; if absent, named after the time.
    pub name: Option<String>,
}

/// A backup that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedBackup {
    /// Its path on the server's machine.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// Make a consistent copy of the database on the server's machine
#[utoipa::path(post, path = "/backup", operation_id = "create_backup", tag = "server", request_body = NewBackup,
    responses((status = 201, body = CreatedBackup), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewBackup>,
) -> Result<(StatusCode, Json<CreatedBackup>), ApiError> {
    let name = match new.name {
        Some(name) => checked_name(name)?,
        None => format!("fermata-{}.db", Now::read().wall.strftime("%Y%m%dT%H%M%S%3fZ")),
    };
    let folder = shared.data_dir.join("backups");
    let path = folder.join(name);
    let failed = |error: std::io::Error| {
        tracing::error!(%error, "The folder of backups cannot be used.");
        ApiError::NotWritable
    };
    tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
    if tokio::fs::try_exists(&path).await.map_err(failed)? {
        return Err(ApiError::Exists(format!("There is a file {} already.", path.display())));
    }
    shared.store.backup(&path).await?;
    let bytes = tokio::fs::metadata(&path).await.map_err(failed)?.len();
    tracing::info!(path = %path.display(), bytes, "Made a backup.");
    Ok((StatusCode::CREATED, Json(CreatedBackup { path: path.display().to_string(), bytes })))
}

/// A plain file name that cannot leave the folder.
fn checked_name(name: String) -> Result<String, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.starts_with('.')
        || !name.chars().all(plain)
    {
        return Err(ApiError::Invalid(format!(
            "name: {name:?}; it takes 1 to {NAME_BYTES_MAX} letters, digits, dots, underscores and hyphens, \
             not beginning with a dot"
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        assert!(checked_name("a.db".into()).is_ok());
        for bad in ["", "../a", "a/b", ".hidden", "a\0", "ü"] {
            assert!(checked_name(bad.into()).is_err(), "{bad}");
        }
    }
}
