//! Who is who: each life of a host's process has a number of its own, and a name.

use std::time::Duration;

use odeon_test_history::{Host, Violation};

/// One life of a host.
#[derive(Debug, Clone)]
pub struct Life {
    /// The host's place in the run.
    pub place: usize,
    /// Its name on the ring.
    pub name: String,
    /// The process.
    pub process: u32,
    /// When it was about to be started, by the machine's clock.
    pub began: Duration,
}

/// All lives so far, in the order of their numbers, which begin at 1.
#[derive(Debug, Clone, Default)]
pub struct Lives(Vec<Life>);

impl Lives {
    /// A life begins.
    pub fn push(&mut self, life: Life) {
        self.0.push(life);
    }

    /// The number of the life that a host was in, or had been in last.
    #[must_use]
    pub fn at(&self, place: usize, at: Duration) -> Host {
        let of_place = || (1..).zip(&self.0).filter(|(_, life)| life.place == place);
        let begun = of_place().filter(|(_, life)| life.began <= at).last();
        // Nobody was there before the first.
        begun.or_else(|| of_place().next()).map(|(number, _)| number).unwrap_or_default()
    }

    /// The number of the latest life of a host.
    #[must_use]
    pub fn last(&self, place: usize) -> Host {
        self.at(place, Duration::MAX)
    }

    /// The place of the host of this name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().find(|life| life.name == name).map(|life| life.place)
    }

    /// Each life with its number, in words.
    pub fn names(&self) -> impl Iterator<Item = (Host, String)> + '_ {
        (1..).zip(&self.0).map(|(number, life)| {
            let earlier = usize::try_from(number - 1).unwrap_or_default();
            let of_place = |one: &&Life| one.place == life.place;
            let count = self.0.iter().take(earlier).filter(of_place).count() + 1;
            let Life { place, name, process, .. } = life;
            (number, format!("{place} (life {count} of {name}, process {process})"))
        })
    }

    /// Says names where a violation speaks of numbers.
    #[must_use]
    pub fn named(&self, mut violation: Violation) -> Violation {
        let mut text = String::new();
        let mut before = "";
        for word in violation.text.split_inclusive(' ') {
            let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = word.split_at(digits);
            let meant = number.parse().ok().filter(|host| violation.hosts.contains(host));
            match meant.filter(|_| before == "host ") {
                Some(host) => {
                    let name = self.names().find(|(number, _)| *number == host);
                    text.push_str(&name.map_or_else(|| number.to_owned(), |(_, name)| name));
                    text.push_str(rest);
                }
                None => text.push_str(word),
            }
            before = word;
        }
        violation.text = text;
        violation
    }
}

#[cfg(test)]
mod tests {
    use odeon_test_history::Promise;

    use super::*;

    fn life(place: usize, process: u32, began: u64) -> Life {
        let name = format!("127.0.0.1:4{place}");
        Life { place, name, process, began: Duration::from_secs(began) }
    }

    #[test]
    fn a_violation_names_the_processes_that_it_speaks_of() {
        let mut lives = Lives::default();
        [life(0, 70, 1), life(1, 71, 2), life(0, 72, 10)]
            .into_iter()
            .for_each(|life| lives.push(life));
        assert_eq!([5, 10, 99].map(|at| lives.at(0, Duration::from_secs(at))), [1, 3, 3]);
        assert_eq!((lives.at(1, Duration::ZERO), lives.last(0)), (2, 3));
        let violation = Violation {
            promise: Promise::O1,
            at: Duration::ZERO,
            text: "actor 3 began call 3 on host 3 while host 1, and host 2".to_owned(),
            hosts: vec![3, 1],
        };
        assert_eq!(
            lives.named(violation).text,
            "actor 3 began call 3 on host 0 (life 2 of 127.0.0.1:40, process 72) while host 0 \
             (life 1 of 127.0.0.1:40, process 70), and host 2"
        );
    }
}
