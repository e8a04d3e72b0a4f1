//! When a certificate is valid (RFC 5280 §4.1.2.5): what it says, for an operator to read. Who is shown it judges for itself.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::identity::{element, elements};

/// [0] EXPLICIT: the version, which may not be there.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last moment of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    begin: Moment,
    end: Moment,
}

/// Year, month, day, hour, minute, second, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment([u16; 6]);

impl Validity {
    /// Reads it from a certificate whose structure was checked before.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = element(certificate)?;
        let (_, body, _) = element(certificate)?;
        // Serial number, signature algorithm, issuer.
        let (_, validity) = elements(body).skip_while(|(tag, _)| *tag == VERSION).nth(3)?;
        let mut moments = elements(validity);
        let mut next = || moments.next().and_then(|(tag, text)| Moment::read(tag, text));
        Some(Self { begin: next()?, end: next()? })
    }

    /// Whether it is valid then.
    pub fn has(&self, now: SystemTime) -> bool {
        let now = Moment::at(now);
        self.begin <= now && now <= self.end
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "valid from {} to {}", self.begin, self.end)
    }
}

impl Moment {
    fn read(tag: u8, text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let number = |text: &str| text.parse::<u16>().ok();
        let (year, rest) = match tag {
            // "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY".
            UTC_TIME => {
                let year = number(text.get(..2)?)?;
                (if year >= 50 { 1900 + year } else { 2000 + year }, text.get(2..)?)
            }
            GENERALIZED_TIME => (number(text.get(..4)?)?, text.get(4..)?),
            _ => return None,
        };
        let mut parts = [year, 0, 0, 0, 0, 0];
        for (index, part) in parts[1..].iter_mut().enumerate() {
            *part = number(rest.get(2 * index..2 * index + 2)?)?;
        }
        Some(Self(parts))
    }

    fn at(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let mut year = 1970;
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let mut month = 0;
        for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            month += 1;
            if days < length {
                break;
            }
            days -= length;
        }
        let parts = [year, month, days + 1, of_day / 3600, of_day / 60 % 60, of_day % 60];
        Self(parts.map(|part| part as u16))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([year, month, day, ..]) = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments() {
        let at = |seconds| Moment::at(UNIX_EPOCH + Duration::from_secs(seconds)).0;
        // As `date -u -d @SECONDS` says.
        assert_eq!(at(0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(at(951_827_696), [2000, 2, 29, 12, 34, 56]);
        assert_eq!(at(1_735_689_599), [2024, 12, 31, 23, 59, 59]);
        assert_eq!(at(1_735_689_600), [2025, 1, 1, 0, 0, 0]);
        assert_eq!(at(4_107_542_400), [2100, 3, 1, 0, 0, 0]);
    }

    #[test]
    fn rfc5280_4_1_2_5_both_forms_of_time() {
        let read = |tag, text: &str| Moment::read(tag, text.as_bytes()).map(|moment| moment.0);
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some([2049, 12, 31, 23, 59, 59]));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some([1950, 1, 1, 0, 0, 0]));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z"), Some([2050, 1, 1, 0, 0, 0]));
        for text in ["", "Z", "4912312359Z", "491231235959", "4912312359xxZ"] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn of_a_certificate() {
        let mut params = rcgen::CertificateParams::new(vec!["example.com".into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 2, 3);
        params.not_after = rcgen::date_time_ymd(2055, 4, 5);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(made.der()).unwrap();
        assert_eq!(validity.to_string(), "valid from 2020-02-03 to 2055-04-05");
        assert!(validity.has(SystemTime::now()));
        assert!(!validity.has(UNIX_EPOCH));
        assert!(!validity.has(SystemTime::now() + Duration::from_secs(100 * 366 * 86_400)));
    }
}
