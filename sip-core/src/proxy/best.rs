//! The best of several final responses (§16.7 step 6).

use crate::message::Response;

/// How one branch ended.
#[derive(Clone, Debug)]
pub(super) enum Final {
    /// With this response.
    Far(Response),
    /// Without one; this is the status we give it.
    Local(u16),
}

impl Final {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Far(response) => response.status(),
            Self::Local(status) => *status,
        }
    }

    /// Lower is better.
    fn rank(&self) -> (u16, u8) {
        let status = self.status();
        let class = match status {
            600.. => 0,
            _ => status / 100,
        };
        let within = match status {
            // "SHOULD choose ... responses that provide information affecting resubmission of this request"
            401 | 407 | 415 | 420 | 484 => 0,
            // What says least about the callee.
            408 | 503 => 3,
            _ if matches!(self, Self::Local(_)) => 2,
            _ => 1,
        };
        (class, within)
    }
}

/// The best, and of equals the first.
pub(super) fn best<'f>(finals: impl Iterator<Item = &'f Final>) -> Option<&'f Final> {
    finals.min_by_key(|one| one.rank())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        const TABLE: &[(&[u16], u16)] = &[
            (&[486], 486),
            (&[404, 603], 603),
            (&[500, 404], 404),
            (&[486, 302], 302),
            (&[486, 407], 407),
            (&[408, 486], 486),
            (&[503, 500], 500),
            (&[480, 486], 480),
            (&[], 0),
        ];
        for (statuses, expected) in TABLE {
            let finals: alloc::vec::Vec<Final> = statuses.iter().map(|s| Final::Local(*s)).collect();
            assert_eq!(best(finals.iter()).map_or(0, Final::status), *expected, "{statuses:?}");
        }
    }
}
