//! Schedules of reminders, rule by rule.

use proptest::prelude::*;

use super::*;

const NOW: &str = "2030-01-31T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn millis(after: i64) -> Timestamp {
    Timestamp::from_millisecond(at(NOW).as_millisecond() + after).unwrap()
}

fn spec(due_time: &str, period: &str, ttl: &str) -> ReminderSpec {
    let [due_time, period, ttl] = [due_time, period, ttl].map(str::to_owned);
    ReminderSpec { due_time, period, ttl, ..ReminderSpec::default() }
}

fn plan(spec: &ReminderSpec) -> ReminderPlan {
    ReminderPlan::new(spec, at(NOW)).unwrap()
}

/// When it fires, in milliseconds after it was registered, looked at every `step` of them.
fn fired(plan: &ReminderPlan, step: i64, ends: i64) -> Vec<(i64, u32, u32)> {
    let (mut progress, mut fired, mut now) = (plan.begin(), Vec::new(), 0);
    while now <= ends {
        let Some(at) = progress else { break };
        match plan.look(&at, millis(now)) {
            Look::Over => break,
            Look::Wait(later) => {
                progress = Some(later);
                now += step;
            }
            Look::Fire(tick) => {
                assert!(tick.due <= millis(now), "never early");
                fired.push((now, tick.tick, tick.missed));
                progress = plan.after(&tick, Outcome::Done, millis(now));
            }
        }
    }
    fired
}

fn times(spec: &ReminderSpec) -> Vec<i64> {
    fired(&plan(spec), 500, 5_000).into_iter().map(|(at, ..)| at).collect()
}

#[test]
fn rem_3_the_first_is_at_its_due_time_or_after_one_period() {
    assert_eq!(times(&spec("1s", "", "")), [1_000]);
    assert_eq!(times(&spec("0s", "", "")), [0]);
    assert_eq!(times(&spec("", "2s", "")), [2_000, 4_000]);
    assert_eq!(times(&spec("1s", "2s", "")), [1_000, 3_000, 5_000]);
    assert_eq!(times(&spec("", "R2/PT1S", "")), [1_000, 2_000]);
    let at_once = ReminderSpec { fires_at_once: true, ..spec("", "2s", "") };
    assert_eq!(times(&at_once), [0, 2_000, 4_000]);
    assert_eq!(times(&spec("", "@every 2s", "")), [2_000, 4_000]);
    assert_eq!(times(&spec("", "*/2 * * * * *", "")), [2_000, 4_000]);
}

#[test]
fn rem_4_a_ttl_ends_it_and_drops_what_was_not_delivered() {
    assert_eq!(times(&spec("", "1s", "3s")), [1_000, 2_000, 3_000]);
    assert_eq!(times(&spec("2s", "", "1s")), [0; 0]);
    assert_eq!(times(&spec("2029-01-01T00:00:00Z", "", "")), [0], "a due time in the past");
    let once = plan(&spec("1s", "", "2s"));
    let begun = once.begin().unwrap();
    assert_eq!(once.look(&begun, millis(2_000)), Look::Fire(begun));
    assert_eq!(once.look(&begun, millis(2_001)), Look::Over);
    // Nor is it tried again after its end.
    assert_eq!(once.after(&begun, Outcome::Failed, millis(1_500)), None);
}

#[test]
fn rem_2_calendar_periods_keep_their_zone() {
    let due = |text: &str| {
        let plan = plan(&spec("", text, ""));
        let first = plan.begin().unwrap();
        let second = plan.after(&first, Outcome::Done, first.due).unwrap();
        [first.due, second.due].map(|due| due.to_string())
    };
    assert_eq!(due("P1D"), ["2030-02-01T12:00:00Z", "2030-02-02T12:00:00Z"]);
    assert_eq!(due("P1M"), ["2030-02-28T12:00:00Z", "2030-03-31T12:00:00Z"]);
    let berlin = due("CRON_TZ=Europe/Berlin P2M");
    assert_eq!(berlin, ["2030-03-31T11:00:00Z", "2030-05-31T11:00:00Z"], "summer time");
}

/// The first two ticks of what is registered on a Thursday at noon.
fn two(period: &str) -> [String; 2] {
    let plan = plan(&spec("", period, ""));
    let first = plan.begin().unwrap();
    let second = plan.after(&first, Outcome::Done, first.due);
    [first.due.to_string(), second.map(|second| second.due.to_string()).unwrap_or_default()]
}

