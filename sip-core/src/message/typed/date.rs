//! `Date` (RFC 3261 §20.17): RFC 1123's form, in GMT and nothing else.

use core::fmt;

use super::cursor::Cursor;
use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A second in GMT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Four digits.
    pub year: u16,
    /// 1–12.
    pub month: u8,
    /// 1–31.
    pub day: u8,
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: u8,
    /// 0–60: a leap second is one.
    pub second: u8,
}

impl Date {
    /// Seconds since 1970, negative before it. A leap second counts as the next one.
    pub fn unix_seconds(self) -> i64 {
        let time = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        self.days() * 86_400 + time
    }

    /// From seconds since 1970; `None` outside the years 0 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        let time = seconds.rem_euclid(86_400);
        // Days since 0000-03-01, so that the leap day ends a year (the proleptic Gregorian calendar, in eras of
        // 400 years).
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        if !(0..=9999).contains(&year) {
            return None;
        }
        Some(Self {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            hour: u8::try_from(time / 3600).ok()?,
            minute: u8::try_from(time / 60 % 60).ok()?,
            second: u8::try_from(time % 60).ok()?,
        })
    }

    /// Days since 1970-01-01.
    fn days(self) -> i64 {
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// 0 is Monday. 1970-01-01 was a Thursday.
    fn weekday(self) -> usize {
        (self.days() + 3).rem_euclid(7) as usize
    }

    fn month_length(self) -> u8 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        }
    }
}

impl<'a> TypedHeader<'a> for Date {
    const NAME: HeaderName = HeaderName::Date;

    /// The name of the day is read, but what the date is, the numbers say.
    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        one_of(&mut cursor, &DAYS, "day of the week")?;
        cursor.separator(b',', ",")?;
        let day_at = cursor.offset();
        let day = two_digits(&mut cursor, "day", 31)?;
        cursor.space("white space")?;
        let month = one_of(&mut cursor, &MONTHS, "month")?;
        cursor.space("white space")?;
        let error = cursor.expected("year");
        let year = cursor.take("year", |b| b.is_ascii_digit())?;
        let year = if year.len() == 4 { year.parse().map_err(|_| error)? } else { return Err(error) };
        cursor.space("white space")?;
        let hour = two_digits(&mut cursor, "hour", 23)?;
        colon(&mut cursor)?;
        let minute = two_digits(&mut cursor, "minute", 59)?;
        colon(&mut cursor)?;
        let second = two_digits(&mut cursor, "second", 60)?;
        cursor.space("white space")?;
        let error = cursor.expected("GMT");
        // RFC 4475 §3.1.2.12: any other zone is a fault.
        if !cursor.token("GMT")?.eq_ignore_ascii_case("GMT") {
            return Err(error);
        }
        cursor.end()?;
        let date = Self { year, month: month + 1, day, hour, minute, second };
        if day == 0 || day > date.month_length() {
            return Err(HeaderError::Range { what: "day", offset: day_at });
        }
        Ok(date)
    }
}

fn one_of(cursor: &mut Cursor<'_>, names: &[&str], what: &'static str) -> Result<u8, HeaderError> {
    let error = cursor.expected(what);
    let name = cursor.take(what, |b| b.is_ascii_alphabetic())?;
    // Letters, so that one bit is their case.
    let small = |name: &str| name.as_bytes().first_chunk::<3>().map(|three| three.map(|b| b | 0x20));
    let position = names.iter().position(|n| small(n) == small(name) && name.len() == 3).ok_or(error)?;
    u8::try_from(position).map_err(|_| error)
}

fn two_digits(cursor: &mut Cursor<'_>, what: &'static str, most: u8) -> Result<u8, HeaderError> {
    let offset = cursor.offset();
    let digits = cursor.take(what, |b| b.is_ascii_digit())?;
    match digits.parse() {
        Ok(value) if digits.len() == 2 && value <= most => Ok(value),
        _ => Err(HeaderError::Range { what, offset }),
    }
}

fn colon(cursor: &mut Cursor<'_>) -> Result<(), HeaderError> {
    if cursor.peek() != Some(b':') {
        return Err(cursor.expected(":"));
    }
    cursor.advance(1);
    Ok(())
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weekday = DAYS.get(self.weekday()).copied().unwrap_or_default();
        let month = MONTHS.get(usize::from(self.month.wrapping_sub(1))).copied().unwrap_or_default();
        let mut text = *b"Www, 00 Mmm 0000 00:00:00 GMT";
        let mut put = |at: usize, part: &[u8]| {
            text.iter_mut().skip(at).zip(part).for_each(|(to, from)| *to = *from);
        };
        put(0, weekday.as_bytes());
        put(5, &digits(self.day.into()));
        put(8, month.as_bytes());
        put(12, &digits(self.year / 100));
        put(14, &digits(self.year));
        put(17, &digits(self.hour.into()));
        put(20, &digits(self.minute.into()));
        put(23, &digits(self.second.into()));
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The last two digits of a number.
const fn digits(number: u16) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}
