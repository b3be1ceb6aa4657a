//! Reading single values.

use std::net::IpAddr;
use std::str::FromStr;

use lettre::message::Mailbox;
use tracing_subscriber::EnvFilter;

use super::SmtpUrl;
use super::key::Kind;

/// A network: an address and how many leading bits of it count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u32,
}

impl Cidr {
    /// Does `address` belong to this network? An IPv4 address inside IPv6 counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.bits)).unwrap_or(0);
                u32::from(net) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(net), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.bits)).unwrap_or(0);
                u128::from(net) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = IpAddr::from_str(address).map_err(|_| ())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => u32::from_str(bits).map_err(|_| ())?,
            None => bits_max,
        };
        if bits > bits_max { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// A log filter that was found readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// The filter, for the subscriber.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogLevel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
        let readable = text.split(',').all(|part| {
            let level = part.split_once('=').map_or(part, |(_, level)| level);
            LEVELS.contains(&level.trim())
        });
        if readable && EnvFilter::try_new(text).is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(())
        }
    }
}

/// Items of a comma-separated list; empty items are not items.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// What is allowed instead, if `value` is none of it.
pub(super) fn check(kind: Kind, value: &str) -> Option<String> {
    let good = match kind {
        Kind::Switch => value == "true" || value == "false",
        Kind::Port => value.parse::<u16>().is_ok(),
        Kind::Number { min, max } => value.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n)),
        Kind::Address => value.parse::<IpAddr>().is_ok(),
        Kind::Addresses => list(value).all(|item| item.parse::<IpAddr>().is_ok()),
        Kind::Networks => list(value).all(|item| item.parse::<Cidr>().is_ok()),
        Kind::Path => !value.contains('\0'),
        Kind::Host => value.is_empty() || is_host(value),
        Kind::Url => value.is_empty() || is_base_url(value),
        Kind::SmtpUrl => value.is_empty() || value.parse::<SmtpUrl>().is_ok(),
        Kind::Mailbox => value.is_empty() || value.parse::<Mailbox>().is_ok(),
        Kind::LogFilter => value.parse::<LogLevel>().is_ok(),
        Kind::Choice(words) => words.contains(&value),
    };
    if good { None } else { Some(kind.allowed()) }
}

/// Is it an address, or a host name of labels of letters, digits and inner hyphens (RFC 1123 section 2.1)? A last label
/// of digits alone would be read as an address that it is not.
fn is_host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(of_name)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    let number = last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 253 && !number && text.split('.').all(is_label)
}

/// Is it an absolute HTTP URL with a host, and nothing behind the path?
fn is_base_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<axum::http::Uri>() else { return false };
    let scheme = uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
    scheme
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !text.contains('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let rows = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, address, inside) in rows {
            let network: Cidr = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
    }

    #[test]
    fn values_outside_of_what_is_allowed_are_found() {
        let long = "a".repeat(64);
        let rows = [
            (Kind::Port, "65536"),
            (Kind::Port, "-1"),
            (Kind::Number { min: 1, max: 5 }, "6"),
            (Kind::Address, "localhost"),
            (Kind::Addresses, "127.0.0.1,x"),
            (Kind::Networks, "10.0.0.0/33"),
            (Kind::Host, "turn.example.org:3478"),
            (Kind::Host, "turns:turn.example.org"),
            (Kind::Host, "https://turn.example.org"),
            (Kind::Host, "[2001:db8::1]"),
            (Kind::Host, "203.0.113.256"),
            (Kind::Host, "turn..example"),
            (Kind::Host, "-turn.example"),
            (Kind::Host, "turn_1.example"),
            (Kind::Host, "two hosts"),
            (Kind::Host, &long),
            (Kind::Url, "ftp://host"),
            (Kind::Url, "https://host/?x"),
            (Kind::SmtpUrl, "mail.example"),
            (Kind::Mailbox, "nobody"),
            (Kind::LogFilter, "loud"),
            (Kind::Choice(&["a", "b"]), "c"),
            (Kind::Switch, "yes"),
        ];
        for (kind, value) in rows {
            assert_eq!(check(kind, value), Some(kind.allowed()), "{kind:?} {value}");
        }
        for host in ["", "turn.example.org", "localhost", "203.0.113.1", "2001:db8::1", "1.example"]
        {
            assert_eq!(check(Kind::Host, host), None, "{host}");
        }
        assert_eq!(check(Kind::Url, "https://rtc.example.org/base"), None);
        assert_eq!(check(Kind::SmtpUrl, "smtps://a:b@mail.example"), None);
        assert_eq!(check(Kind::Mailbox, "Fermata <notices@example.org>"), None);
        assert_eq!(check(Kind::LogFilter, "warn,fermata_sfu=debug"), None);
    }
}
