//! Events of rooms on their way from the media node to those who watch, in the order in which they happened.

use fermata_node::NodeEvent;
use tokio::sync::mpsc::Receiver;

use crate::server::Shared;
use crate::{agent, callback, monitoring};

/// Hands events on until the node is gone; what still comes while the server stops is handed on too.
pub async fn run(shared: Shared, mut events: Receiver<NodeEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            NodeEvent::Room(event) => {
                callback::on_event(&shared, &event);
                monitoring::on_event(&shared, &event);
                agent::on_event(&shared, &event);
            }
            NodeEvent::Samples(samples) => monitoring::on_samples(&shared, samples),
        }
    }
}
