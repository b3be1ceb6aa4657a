//! Where values come from: a flag wins over a variable, that over the file, that over the default.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};

use super::{ConfigError, KEYS, Key, Kind, value};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Variable,
    /// The configuration file at this path.
    File(String),
    /// The table.
    Default,
}

impl Source {
    /// For people: `flag --http-port`, `variable FERMATA_HTTP_PORT`, `file /etc/...`, `default`.
    pub fn describe(&self, key: &Key) -> String {
        match self {
            Self::Flag => format!("flag --{}", key.flag),
            Self::Variable => format!("variable {}", key.variable()),
            Self::File(path) => format!("file {path}"),
            Self::Default => "default".to_owned(),
        }
    }
}

/// The value that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Text of the value, allowed by the key's kind.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// All keys with the values that count.
#[derive(Debug, Clone)]
pub struct Layers {
    values: BTreeMap<&'static str, Effective>,
}

impl Layers {
    /// The flags of every key, for the command line.
    pub fn args() -> Vec<Arg> {
        let mut args = vec![
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .global(true)
                .help("Configuration file (TOML); the variable FERMATA_CONFIG does the same. Default: none"),
        ];
        for key in KEYS {
            let mut help = key.effect.to_owned();
            let default = match (key.default, key.default_dev) {
                ("", None | Some("")) => String::new(),
                (default, None | Some("")) => format!(" [default: {default}]"),
                (default, Some(dev)) => format!(" [default: {default}; with --dev: {dev}]"),
            };
            help.push_str(&default);
            if !key.unit.is_empty() {
                help.push_str(" [unit: ");
                help.push_str(key.unit);
                help.push(']');
            }
            let arg = Arg::new(key.name)
                .long(key.flag)
                .value_name(value_name(key.kind))
                .help(help)
                .global(true)
                .action(ArgAction::Set)
                .allow_hyphen_values(matches!(key.kind, Kind::Number { .. } | Kind::Port));
            args.push(match key.kind {
                Kind::Switch => {
                    arg.num_args(0..=1).require_equals(true).default_missing_value("true")
                }
                _ => arg,
            });
        }
        args
    }

    /// Reads all layers: flags from `matches`, variables from the environment, the file that either names.
    ///
    /// # Errors
    /// [`ConfigError`] for a value outside of what its key takes, an unknown key or variable, an unreadable
    /// file.
    pub fn read(matches: &ArgMatches) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .filter(|(name, _)| name.starts_with("FERMATA_"))
            .collect();
        let flags = KEYS
            .iter()
            .filter_map(|key| {
                Some((key.name, matches.try_get_one::<String>(key.name).ok()??.clone()))
            })
            .collect();
        let config = matches.try_get_one::<String>("config").ok().flatten().cloned();
        Self::merge(&flags, config, &variables)
    }

    /// Merges the layers. `variables` are those that begin with `FERMATA_`, by their whole name.
    ///
    /// # Errors
    /// As [`Layers::read`].
    pub fn merge(
        flags: &BTreeMap<&'static str, String>,
        config: Option<String>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        super::variables::check(variables)?;
        let config =
            config.or_else(|| variables.get("FERMATA_CONFIG").filter(|p| !p.is_empty()).cloned());
        let file = match &config {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let find = |key: &Key| {
            if let Some(value) = flags.get(key.name) {
                return Some((value.clone(), Source::Flag));
            }
            if let Some(value) = variables.get(&key.variable()) {
                return Some((value.clone(), Source::Variable));
            }
            let value = file.get(key.name)?;
            Some((value.clone(), Source::File(config.clone().unwrap_or_default())))
        };
        let dev = super::key("dev").and_then(find).is_some_and(|(value, _)| value == "true");
        let mut values = BTreeMap::new();
        for key in KEYS {
            let (value, source) =
                find(key).unwrap_or_else(|| (key.default_in(dev).to_owned(), Source::Default));
            if let Some(allowed) = value::check(key.kind, &value) {
                let source_text = source.describe(key);
                let value = key.kind.shown(&value);
                return Err(ConfigError::Value { key: key.name, value, source_text, allowed });
            }
            values.insert(key.name, Effective { value, source });
        }
        Ok(Self { values })
    }

    /// The value of a key; empty for a name that is no key.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |effective| effective.value.as_str())
    }

    /// All keys with their values, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &Effective)> {
        KEYS.iter().filter_map(|key| Some((key, self.values.get(key.name)?)))
    }
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Switch => "true|false",
        Kind::Port => "PORT",
        Kind::Number { .. } => "N",
        Kind::Address => "ADDRESS",
        Kind::Addresses | Kind::Networks => "LIST",
        Kind::Path => "PATH",
        Kind::Host => "HOST",
        Kind::Url | Kind::SmtpUrl => "URL",
        Kind::Mailbox => "MAILBOX",
        Kind::LogFilter => "FILTER",
        Kind::Choice(_) => "WORD",
    }
}

