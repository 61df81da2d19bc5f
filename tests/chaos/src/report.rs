//! A run as a table for people, and as a picture of its course.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use odeon_test_history::Effect;

use crate::load::{Call, Fate};
use crate::run::Outcome;

/// Size of the picture, in its own units.
const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const BASE: f64 = 250.0;

/// The value below which this part of the sorted times lies.
#[must_use]
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    if sorted.is_empty() {
        return Duration::ZERO;
    }
    let last = sorted.len() - 1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list"
    )]
    let place = (last as f64 * part).round() as usize;
    sorted[place.min(last)]
}

fn times<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Duration> {
    let mut times: Vec<_> = calls.map(|call| call.ended.saturating_sub(call.began)).collect();
    times.sort();
    times
}

/// The run in words and numbers.
#[must_use]
pub fn text(outcome: &Outcome) -> String {
    let count = |is: fn(&Fate) -> bool| outcome.calls.iter().filter(|call| is(&call.fate)).count();
    let answered = count(Fate::is_answer);
    let none = count(|fate| matches!(fate, Fate::Failed(Effect::None, _)));
    let perhaps = count(|fate| matches!(fate, Fate::Failed(Effect::Maybe | Effect::Done, _)));
    let left = count(|fate| matches!(fate, Fate::HungUp));
    let all = times(outcome.calls.iter().filter(|call| call.fate != Fate::HungUp));
    let mut text = format!(
        "{:.0} s: {} calls, {answered} answered, {none} certainly not begun, {perhaps} of unknown outcome, {left} left by their callers; p50 {:?}, p99 {:?}\n",
        outcome.length.as_secs_f64(),
        outcome.calls.len(),
        quantile(&all, 0.5),
        quantile(&all, 0.99),
    );
    text.push_str("from s    to s   concerned  without service  p99 of all others  what\n");
    for trouble in &outcome.troubles {
        let others = outcome.calls.iter().filter(|call| {
            !trouble.concerned.contains(&call.actor)
                && trouble.began <= call.ended
                && call.began <= trouble.ended
        });
        let silence = trouble
            .silence
            .map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()));
        let _ = writeln!(
            text,
            "{:>6.1}  {:>6.1}  {:>9}  {silence:>15}  {:>17}  {}",
            trouble.began.as_secs_f64(),
            trouble.ended.as_secs_f64(),
            trouble.concerned.len(),
            format!("{:.0?}", quantile(&times(others), 0.99)),
            trouble.name,
        );
    }
    for (what, times) in silences(outcome) {
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        let _ = writeln!(
            text,
            "{} x {what}: without service p50 {} ms, p99 {} ms",
            times.len(),
            p50.as_millis(),
            p99.as_millis()
        );
    }
    for violation in outcome.violations.iter().take(20) {
        let _ = writeln!(text, "BROKEN {violation}");
    }
    if let Some(path) = &outcome.kept {
        let _ = writeln!(text, "what happened is in {}", path.display());
    }
    let _ = write!(text, "{} promises broken", outcome.violations.len());
    text
}

/// The times without service, sorted, by what was done, whichever host it was done to.
fn silences(outcome: &Outcome) -> BTreeMap<String, Vec<Duration>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for trouble in &outcome.troubles {
        let Some(silence) = trouble.silence else { continue };
        let host = trouble.victim.map(|host| format!(" {host}")).unwrap_or_default();
        all.entry(trouble.name.replacen(&host, "", 1)).or_default().push(silence);
    }
    all.values_mut().for_each(|times| times.sort());
    all
}

/// The course of a run as SVG: answers a quarter of a second, failures, and what was done.
#[must_use]
pub fn picture(outcome: &Outcome) -> String {
    let seconds = outcome.length.as_secs_f64().max(1.0);
    let x = |at: Duration| LEFT + at.as_secs_f64() / seconds * (WIDTH - LEFT - 10.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for trouble in &outcome.troubles {
        let (from, to) = (x(trouble.began), x(trouble.ended));
        let colour = if trouble.is_hard { "#f4b6ab" } else { "#cfe0f4" };
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"30\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/><text transform=\"translate({:.1} {}) rotate(-35)\">{}</text>",
            (to - from).max(1.0),
            BASE - 30.0,
            from,
            BASE + 60.0,
            trouble.name,
        );
    }
    let step = Duration::from_millis(250);
    let mut points = Vec::new();
    let mut at = Duration::ZERO;
    while at < outcome.length {
        let ended = |call: &&Call| call.ended >= at && call.ended < at + step;
        let answered = outcome.calls.iter().filter(ended);
        let good = answered.filter(|call| call.fate.is_answer()).count();
        points.push((at, good));
        at += step;
    }
    let most = points.iter().map(|(_, good)| *good).max().unwrap_or(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "a height on paper")]
    let y = |good: usize| BASE - good as f64 / most as f64 * (BASE - 40.0);
    let line: Vec<_> =
        points.iter().map(|(at, good)| format!("{:.1},{:.1}", x(*at), y(*good))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
    for call in &outcome.calls {
        let colour = match call.fate {
            Fate::Answered(_) | Fate::HungUp => continue,
            Fate::Failed(Effect::None, _) => "#d69e2e",
            Fate::Failed(Effect::Maybe | Effect::Done, _) => "#c53030",
        };
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{}\" r=\"2.5\" fill=\"{colour}\"/>",
            x(call.ended),
            BASE + 8.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"20\">answers in 250 ms (top: {most}); dots below: calls of unknown outcome (red), not begun (yellow)</text>\n<line x1=\"{LEFT}\" y1=\"{BASE}\" x2=\"{}\" y2=\"{BASE}\" stroke=\"#444\"/>\n</svg>",
        WIDTH - 10.0
    );
    svg
}
