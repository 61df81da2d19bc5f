//! What only one place may do: spawn, read a clock, draw at random, mint a status.
//!
//! Clippy bans some of these calls; here stand the ways around it, and the lists of
//! who may. Elapsed time is `tokio::time`, which a test can pause, and free to all.

use odeon_house::paths::Path;

use crate::{Exception, TREE, demand, except};

/// Files that start work which no `Tasks` counts.
const SPAWNS: &[Exception] = &[
    Exception { file: "runtime/base/src/tasks.rs", reason: "it is what all others spawn through" },
    Exception {
        file: "runtime/blocks/src/embedded/committer.rs",
        reason: "commits block, and one thread of their own keeps them off the runtime",
    },
    Exception {
        file: "runtime/blocks/src/embedded/waiting.rs",
        reason: "waiting for a lock blocks for ever, and must not keep the process from ending",
    },
];

/// Files that ask the machine for the time.
const CLOCKS: &[Exception] = &[
    Exception { file: "runtime/base/src/clock.rs", reason: "it is the clock that is handed in" },
    Exception {
        file: "host/src/metrics/process.rs",
        reason: "it reports the processor time used, which no decision hangs on",
    },
];

/// Files that ask the machine for randomness.
const DICE: &[Exception] =
    &[Exception { file: "runtime/base/src/entropy.rs", reason: "it is what all others draw from" }];

/// Files that make an HTTP or gRPC status.
const STATUSES: &[Exception] = &[
    Exception { file: "host/src/status.rs", reason: "it decides which status an error has" },
    Exception {
        file: "host/src/grpc/answer.rs",
        reason: "it dresses a decided failure as gRPC's status and chooses no code",
    },
    Exception {
        file: "host/src/http/answer.rs",
        reason: "it dresses answers as HTTP's; of its own it knows only 200 and 204",
    },
    Exception {
        file: "examples/eshop/src/http/reply.rs",
        reason: "it decides which status an answer of the shop has; the shop is no part of the host",
    },
    Exception {
        file: "placement/src/refusal.rs",
        reason: "it tells refused hosts why, and placement cannot import the host crate",
    },
];

#[test]
fn every_task_belongs_to_somebody() {
    let runs: &[&[&str]] = &[
        &["tokio", "spawn"],
        &["task", "spawn"],
        &["task", "spawn_local"],
        &["thread", "spawn"],
        &["thread", "Builder"],
        &["task", "JoinSet"],
        &["JoinSet", "new"],
        &["Handle", "current"],
    ];
    let cure = "spawn through `odeon_base::Tasks`, with a kind that says what its end means; a \
                thread that must be goes into SPAWNS in tests/house/tests/house/seams.rs with its reason.";
    demand("A spawn that nobody counts.", cure, except(&paths_with(runs), SPAWNS));
}

#[test]
fn wall_time_is_handed_in() {
    let runs: &[&[&str]] = &[
        &["SystemTime", "now"],
        &["std", "time", "Instant"],
        &["Utc", "now"],
        &["Local", "now"],
        &["Timestamp", "now"],
        &["Zoned", "now"],
        &["clock_gettime"],
    ];
    let cure = "take a `WallClock` for dates and `tokio::time` for elapsed time.";
    demand("The machine's clock is read.", cure, except(&paths_with(runs), CLOCKS));
}

#[test]
fn randomness_is_handed_in() {
    let runs: &[&[&str]] = &[
        &["thread_rng"],
        &["rand", "rng"],
        &["rand", "random"],
        &["OsRng"],
        &["from_os_rng"],
        &["from_entropy"],
        &["getrandom"],
        &["Uuid", "new_v4"],
        &["Uuid", "now_v7"],
        &["RandomState", "new"],
    ];
    let cure = "draw from an `Entropy` that is handed in, so that a run can be repeated.";
    demand("Randomness of the machine is used.", cure, except(&paths_with(runs), DICE));
}

#[test]
fn one_file_mints_a_status() {
    let found = paths_where(mints);
    let cure = "return an error and let host/src/status.rs (in placement: src/refusal.rs) decide \
                what the wire says of it.";
    demand("A status is made outside host/src/status.rs.", cure, except(&found, STATUSES));
}

/// `StatusCode::NOT_FOUND`, `StatusCode::from_u16`, `Status::not_found` and their like.
fn mints(path: &Path) -> bool {
    path.segments.windows(2).any(|pair| match pair[0].as_str() {
        "StatusCode" => {
            pair[1] == "from_u16" || pair[1].chars().all(|c| c.is_uppercase() || c == '_')
        }
        "Status" => CONSTRUCTORS.contains(&pair[1].as_str()),
        _ => false,
    })
}

/// What makes a `tonic::Status`.
const CONSTRUCTORS: [&str; 22] = [
    "new",
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
    "with_details",
    "with_metadata",
    "with_details_and_metadata",
    "from_error",
];

fn paths_with(runs: &[&[&str]]) -> Vec<(String, String)> {
    paths_where(|path| runs.iter().any(|run| path.contains(run)))
}

/// File and place of every path of the product that `look` knows.
fn paths_where(look: impl Fn(&Path) -> bool) -> Vec<(String, String)> {
    let of = |(file, path): (&str, Path)| {
        let place = format!("{file}:{} {}", path.line, path.segments.join("::"));
        (file.to_owned(), place)
    };
    let all = TREE.shipped().flat_map(|(_, source)| {
        source.paths().into_iter().map(|path| (source.path.as_str(), path))
    });
    all.filter(|(_, path)| look(path)).map(of).collect()
}
