//! The answers an actor has given lately, to give again.
//!
//! A caller that lost an answer sends its command again under the same `cmdId` and
//! gets the same answer, a refusal included; the command does not run twice.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::answer::{Answer, Reason, Refusal};
use crate::domain::checks;

/// How many answers an actor keeps; older ones are forgotten.
pub const OUTCOMES_MAX: usize = 32;

/// The last answers, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outcomes {
    last: VecDeque<Outcome>,
    #[serde(skip)]
    changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Outcome {
    /// Method and command id: the same id in two methods is two commands.
    command: String,
    answer: Value,
}

impl Outcomes {
    /// The answer that this command was given, if it was not long ago.
    #[must_use]
    pub fn answer<T: DeserializeOwned>(&self, method: &str, cmd_id: &str) -> Option<Answer<T>> {
        let command = name(method, cmd_id);
        let outcome = self.last.iter().find(|outcome| outcome.command == command)?;
        Answer::deserialize(&outcome.answer).ok()
    }

    /// Whether this command was answered not long ago.
    #[must_use]
    pub fn has(&self, method: &str, cmd_id: &str) -> bool {
        let command = name(method, cmd_id);
        self.last.iter().any(|outcome| outcome.command == command)
    }

    /// Keeps the answer of a command, in place of an earlier one.
    fn keep<T: Serialize>(&mut self, method: &str, cmd_id: &str, answer: &Answer<T>) {
        let Ok(answer) = serde_json::to_value(answer) else { return };
        let command = name(method, cmd_id);
        self.last.retain(|outcome| outcome.command != command);
        if self.last.len() == OUTCOMES_MAX {
            self.last.pop_front();
        }
        self.last.push_back(Outcome { command, answer });
        self.changed = true;
    }

    /// Whether there is anything new to store since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The answer of a command that runs unless it has run before.
    ///
    /// What breaks a rule, or asks for what was never there, is refused again without
    /// keeping anything: anybody can send that, and as often as they like.
    pub fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        method: &str,
        cmd_id: &str,
        run: impl FnOnce() -> Result<T, Refusal>,
    ) -> Answer<T> {
        if let Err(refusal) = checks::id("cmdId", cmd_id) {
            return Answer(Err(refusal));
        }
        if let Some(answer) = self.answer(method, cmd_id) {
            return answer;
        }
        let answer = Answer(run());
        let is_kept = match &answer.0 {
            Ok(_) => true,
            Err(refusal) => !matches!(refusal.reason, Reason::Invalid | Reason::NotFound),
        };
        if is_kept {
            self.keep(method, cmd_id, &answer);
        }
        answer
    }
}

fn name(method: &str, cmd_id: &str) -> String {
    format!("{method}:{cmd_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Data {
        n: u32,
    }

    #[test]
    fn a_command_runs_once_and_a_refusal_stays_one() {
        let mut outcomes = Outcomes::default();
        let first = outcomes.once("Add", "c1", || Ok(Data { n: 1 }));
        assert_eq!(outcomes.once("Add", "c1", || Ok(Data { n: 2 })), first);
        assert_eq!(outcomes.once("Clear", "c1", || Ok(Data { n: 3 })), Answer(Ok(Data { n: 3 })));
        let no = outcomes.once::<Data>("Add", "c2", || Err(Refusal::out_of_stock(0)));
        assert_eq!(outcomes.once("Add", "c2", || Ok(Data { n: 4 })), no);
        let before = outcomes.clone();
        let _ = outcomes.once::<Data>("Add", "c3", || Err(Refusal::invalid("count must be 1")));
        let _ = outcomes.once("Add", "not an id", || Ok(Data { n: 5 }));
        assert_eq!(outcomes, before);
    }

    #[test]
    fn only_the_last_answers_are_kept() {
        let mut outcomes = Outcomes::default();
        for n in 0..=u32::try_from(OUTCOMES_MAX).unwrap() {
            outcomes.keep("Add", &n.to_string(), &Answer(Ok(Data { n })));
        }
        assert_eq!(outcomes.answer::<Data>("Add", "0"), None);
        assert_eq!(outcomes.answer("Add", "1"), Some(Answer(Ok(Data { n: 1 }))));
        assert_eq!(outcomes.last.len(), OUTCOMES_MAX);
    }
}