// With the tables of the modules beside this one they are more than 120.
#[test]
fn rem_2_lengths_of_time_as_people_write_them() {
    for (period, seconds) in [
        ("10s", 10),
        ("+10s", 10),
        ("1m", 60),
        ("1m30s", 90),
        ("1.5m", 90),
        ("30s1m", 90),
        ("2h45m", 9_900),
        ("1000ms", 1),
        ("1000000us", 1),
        ("1000000\u{b5}s", 1),
        ("1000000\u{3bc}s", 1),
        ("1000000000ns", 1),
        ("1h0m0s0ms0\u{3bc}s", 3_600),
        ("0h0m9s0ms", 9),
        ("PT1S", 1),
        ("PT90S", 90),
        ("PT1M", 60),
        ("PT1H", 3_600),
        ("PT36H", 129_600),
        ("PT1H1M1S", 3_661),
        ("PT0H0M5S", 5),
        ("P1D", 86_400),
        ("P0DT5S", 5),
        ("P1DT12H", 129_600),
        ("P2W", 1_209_600),
        ("@every 10s", 10),
        ("@every 1h30m", 5_400),
        ("@every 1m0s", 60),
        ("CRON_TZ=UTC @every 10s", 10),
        ("TZ=Asia/Tokyo PT10S", 10),
    ] {
        let after = |n: i64| millis(n * seconds * 1_000).to_string();
        assert_eq!(two(period), [after(1), after(2)], "{period}");
        if period.starts_with('P') {
            assert_eq!(two(&format!("R1/{period}")), [after(1), String::new()], "{period}");
        }
    }
}

