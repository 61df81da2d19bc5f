//! The ports that a run file names: all of them, those of replicas, and those named twice.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{App, File};
use super::ports::Port;
use crate::config::mistakes::Mistake;

/// All ports that the file names, for whichever process.
pub(super) fn ports(file: &File) -> BTreeSet<u16> {
    let placement = file.placement.iter().flat_map(|one| [&one.port, &one.healthz_port]);
    let of_one = placement.map(|port| (port, 1));
    let of_hosts = file.hosts.iter().flat_map(|host| {
        let replicas = host.replicas.as_ref().map_or(1, |replicas| replicas.value);
        [&host.http_port, &host.grpc_port, &host.metrics_port].map(|port| (port, replicas))
    });
    let of_apps = file
        .apps
        .iter()
        .flat_map(|app| [&app.http_port, &app.grpc_port, &app.metrics_port].map(|port| (port, 1)));
    let of_programs = file.apps.iter().map(|app| (&app.app_port, processes(file, app)));
    let written = of_one.chain(of_hosts).chain(of_apps).chain(of_programs);
    let mut all = BTreeSet::new();
    all.extend(file.apps.iter().chain(&file.common).filter_map(App::peer_port));
    for (port, replicas) in written.filter_map(|(port, replicas)| Some((port.as_ref()?, replicas)))
    {
        let of_port = (0..usize::from(replicas)).filter_map(|replica| above(port.value, replica));
        all.extend(of_port);
    }
    all
}

/// How many processes an app has: one for each replica of the host that it names.
fn processes(file: &File, app: &App) -> u16 {
    let host = app.host.as_ref();
    let host = host.and_then(|name| file.hosts.iter().find(|one| one.name.value == name.value));
    host.and_then(|host| host.replicas.as_ref()).map_or(1, |replicas| replicas.value)
}

/// The port that is so many above another; none if there are not so many.
pub(super) fn above(port: u16, replica: usize) -> Option<u16> {
    port.checked_add(u16::try_from(replica).ok()?)
}

/// What is wrong with a port that leaves none for the last of so many replicas.
pub(super) fn too_high(place: String, port: u16, replicas: usize) -> Option<Mistake> {
    let last = replicas.saturating_sub(1);
    if above(port, last).is_some() {
        return None;
    }
    let most = u16::MAX.saturating_sub(u16::try_from(last).unwrap_or(u16::MAX));
    let text = format!("'{port}' leaves no port for replica {replicas}: expected at most {most}");
    Some(Mistake::new(place, text))
}

/// Two processes cannot listen at one port; the later of the two is named.
pub(super) fn shared<'a>(all: impl IntoIterator<Item = (&'a str, &'a Port)>) -> Vec<Mistake> {
    let mut taken: BTreeMap<u16, &str> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (name, port) in all {
        let Some(place) = port.place.as_ref().filter(|_| port.number > 0) else { continue };
        match taken.get(&port.number) {
            Some(first) => {
                let text = format!(
                    "port {} of '{name}' is one of '{first}', too: write another port",
                    port.number
                );
                mistakes.push(Mistake::new(place.clone(), text));
            }
            None => {
                taken.insert(port.number, name);
            }
        }
    }
    mistakes
}