/// A value of the wrong type, for the message.
fn describe(item: &toml::Value) -> String {
    match item {
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Datetime(moment) => moment.to_string(),
        toml::Value::Array(_) => "[...]".to_owned(),
        toml::Value::Table(_) => "{...}".to_owned(),
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(on) => on.to_string(),
    }
}

/// Reads a file of `key = value` lines. Lists may be TOML arrays of strings.
fn read_file(path: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let error = |problem: String| ConfigError::File { file: path.to_owned(), problem };
    let text = std::fs::read_to_string(Path::new(path)).map_err(|e| error(e.to_string()))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|e| error(e.to_string().trim().to_owned()))?;
    let mut values = BTreeMap::new();
    for (name, item) in table {
        let Some(key) = super::key(&name) else {
            let known = KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
            return Err(ConfigError::Unknown { file: path.to_owned(), key: name, known });
        };
        let list = matches!(key.kind, Kind::Addresses | Kind::Networks);
        let text = match &item {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Boolean(on) => Some(on.to_string()),
            toml::Value::Array(items) if list => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(",")),
            _ => None,
        };
        let Some(text) = text else {
            return Err(ConfigError::Value {
                key: key.name,
                value: describe(&item),
                source_text: Source::File(path.to_owned()).describe(key),
                allowed: key.kind.allowed(),
            });
        };
        values.insert(name, text);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn merge(
        flags: &[(&'static str, &str)],
        file: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Layers, String> {
        let mut handle = tempfile::NamedTempFile::new().unwrap();
        handle.write_all(file.unwrap_or_default().as_bytes()).unwrap();
        let path = file.map(|_| handle.path().to_str().unwrap().to_owned());
        Layers::merge(
            &flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(),
            path,
            &variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        )
        .map_err(|e| e.to_string())
    }

    #[test]
    fn flag_beats_variable_beats_file_beats_default() {
        let file = Some(
            "http_port = 3\nudp_port = 3\nlog = \"warn\"\nadvertised_addresses = [\"192.0.2.1\", \"::1\"]",
        );
        let variables = [("FERMATA_HTTP_PORT", "2"), ("FERMATA_UDP_PORT", "2")];
        let layers = merge(&[("http_port", "1")], file, &variables).unwrap();
        assert_eq!(layers.get("http_port"), "1");
        assert_eq!(layers.get("udp_port"), "2");
        assert_eq!(layers.get("log"), "warn");
        assert_eq!(layers.get("advertised_addresses"), "192.0.2.1,::1");
        assert_eq!(layers.get("shutdown_timeout"), "10");
    }

    #[test]
    fn errors_name_key_value_and_what_is_allowed() {
        let check = |error: Result<Layers, String>, words: &[&str]| {
            let text = error.unwrap_err();
            for word in words {
                assert!(text.contains(word), "{text:?} lacks {word:?}");
            }
        };
        check(
            merge(&[("http_port", "x")], None, &[]),
            &["http_port", "\"x\"", "--http-port", "0 to 65535"],
        );
        check(
            merge(&[], None, &[("FERMATA_DEV", "1")]),
            &["dev", "\"1\"", "FERMATA_DEV", "true or false"],
        );
        check(merge(&[], Some("http_prot = 1"), &[]), &["http_prot", "http_port"]);
        check(
            merge(&[], None, &[("FERMATA_HTTP_PROT", "1")]),
            &["FERMATA_HTTP_PROT", "FERMATA_HTTP_PORT"],
        );
        check(merge(&[], Some("http_port = ["), &[]), &["config", "TOML"]);
        check(merge(&[], Some("http_port = 1.5"), &[]), &["http_port", "1.5", "0 to 65535"]);
        check(
            Layers::merge(&BTreeMap::new(), Some("/nonexistent/x.toml".into()), &BTreeMap::new())
                .map_err(|e| e.to_string()),
            &["/nonexistent/x.toml"],
        );
    }

    #[test]
    fn an_error_does_not_show_a_password() {
        let error = merge(&[("smtp_url", "smtps://ann:hush@")], None, &[]).unwrap_err();
        assert!(error.starts_with("smtp_url = ") && !error.contains("hush"), "{error}");
        let layers = merge(&[("smtp_url", "smtps://ann:hush@mail.example")], None, &[]).unwrap();
        let table = super::super::table(&layers);
        assert!(table.contains("smtps://ann:***@mail.example") && !table.contains("hush"));
    }

    #[test]
    fn development_mode_changes_defaults_only() {
        let layers = merge(&[("dev", "true")], None, &[]).unwrap();
        assert_eq!(layers.get("data_dir"), "");
        assert_eq!(layers.get("udp_address"), "127.0.0.1");
        let layers = merge(&[("dev", "true"), ("data_dir", "/x")], None, &[]).unwrap();
        assert_eq!(layers.get("data_dir"), "/x");
    }
}
