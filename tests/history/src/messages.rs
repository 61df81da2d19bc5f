//! What turns send out with their commits: each message comes at least once, to whom it was
//! sent, after those that its sender sent before it. And what an application says of its books.
//!
//! A message that comes again does not count: only when it first came.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Actor, Event, What};
use crate::{Promise, Violation};

/// A message: from whom to whom, how many its sender sent before, and whether it came.
#[derive(Debug)]
struct Message {
    from: Actor,
    to: Actor,
    place: usize,
    has_come: bool,
}

/// Who sends: how many it sent, and how many of them have come.
#[derive(Debug, Default)]
struct Sender {
    sent: usize,
    come: usize,
}

#[derive(Debug, Default)]
struct Messages<'a> {
    /// By receiver and id: ids of messages to different actors may be equal.
    all: BTreeMap<(Actor, &'a str), Message>,
    senders: BTreeMap<Actor, Sender>,
    violations: Vec<Violation>,
}

pub(crate) fn check(events: &[Event]) -> Vec<Violation> {
    let mut messages = Messages::default();
    for Event { at, what } in events {
        match what {
            What::Sent { message, from, to } => messages.sent(message, *from, *to),
            What::Received { message, by } => messages.received(*at, message, *by),
            What::Unsound { why } => messages.broken(Promise::BooksClose, *at, why.clone()),
            // Nothing comes any more after the last look at the calendar.
            What::Calendar { .. } => messages.all_came(*at),
            _ => {}
        }
    }
    messages.violations
}

impl<'a> Messages<'a> {
    fn sent(&mut self, id: &'a str, from: Actor, to: Actor) {
        let sender = self.senders.entry(from).or_default();
        let message = Message { from, to, place: sender.sent, has_come: false };
        // One of the same id to the same actor is taken for a repeat, and need not come.
        if let std::collections::btree_map::Entry::Vacant(free) = self.all.entry((to, id)) {
            free.insert(message);
            sender.sent += 1;
        }
    }

    fn received(&mut self, at: Duration, id: &'a str, by: Actor) {
        let Some(message) = self.all.get_mut(&(by, id)) else {
            let text = format!("{by} received {id}, which nobody had sent to it");
            return self.broken(Promise::Delivered, at, text);
        };
        if std::mem::replace(&mut message.has_come, true) {
            return;
        }
        let (from, place) = (message.from, message.place);
        let sender = self.senders.entry(from).or_default();
        let expected = sender.come;
        sender.come = sender.come.max(place + 1);
        if place > expected {
            let text = format!(
                "{by} received {id}, the {place}. of {from}, but the {expected}. has not come"
            );
            self.broken(Promise::SentInOrder, at, text);
        }
    }

    fn all_came(&mut self, at: Duration) {
        let lost = self.all.iter().filter(|(_, message)| !message.has_come);
        let lost: Vec<String> = lost
            .map(|((_, id), message)| {
                format!("{id}, which {} sent to {}, never came", message.from, message.to)
            })
            .collect();
        for text in lost {
            self.broken(Promise::Delivered, at, text);
        }
    }

    fn broken(&mut self, promise: Promise, at: Duration, text: String) {
        self.violations.push(Violation { promise, at, text, hosts: Vec::new() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &str, from: Actor, to: Actor) -> What {
        What::Sent { message: message.to_owned(), from, to }
    }

    fn received(message: &str, by: Actor) -> What {
        What::Received { message: message.to_owned(), by }
    }

    #[track_caller]
    fn assert_broken(whats: Vec<What>, broken: &[Promise]) {
        let end = What::Calendar { now: Duration::ZERO };
        let whats = whats.into_iter().chain([end]);
        let events: Vec<Event> = whats.map(|what| Event { at: Duration::ZERO, what }).collect();
        let found: Vec<_> = check(&events).into_iter().map(|one| one.promise).collect();
        assert_eq!(found, broken);
    }

    #[test]
    fn messages_come_in_the_order_of_their_sender_and_may_come_again() {
        let whats = vec![
            sent("a", 1, 7),
            sent("b", 1, 8),
            sent("a", 2, 8),
            received("a", 8),
            received("a", 7),
            received("a", 7),
            received("b", 8),
            received("a", 7),
        ];
        assert_broken(whats, &[]);
    }

    #[test]
    fn a_message_that_never_comes_is_found() {
        assert_broken(vec![sent("a", 1, 7)], &[Promise::Delivered]);
    }

    #[test]
    fn a_message_to_somebody_else_or_of_nobody_is_found() {
        let whats = vec![sent("a", 1, 7), received("a", 7), received("a", 8)];
        assert_broken(whats, &[Promise::Delivered]);
        assert_broken(vec![received("b", 7)], &[Promise::Delivered]);
    }

    #[test]
    fn a_message_that_overtakes_is_found() {
        let whats = vec![sent("a", 1, 7), sent("b", 1, 7), received("b", 7), received("a", 7)];
        assert_broken(whats, &[Promise::SentInOrder]);
    }

    #[test]
    fn books_that_do_not_close_are_told() {
        let whats = vec![What::Unsound { why: "11 were sold of 10".to_owned() }];
        assert_broken(whats, &[Promise::BooksClose]);
    }
}
