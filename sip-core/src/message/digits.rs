//! Numbers and addresses as text. The formatter of `core` takes ten times as long for what stands in every message.

use alloc::string::String;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A number in decimal digits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decimal {
    /// Below a hundred, as most are: its digits stand in [`PAIRS`].
    Small(u8),
    /// The digits stand at the end, from `start` on.
    Large { digits: [u8; 20], start: u8 },
}

/// The numbers below a hundred, two digits each.
const PAIRS: &str = "\
    0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899\
";

impl Decimal {
    pub(crate) const fn new(mut number: u64) -> Self {
        if number < 100 {
            return Self::Small(number as u8);
        }
        let (mut digits, mut start) = ([b'0'; 20], 20);
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self::Large { digits, start: start as u8 };
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Small(number) => {
                let end = 2 * usize::from(*number) + 2;
                &PAIRS[if *number < 10 { end - 1 } else { end - 2 }..end]
            }
            Self::Large { digits, start } => {
                core::str::from_utf8(&digits[usize::from(*start)..]).unwrap_or_default()
            }
        }
    }
}

/// Appends an address as `SocketAddr` prints it: in brackets if it has colons, and its port.
pub(crate) fn push_socket(out: &mut String, address: &SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            push_ipv4(out, ip);
            out.push(':');
            out.push_str(Decimal::new(address.port().into()).as_str());
        }
        // Writing to a String cannot fail.
        IpAddr::V6(_) => {
            let _ = write!(out, "{address}");
        }
    }
}

/// Appends an address as it prints.
pub(crate) fn push_ip(out: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => push_ipv4(out, ip),
        // Writing to a String cannot fail.
        IpAddr::V6(ip) => {
            let _ = write!(out, "{ip}");
        }
    }
}

/// Appends an IPv4 address.
fn push_ipv4(out: &mut String, ip: Ipv4Addr) {
    for (i, octet) in ip.octets().into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        if octet >= 100 {
            out.push(char::from(b'0' + octet / 100));
        }
        if octet >= 10 {
            out.push(char::from(b'0' + octet / 10 % 10));
        }
        out.push(char::from(b'0' + octet % 10));
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn print_as_the_formatter_prints(number in any::<u64>(), ip in any::<IpAddr>(), port in any::<u16>()) {
            let number = number >> (number & 63);
            let digits = Decimal::new(number);
            prop_assert_eq!(digits.as_str(), number.to_string());
            let address = SocketAddr::new(ip, port);
            let mut text = String::from("at ");
            push_socket(&mut text, &address);
            push_ip(&mut text, ip);
            prop_assert_eq!(text, alloc::format!("at {address}{ip}"));
        }
    }

    #[test]
    fn zero_has_a_digit() {
        assert_eq!(Decimal::new(0).as_str(), "0");
        assert_eq!(Decimal::new(u64::MAX).as_str(), u64::MAX.to_string());
    }
}
