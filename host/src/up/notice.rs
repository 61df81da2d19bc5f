//! What is said when everything is ready: addresses, commands to paste, `ready`.
//!
//! The last line is that one word alone, for people and for programs that wait.

use std::fmt::Write as _;

use super::plan::{PLACEMENT, Plan};

/// The block that ends the start.
pub(super) fn ready(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{} is up:", plan.name);
    let names = plan.hosts.iter().map(|host| host.name.as_str());
    let names = names.chain(plan.placement.iter().map(|_| PLACEMENT));
    let listening = || plan.apps.iter().filter_map(|app| Some((&app.name, app.port.as_ref()?)));
    let names = names.chain(listening().map(|(name, _)| name.as_str()));
    let width = names.map(str::len).max().unwrap_or_default();
    if let Some(placement) = &plan.placement {
        let health = placement.health.number;
        let _ = writeln!(
            text,
            "  {PLACEMENT:width$}  gRPC 127.0.0.1:{}  state http://127.0.0.1:{health}/placement/state  metrics http://127.0.0.1:{health}/metrics  data {}",
            placement.grpc.number,
            placement.launch.data_dir.display()
        );
    }
    for host in &plan.hosts {
        let _ = writeln!(
            text,
            "  {:width$}  HTTP http://127.0.0.1:{}  gRPC 127.0.0.1:{}  metrics http://127.0.0.1:{}/metrics  data {}",
            host.name,
            host.http.number,
            host.grpc.number,
            host.metrics.number,
            host.launch.data_dir.display()
        );
    }
    for (name, port) in listening() {
        let _ = writeln!(text, "  {name:width$}  listens on 127.0.0.1:{}", port.number);
    }
    if !plan.show.is_empty() {
        let _ = writeln!(text, "\nTry, in another terminal:");
        for line in &plan.show {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "\nCtrl-C stops everything; the data stays (--fresh begins anew).");
    text.push_str("ready");
    text
}
