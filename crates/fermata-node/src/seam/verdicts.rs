//! Verdicts: may this application's people enter. One machine: told to the node directly.

use std::future::Future;

use fermata_sfu::io::Verdict;
use fermata_types::SdkAppId;

use crate::handle::{NodeHandle, NodeStopped};

/// Takes verdicts to where admission is decided. A higher epoch wins, so repetition is harmless.
pub trait Verdicts: Send + Sync + std::fmt::Debug {
    /// Tells one; it is in force for every join asked for after this returns.
    fn tell(
        &self,
        app: SdkAppId,
        verdict: Verdict,
    ) -> impl Future<Output = Result<(), NodeStopped>> + Send;
}

impl Verdicts for NodeHandle {
    async fn tell(&self, app: SdkAppId, verdict: Verdict) -> Result<(), NodeStopped> {
        self.set_verdict(app, verdict).await
    }
}
