//! What can be wrong with a configuration.

/// A configuration that cannot be used. The program ends with status 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value is not one of those allowed.
    #[error("{key} = {value:?} ({source_text}) is not allowed: {key} takes {allowed}")]
    Value {
        /// The key, as in the file.
        key: &'static str,
        /// The value as given.
        value: String,
        /// Where it was given: a flag, a variable, a file, or the default.
        source_text: String,
        /// What may stand there.
        allowed: String,
    },
    /// The file has a key that does not exist.
    #[error("{file}: there is no key {key:?}; the keys are: {known}")]
    Unknown {
        /// Path of the file.
        file: String,
        /// The key as given.
        key: String,
        /// All keys.
        known: String,
    },
    /// The environment has a variable of ours that no key has.
    #[error(
        "{variable}: there is no such variable; did you mean {nearest}? `fermata config` prints them all"
    )]
    UnknownVariable {
        /// The variable as given.
        variable: String,
        /// The nearest of those that exist.
        nearest: String,
    },
    /// The file cannot be read, or it is not TOML.
    #[error(
        "config = {file:?} is not allowed: it takes the path of a readable TOML file ({problem})"
    )]
    File {
        /// Path of the file.
        file: String,
        /// What went wrong.
        problem: String,
    },
    /// Two values do not go together.
    #[error("{key} = {value:?} is not allowed here: {problem}")]
    Conflict {
        /// The key that should change.
        key: &'static str,
        /// Its value.
        value: String,
        /// With what it conflicts, and what is allowed.
        problem: String,
    },
}
