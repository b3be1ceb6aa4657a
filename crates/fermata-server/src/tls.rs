//! HTTPS with certificate files that are taken into use again when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::ConfigError;
use crate::metrics::Metric;
use crate::server::Shared;

/// Chooses aws-lc-rs, which the media plane uses too. A second call does nothing.
pub fn install_provider() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The error of a certificate that cannot be used.
pub fn unusable(cert: &Path, error: &io::Error) -> ConfigError {
    ConfigError::Conflict {
        key: "tls_cert",
        value: cert.display().to_string(),
        problem: format!("the certificate and its key cannot be used ({error})"),
    }
}

/// The files and what is in them.
#[derive(Debug, Clone)]
pub struct Files {
    cert: PathBuf,
    key: PathBuf,
    contents: (Vec<u8>, Vec<u8>),
}

impl Files {
    /// Reads both files.
    ///
    /// # Errors
    /// The file that cannot be read.
    pub async fn read(cert: PathBuf, key: PathBuf) -> io::Result<Self> {
        let contents = read(&cert, &key).await?;
        Ok(Self { cert, key, contents })
    }

    /// A TLS configuration of them.
    ///
    /// # Errors
    /// What cannot be used in them.
    pub async fn config(&self) -> io::Result<RustlsConfig> {
        let (cert, key) = self.contents.clone();
        RustlsConfig::from_pem(cert, key).await
    }

    /// Looks at the files every `every`, for ever, and takes changed ones into use. Ones that cannot be used
    /// (a certificate already exchanged whose key is not yet) are logged and looked at again.
    pub async fn watch(mut self, config: RustlsConfig, every: Duration, shared: Shared) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let result = match read(&self.cert, &self.key).await {
                Ok(contents) if contents == self.contents => continue,
                Ok(contents) => {
                    let (cert, key) = contents.clone();
                    let result = config.reload_from_pem(cert, key).await;
                    if result.is_ok() {
                        self.contents = contents;
                    }
                    result
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => {
                    shared.metrics.add(Metric::TlsReloads, 1);
                    tracing::info!(cert = %self.cert.display(), "Loaded the changed certificate.");
                }
                Err(error) => {
                    shared.metrics.add(Metric::TlsReloadsFailed, 1);
                    let error: Arc<io::Error> = Arc::new(error);
                    tracing::warn!(%error, cert = %self.cert.display(), "The changed certificate cannot be used.");
                }
            }
        }
    }
}

async fn read(cert: &PathBuf, key: &PathBuf) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let named = |path: &PathBuf, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    let cert_bytes = tokio::fs::read(cert).await.map_err(|error| named(cert, error))?;
    let key_bytes = tokio::fs::read(key).await.map_err(|error| named(key, error))?;
    Ok((cert_bytes, key_bytes))
}
