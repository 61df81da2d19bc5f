//! How long changes of a namespace wait to be taken together.
//!
//! Two hundred hosts that start within a second shall make a dozen tables, not two
//! hundred; a crash shall not wait for them. It knows times, not what changes.

use std::time::Duration;

use crate::config::Config;

/// Changes that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    first: Duration,
    last: Duration,
    /// The first incarnation's end among them.
    expiry: Option<Duration>,
}

impl Window {
    /// A window that opens with a change.
    pub(crate) fn open(now: Duration) -> Self {
        Self { first: now, last: now, expiry: None }
    }

    /// One more change.
    pub(crate) fn touch(&mut self, now: Duration) {
        self.last = now;
    }

    /// Somebody is gone whom a table names.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.expiry.get_or_insert(now);
    }

    /// When the tables are to be made.
    pub(crate) fn due(&self, config: &Config) -> Duration {
        let quiet = self.last + config.window;
        let patient = self.first + config.window_max;
        let expiry = self.expiry.map_or(Duration::MAX, |at| at + config.expiry_window);
        quiet.min(patient).min(expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_more_but_not_for_ever_and_hardly_for_an_expiry() {
        let config = Config::default();
        let ms = Duration::from_millis;
        for (touches, expiry, due) in [
            (vec![], None, 150),
            (vec![140], None, 190),
            (vec![140, 180, 220], None, 270),
            (vec![140, 590], None, 600),
            (vec![140], Some(145), 190),
            (vec![140, 180, 220], Some(145), 195),
        ] {
            let mut window = Window::open(ms(100));
            touches.iter().for_each(|at| window.touch(ms(*at)));
            if let Some(at) = expiry {
                window.expire(ms(at));
                window.expire(ms(at + 30));
            }
            assert_eq!(window.due(&config), ms(due), "{touches:?} {expiry:?}");
        }
    }
}
