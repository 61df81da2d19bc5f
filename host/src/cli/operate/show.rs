//! Answers as people read them: tables whose columns are as wide as they need to be.

use std::time::Duration;

use odeon_blocks::host::forms::{
    ActorForm, ActorsForm, EndedForm, ExplainForm, HostForm, HostRow, HostsForm, InspectForm,
    MovedForm, TimerForm,
};
use odeon_blocks::reminder::forms::ListForm;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Question;

/// An answer in words.
pub(super) fn answer(question: &Question, body: &[u8]) -> Result<String, String> {
    Ok(match question {
        Question::Hosts => hosts(&read::<HostsForm>(body)?.hosts),
        Question::Drain { host, .. } => {
            let left = actors_on(&read::<HostForm>(body)?);
            format!(
                "{host} is being drained; {left} actors are in memory there: `odeon hosts` shows how it goes on"
            )
        }
        Question::List { stuck, .. } => actors(&read(body)?, stuck.map(Duration::from_secs)),
        Question::Reminders { .. } => reminders(&read(body)?),
        Question::Inspect(_) => inspect(&read(body)?),
        Question::Explain(_) => explain(&read(body)?),
        Question::Deactivate(_) | Question::Delete(_) => ended(&read(body)?),
        Question::Move { .. } => moved(&read(body)?),
    })
}

/// A refusal in words: the host's own, where it gave some.
pub(super) fn failure(status: u16, text: &str) -> String {
    #[derive(Deserialize)]
    struct Refused {
        message: String,
    }
    match serde_json::from_str::<Refused>(text) {
        Ok(refused) => refused.message,
        Err(_) => format!("the host answered {status}: {}", text.trim()),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        format!("the host's answer cannot be read: {error}; is it of another release?")
    })
}

fn actors_on(host: &HostForm) -> usize {
    host.types.iter().filter(|one| one.placement == "ring").map(|one| one.active).sum()
}

fn hosts(rows: &[HostRow]) -> String {
    let mut table =
        vec![cells(["HOST", "ADDRESS", "APP", "STATE", "LEASE", "ACTORS", "RUNNING", "WAITING"])];
    for row in rows {
        let Some(host) = &row.status else {
            let reason = row.error.as_deref().unwrap_or("no answer");
            table.push(cells([&row.name, "-", "-", &format!("unreachable: {reason}")]));
            continue;
        };
        let state = match (&host.incarnation, host.is_draining, host.is_placement_connected) {
            (None, _, _) => "no lease",
            (_, true, _) if actors_on(host) == 0 => "drained",
            (_, true, _) => "draining",
            (_, _, false) => "live, placement away",
            _ => "live",
        };
        let running: u64 = host.types.iter().map(|one| one.running).sum();
        let waiting: usize = host.types.iter().map(|one| one.waiting).sum();
        let lease = time(host.lease_left_ms);
        let (actors, running, waiting) =
            (actors_on(host).to_string(), running.to_string(), waiting.to_string());
        table.push(cells([
            &row.name,
            &host.address,
            &host.app,
            state,
            &lease,
            &actors,
            &running,
            &waiting,
        ]));
    }
    lines(&table)
}

fn actors(page: &ActorsForm, stuck: Option<Duration>) -> String {
    let mut table =
        vec![cells(["ID", "HOST", "PHASE", "TURN RUNS", "WAITING", "FIRST WAITS", "UNUSED"])];
    let is_shown = |actor: &&ActorForm| {
        stuck.is_none_or(|limit| {
            actor.running_ms.is_some_and(|ms| Duration::from_millis(ms) > limit)
        })
    };
    for actor in page.actors.iter().filter(is_shown) {
        let waiting = actor.waiting.to_string();
        let (runs, waits) = (optional(actor.running_ms), optional(actor.waiting_ms));
        let unused = optional(actor.unused_ms);
        table.push(cells([&actor.id, &actor.host, &actor.phase, &runs, &waiting, &waits, &unused]));
    }
    let mut text = lines(&table);
    if let Some(next) = &page.next {
        text.push_str(&format!("\nThere are more: --after {next}"));
    }
    for missing in &page.missing {
        let reason = missing.error.as_deref().unwrap_or("no answer");
        text.push_str(&format!("\nWithout those of {}: {reason}", missing.name));
    }
    text
}

fn reminders(page: &ListForm) -> String {
    let mut table =
        vec![cells(["ID", "NAME", "NEXT", "PERIOD", "TICK", "DELIVERED", "LOST", "LAST ERROR"])];
    for one in &page.reminders {
        if let Some(reason) = &one.malformed {
            table.push(cells([&one.id, &one.name, &format!("cannot be read: {reason}")]));
            continue;
        }
        let [tick, delivered, lost] = [one.tick, one.delivered, one.lost].map(|n| n.to_string());
        let (period, error) = (said(&one.period), said(one.last_error.as_deref().unwrap_or("")));
        let (id, name, next) = (&one.id, &one.name, &one.next);
        table.push(cells([id, name, next, &period, &tick, &delivered, &lost, &error]));
    }
    let mut text = lines(&table);
    if let Some(next) = &page.next {
        text.push_str(&format!("\nThere are more: --after {next}"));
    }
    text
}