#[test]
fn rem_2_times_of_the_calendar_as_people_write_them() {
    for (period, first, second) in [
        ("P1M", "2030-02-28T12:00:00Z", "2030-03-31T12:00:00Z"),
        ("P1Y", "2031-01-31T12:00:00Z", "2032-01-31T12:00:00Z"),
        ("P1Y6M", "2031-07-31T12:00:00Z", "2033-01-31T12:00:00Z"),
        ("R1/P1M", "2030-02-28T12:00:00Z", ""),
        ("0 * * * *", "2030-01-31T13:00:00Z", "2030-01-31T14:00:00Z"),
        ("30 12 * * *", "2030-01-31T12:30:00Z", "2030-02-01T12:30:00Z"),
        ("0 12 * * *", "2030-02-01T12:00:00Z", "2030-02-02T12:00:00Z"),
        ("0 0 * * *", "2030-02-01T00:00:00Z", "2030-02-02T00:00:00Z"),
        ("0 9 * * 1-5", "2030-02-01T09:00:00Z", "2030-02-04T09:00:00Z"),
        ("0 9 * * MON", "2030-02-04T09:00:00Z", "2030-02-11T09:00:00Z"),
        ("0 22 * * SUN", "2030-02-03T22:00:00Z", "2030-02-10T22:00:00Z"),
        ("0 0 * * 0", "2030-02-03T00:00:00Z", "2030-02-10T00:00:00Z"),
        ("0 0 * * 7", "2030-02-03T00:00:00Z", "2030-02-10T00:00:00Z"),
        ("0 0 1 * *", "2030-02-01T00:00:00Z", "2030-03-01T00:00:00Z"),
        ("0 0 1 1 *", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2032-02-29T00:00:00Z", "2036-02-29T00:00:00Z"),
        ("0 0 * FEB *", "2030-02-01T00:00:00Z", "2030-02-02T00:00:00Z"),
        ("0 0 1 JAN,JUL *", "2030-07-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        // Either of the two days will do.
        ("0 0 13 * FRI", "2030-02-01T00:00:00Z", "2030-02-08T00:00:00Z"),
        ("*/15 * * * *", "2030-01-31T12:15:00Z", "2030-01-31T12:30:00Z"),
        ("5,35 * * * *", "2030-01-31T12:05:00Z", "2030-01-31T12:35:00Z"),
        ("0 8-18/2 * * *", "2030-01-31T14:00:00Z", "2030-01-31T16:00:00Z"),
        ("0 0 12 * * *", "2030-02-01T12:00:00Z", "2030-02-02T12:00:00Z"),
        ("15 30 * * * *", "2030-01-31T12:30:15Z", "2030-01-31T13:30:15Z"),
        ("*/30 * * * * *", "2030-01-31T12:00:30Z", "2030-01-31T12:01:00Z"),
        ("@hourly", "2030-01-31T13:00:00Z", "2030-01-31T14:00:00Z"),
        ("@daily", "2030-02-01T00:00:00Z", "2030-02-02T00:00:00Z"),
        ("@weekly", "2030-02-03T00:00:00Z", "2030-02-10T00:00:00Z"),
        ("@monthly", "2030-02-01T00:00:00Z", "2030-03-01T00:00:00Z"),
        ("@yearly", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z"),
        ("@annually", "2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z"),
        ("TZ=America/New_York 0 9 * * *", "2030-01-31T14:00:00Z", "2030-02-01T14:00:00Z"),
        ("TZ=Asia/Kolkata 30 5 * * *", "2030-02-01T00:00:00Z", "2030-02-02T00:00:00Z"),
        ("TZ=Australia/Sydney P1D", "2030-02-01T12:00:00Z", "2030-02-02T12:00:00Z"),
    ] {
        assert_eq!(two(period), [first, second], "{period}");
    }
}

#[test]
fn rem_2_what_people_write_that_says_no_period() {
    for period in [
        "1",
        "10",
        "s",
        "-10s",
        "1 s",
        "1day",
        "ten seconds",
        "10s;",
        "\n1s",
        "1s\0",
        "\u{ff11}s",
        "0",
        "0s",
        "999us",
        "P",
        "PT",
        "P0D",
        "P1H",
        "PT1D",
        "PT1.5S",
        "pt10s",
        "P-1D",
        "-P1D",
        "R/PT1S",
        "R0/PT1S",
        "R-1/PT1S",
        "R+1/PT1S",
        "R5/",
        "R5/10s",
        "R5PT1S",
        "r5/PT1S",
        "R5/0 * * * *",
        "@",
        "@every",
        "@every ",
        "@every 0s",
        "@every -1s",
        "@every 1x",
        "@Every 1s",
        "@fortnightly",
        "* * *",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "0 0 31 2 *",
        "a b c d e",
        "CRON_TZ=Nowhere/Town @daily",
        "CRON_TZ=UTC",
        "CRON_TZ= @daily",
        "TZ=UTC ",
    ] {
        let error = ReminderPlan::new(&spec("", period, ""), at(NOW)).unwrap_err().to_string();
        let named = format!("period is '{}': expected", period.escape_debug());
        assert!(error.starts_with(&named), "{period:?}: {error}");
    }
}

#[test]
fn rem_2_what_says_no_time_is_named() {
    for (due_time, period, ttl, words) in [
        ("soon", "", "", "dueTime is 'soon': expected a duration"),
        ("-1s", "", "", "dueTime is '-1s': expected a duration"),
        ("R2/PT1S", "", "", "dueTime is 'R2/PT1S': expected a duration"),
        ("", "0s", "", "period is '0s': expected a duration"),
        ("", "@every 0s", "", "period is '@every 0s': expected a duration"),
        ("", "@sometimes", "", "period is '@sometimes': expected a duration"),
        ("", "* * * *", "", "period is '* * * *': expected a duration"),
        ("", "CRON_TZ=Mars/Dome @daily", "", "period is 'CRON_TZ=Mars/Dome @daily': expected"),
        ("", "R0/PT1S", "", "period is 'R0/PT1S': expected a duration"),
        ("", "1s", "1 day", "ttl is '1 day': expected a duration"),
        ("", "1s", "0s", "already expired"),
        ("P9998Y", "", "", "before the year 10000"),
        ("", "", "", "job must have either a due time or a schedule"),
        ("", "", "5s", "job must have either a due time or a schedule"),
    ] {
        let error = ReminderPlan::new(&spec(due_time, period, ttl), at(NOW)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn rem_6_a_failed_tick_is_tried_again_and_then_lost() {
    let fails = |failure: FailurePolicy| {
        let plan = plan(&ReminderSpec { failure, ..spec("0s", "1h", "") });
        let (mut at, mut now, mut tries) = (plan.begin().unwrap(), 0, Vec::new());
        while at.tick == 1 && tries.len() < 6 {
            assert_eq!(plan.look(&at, millis(now)), Look::Fire(at));
            tries.push(now);
            at = plan.after(&at, Outcome::Failed, millis(now)).unwrap();
            now = at.next().as_millisecond() - millis(0).as_millisecond();
        }
        tries
    };
    let (interval, max) = (Duration::from_secs(1), Duration::from_secs(3));
    assert_eq!(fails(FailurePolicy::default()), [0, 1_000, 2_000, 3_000]);
    assert_eq!(fails(FailurePolicy::Drop), [0]);
    assert_eq!(fails(FailurePolicy::Constant { interval, retries: Some(1) }), [0, 1_000]);
    let for_ever = fails(FailurePolicy::Constant { interval: Duration::ZERO, retries: None });
    assert_eq!(for_ever, [0, 10, 20, 30, 40, 50]);
    let doubling = FailurePolicy::Exponential { interval, max, retries: Some(4) };
    assert_eq!(fails(doubling), [0, 1_000, 3_000, 6_000, 9_000]);
}

#[test]
fn rem_6_the_schedule_goes_on_after_a_lost_tick() {
    let plan = plan(&ReminderSpec { failure: FailurePolicy::Drop, ..spec("", "R2/PT1S", "") });
    let first = plan.begin().unwrap();
    let second = plan.after(&first, Outcome::Failed, millis(1_000)).unwrap();
    assert_eq!((second.tick, second.failures, second.due), (2, 0, millis(2_000)));
    assert_eq!(plan.after(&second, Outcome::Failed, millis(2_000)), None);
}

#[test]
fn rem_7_what_was_missed_is_caught_up_with() {
    // Nobody looks for six seconds, then as often as it takes.
    let caught = |period: &str, catch_up| {
        let plan = plan(&ReminderSpec { catch_up, ..spec("", period, "") });
        let mut fired = Vec::new();
        let mut at = plan.begin();
        for now in [6_500, 6_500, 6_500, 7_000] {
            let Some(progress) = at else { break };
            match plan.look(&progress, millis(now)) {
                Look::Fire(tick) => {
                    fired.push((tick.tick, tick.missed));
                    at = plan.after(&tick, Outcome::Done, millis(now));
                }
                Look::Wait(later) => at = Some(later),
                Look::Over => at = None,
            }
        }
        fired
    };
    assert_eq!(caught("1s", None), [(6, 5), (7, 0)], "one, if there is no end");
    assert_eq!(caught("1s", Some(CatchUp::All)), [(1, 0), (2, 0), (3, 0), (4, 0)]);
    assert_eq!(caught("1s", Some(CatchUp::None)), [(7, 6)]);
    assert_eq!(caught("R3/PT1S", None), [(1, 0), (2, 0), (3, 0)], "all, if they are counted");
    assert_eq!(caught("R3/PT1S", Some(CatchUp::One)), [(3, 2)]);
    assert_eq!(caught("R3/PT1S", Some(CatchUp::None)), [(0, 0); 0]);
    assert_eq!(caught("* * * * * *", None), [(6, 5), (7, 0)]);
    let year = plan(&spec("", "* * * * * *", ""));
    let Look::Fire(late) = year.look(&year.begin().unwrap(), at("2031-01-31T12:00:00.5Z")) else {
        panic!("it is late");
    };
    assert_eq!((late.due, late.missed), (at("2031-01-31T12:00:00Z"), COUNTED_MAX));
}

#[test]
fn rem_8_cancelled_by_its_callback_it_is_over() {
    let plan = plan(&spec("", "1s", ""));
    assert_eq!(plan.after(&plan.begin().unwrap(), Outcome::Cancelled, millis(1_000)), None);
}

#[test]
fn rem_15_a_clock_set_back_fires_no_tick_twice() {
    let plan = plan(&spec("", "1s", ""));
    let first = plan.begin().unwrap();
    let second = plan.after(&first, Outcome::Done, millis(1_000)).unwrap();
    for now in [-100_000, 0, 1_000, 1_999] {
        assert_eq!(plan.look(&second, millis(now)), Look::Wait(second));
    }
    assert_eq!(plan.look(&second, millis(2_000)), Look::Fire(second));
}

#[test]
fn periods_are_shown_as_dapr_s_scheduler_keeps_them() {
    for (written, shown) in [
        ("", ""),
        ("1s", "@every 1s"),
        ("PT1M30S", "@every 1m30s"),
        ("R5/PT10S", "@every 10s"),
        ("P1D", "@every 24h0m0s"),
        ("P1M", "P1M"),
        ("@daily", "@daily"),
        ("TZ=Asia/Tokyo 0 9 * * *", "TZ=Asia/Tokyo 0 9 * * *"),
    ] {
        assert_eq!(shown_period(written), shown);
    }
}

fn schedule() -> impl Strategy<Value = ReminderSpec> {
    let period = prop_oneof![
        (1..20_u32, 1..5_000_u32).prop_map(|(n, s)| format!("R{n}/PT{s}S")),
        (1..100_000_u32).prop_map(|ms| format!("{ms}ms")),
        (1..3_u32, 0..40_u32).prop_map(|(m, d)| format!("P{m}M{d}D")),
        Just("*/7 * * * * *".to_owned()),
        Just("CRON_TZ=Europe/Berlin 30 2 * * *".to_owned()),
        Just(String::new()),
    ];
    let due = prop_oneof![Just("0s".to_owned()), (0..9_999_u32).prop_map(|ms| format!("{ms}ms"))];
    let catch_up = prop_oneof![
        Just(None),
        Just(Some(CatchUp::All)),
        Just(Some(CatchUp::One)),
        Just(Some(CatchUp::None)),
    ];
    (due, period, catch_up).prop_map(|(due_time, period, catch_up)| ReminderSpec {
        due_time,
        period,
        catch_up,
        ..ReminderSpec::default()
    })
}

proptest! {
    #[test]
    fn rem_1_no_tick_is_early_or_comes_twice(
        spec in schedule(),
        steps in proptest::collection::vec((0..9_000_000_i64, 0..4_u8), 1..60),
    ) {
        let plan = plan(&spec);
        let (mut at, mut now, mut last) = (plan.begin(), millis(0), 0);
        for (step, outcome) in steps {
            let Some(progress) = at else { break };
            match plan.look(&progress, now) {
                Look::Over => break,
                Look::Wait(later) => {
                    prop_assert!(later.tick >= progress.tick);
                    prop_assert!(later.next() > now || later != progress);
                    at = Some(later);
                    now = Timestamp::from_millisecond(now.as_millisecond() + step).unwrap();
                }
                Look::Fire(tick) => {
                    prop_assert!(tick.due <= now && tick.next() <= now);
                    prop_assert!(tick.tick > last || (tick.tick == last && tick.failures > 0));
                    prop_assert!(plan.repeat.times().is_none_or(|times| tick.tick <= times));
                    last = tick.tick;
                    let outcome = if outcome == 0 { Outcome::Failed } else { Outcome::Done };
                    at = plan.after(&tick, outcome, now);
                    if let Some(next) = at {
                        prop_assert!(next.tick > tick.tick || next.next() > now);
                    }
                }
            }
        }
    }

    #[test]
    fn rem_2_nothing_that_is_written_breaks_it(text in "[-@CRONTZ=evrydailyPTYMWDHSsmhu*/,?L# 0-9:.]{0,24}") {
        let _ = ReminderPlan::new(&spec("", &text, ""), at(NOW));
    }
}

// REM-2, REM-7.
#[test]
fn under_dapr_s_ways_all_late_ticks_come_and_the_calendar_is_refused() {
    let spec = |period: &str, catch_up| {
        let (due_time, period) = ("1s".to_owned(), period.to_owned());
        ReminderSpec { due_time, period, catch_up, ..ReminderSpec::default() }
    };
    for period in ["1s", "PT1H30M", "R5/PT10S"] {
        let under = |compat, catch_up| spec(period, catch_up).under(compat).unwrap().catch_up;
        assert_eq!(under(Compat::Odeon, None), None, "{period}");
        assert_eq!(under(Compat::Dapr, None), Some(CatchUp::All), "{period}");
        assert_eq!(under(Compat::Dapr, Some(CatchUp::None)), Some(CatchUp::None), "{period}");
    }
    assert_eq!(spec("", None).under(Compat::Dapr), Ok(spec("", None)));
    for period in
        ["P1D", "P1W", "P1M", "P1YT1S", "R2/P1D", "@every 1s", "@daily", "* * * * *", "TZ=UTC 1s"]
    {
        assert_eq!(spec(period, None).under(Compat::Odeon), Ok(spec(period, None)));
        let refused = spec(period, None).under(Compat::Dapr).unwrap_err().to_string();
        assert_eq!(refused, format!("unsupported period format: {period}"));
    }
    // What says no time at all is named by whoever reads it.
    spec("soon", None).under(Compat::Dapr).unwrap();
}
