//! An address, or all that begin alike: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// So many bits of an address, whatever the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is one of these. One of IPv4 that is written as IPv6 is the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (address, of) = (address.to_canonical(), self.address);
        address.is_ipv4() == of.is_ipv4() && (bits(address) ^ bits(of)).leading_zeros() >= u32::from(self.bits)
    }
}

/// The bits of an address from the left, followed by zeros.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither an address nor a network such as 10.0.0.0/8 or fd00::/8");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match length {
            Some(length) => length.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(wrong)?,
            None => bits_max,
        };
        // As addresses are compared: one of IPv4 that is written as IPv6 has 96 bits before its own.
        match address.to_canonical() {
            address @ IpAddr::V4(_) if bits_max == 128 => {
                Ok(Self { address, bits: bits.checked_sub(96).ok_or_else(wrong)? })
            }
            address => Ok(Self { address, bits }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_alike() {
        let has = |network: &str, address: &str| {
            network.parse::<Network>().expect("a network").contains(address.parse().expect("an address"))
        };
        for (network, address) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.7", "::ffff:10.0.0.7"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
            ("::ffff:10.0.0.0/104", "10.255.0.1"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("fd00::/8", "fdff::1"),
            ("::1", "::1"),
            ("10.1.2.3/31", "10.1.2.2"),
        ] {
            assert!(has(network, address), "{address} is not in {network}");
        }
        for (network, address) in [
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.7", "10.0.0.8"),
            ("::ffff:10.0.0.0/104", "11.0.0.1"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "10.0.0.1"),
            ("fd00::/8", "fe00::1"),
        ] {
            assert!(!has(network, address), "{address} is in {network}");
        }
        for wrong in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "fd00::/129",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "::ffff:0.0.0.0/95",
        ] {
            let error = wrong.parse::<Network>().expect_err(wrong);
            assert!(error.contains(wrong), "{error}");
        }
        assert_eq!("10.0.0.7".parse::<Network>().map(String::from).as_deref(), Ok("10.0.0.7/32"));
    }
}