fn said(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn inspect(actor: &InspectForm) -> String {
    let mut text = format!("{}||{} on {}\n", actor.r#type, actor.id, actor.host);
    text.push_str(&activation(actor.activation.as_ref()));
    if !actor.timers.is_empty() {
        text.push_str(&timers(&actor.timers));
        text.push_str("\n\n");
    }
    let mut table = vec![cells(["KEY", "BYTES"])];
    for key in &actor.keys {
        table.push(cells([&key.key, &key.bytes.to_string()]));
    }
    match &actor.keys_error {
        Some(error) => text.push_str(&format!("its keys cannot be shown: {error}")),
        None if actor.keys.is_empty() => text.push_str("it stores nothing"),
        None => text.push_str(&lines(&table)),
    }
    if actor.has_more_keys {
        text.push_str("\nIt has more keys.");
    }
    text
}

fn timers(timers: &[TimerForm]) -> String {
    let mut table = vec![cells(["TIMER", "NEXT IN", "PERIOD", "CALLBACK"])];
    for timer in timers {
        let next = timer.next_ms.map_or_else(|| "fires now".to_owned(), time);
        table.push(cells([&timer.name, &next, &said(&timer.period), &said(&timer.callback)]));
    }
    lines(&table)
}

fn activation(actor: Option<&ActorForm>) -> String {
    let Some(actor) = actor else { return "not in memory\n".to_owned() };
    let mut text = format!("{}, fence {}\n", actor.phase, actor.fence);
    if let Some(ms) = actor.running_ms {
        text.push_str(&format!("{} turn(s) run, the last for {}\n", actor.running, time(ms)));
    }
    if let Some(ms) = actor.waiting_ms {
        text.push_str(&format!("{} call(s) wait, the first for {}\n", actor.waiting, time(ms)));
    }
    if let Some(ms) = actor.unused_ms {
        text.push_str(&format!("unused for {}\n", time(ms)));
    }
    text
}

fn explain(told: &ExplainForm) -> String {
    let owner = match (&told.owner, &told.address, &told.incarnation) {
        (Some(owner), Some(address), Some(incarnation)) => {
            format!("{owner} at {address}, incarnation {incarnation}")
        }
        _ => "nobody".to_owned(),
    };
    let mut text = format!(
        "{}||{} is owned by {owner}\nring position {}; told by {}\ngate there: {}; its lease runs {} more\n",
        told.r#type,
        told.id,
        told.ring_position,
        told.told_by,
        told.gate,
        time(told.lease_left_ms)
    );
    if let Some(pinned_to) = &told.pinned_to {
        text.push_str(&format!("moved to {pinned_to} by an operator: the ring has no say\n"));
    }
    text.push_str(&activation(told.activation.as_ref()));
    let mut table = vec![cells(["TABLE", "OWNER", "HAS LET GO"])];
    for one in &told.tables {
        let is_newest = told.tables.last().is_some_and(|last| last.epoch == one.epoch);
        let has_let_go = match (is_newest, one.has_let_go) {
            (true, _) => "-",
            (false, true) => "yes",
            (false, false) => "not yet",
        };
        table.push(cells([&one.epoch, one.owner.as_deref().unwrap_or("-"), has_let_go]));
    }
    text.push_str(&lines(&table));
    text
}

fn ended(told: &EndedForm) -> String {
    match (told.was_active, told.keys_deleted) {
        (_, Some(keys)) => {
            let reminders = told.reminders_deleted.unwrap_or_default();
            format!("deleted on {}: {keys} key(s), {reminders} reminder(s)", told.host)
        }
        (Some(true), _) => format!("deactivated on {}", told.host),
        _ => format!("it was not in memory on {}, its owner", told.host),
    }
}

fn moved(told: &MovedForm) -> String {
    let MovedForm { r#type, id, from, host, is_pinned, state } = told;
    let stays = if *is_pinned { "; it stays there until it is moved or the host goes" } else { "" };
    match state.as_str() {
        "unchanged" => format!("{type}||{id} is on {host} already{stays}"),
        "moving" => {
            format!("{type}||{id} goes from {from} to {host} once its turn has ended{stays}")
        }
        "moved" => format!("{type}||{id} went from {from} to {host}{stays}"),
        // A later release may know more of them.
        other => format!("{type}||{id} is {other} from {from} to {host}{stays}"),
    }
}

fn optional(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), time)
}

/// A time as people say it: two digits of what matters.
fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// Rows as lines, each column as wide as its widest cell.
fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| column + 1 < row.len());
        cells.map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
