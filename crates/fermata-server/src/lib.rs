//! The `fermata` program: configuration, HTTP edges, operator API, wiring, subcommands.
//!
//! - [`config`]: one table of keys; flags, variables, file and documentation come from it.
//! - [`command`]: a file per subcommand; `serve` says in which order things start and stop.
//! - [`http`]: client paths (`/rtc`, `/usersig/token`), pages, health, metrics.
//! - [`v1`]: the operator API.
//! - [`console`]: signing in of people; who they are and their sessions are in the store.
//! - [`directory`]: what tokens are checked against, in memory.
//! - [`standing`]: holds reach the doors, and what is due happens.
//! - [`outbox`]: notices on their way to people.
//! - [`server_api`]: the vendor's server API. [`twirp`]: `LiveKit`'s. [`agent`]: `LiveKit` Agents workers.
//! - [`events`]: what happens in rooms goes to [`callback`] (to applications), [`monitoring`] and [`agent`].
//!
//! What it is not: it decides nothing about who may enter a room (that is `fermata-sfu`), and keeps no fact
//! that is not in the store.
//!
//! **Invariant:** admission never touches the database. **Invariant:** the environment and the command line
//! are read in [`config`] alone.

pub mod agent;
pub mod callback;
pub mod command;
pub mod config;
pub mod console;
pub mod dev;
pub mod directory;
pub mod events;
pub mod http;
mod kernel;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod monitoring;
pub mod outbox;
pub mod secret;
pub mod server;
pub mod server_api;
pub mod standing;
pub mod tls;
pub mod twirp;
pub mod v1;
