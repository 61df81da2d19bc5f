//! Which network this process sees, as Linux tells it.
//!
//! Two processes that say the same share one kernel and one set of ports; what follows from
//! that is in `odeon_placement::probe`. Elsewhere than on Linux nothing is said.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use odeon_placement::Network;

/// Another text after each start of the machine, and the same in all its containers.
const BOOT: &str = "sys/kernel/random/boot_id";
/// A file whose number is that of the network namespace.
const NAMESPACE: &str = "self/ns/net";

/// The network that this process sees, if it can be told.
pub(super) fn network() -> Option<Network> {
    network_in(Path::new("/proc"))
}

fn network_in(proc: &Path) -> Option<Network> {
    let boot = fs::read_to_string(proc.join(BOOT)).ok()?;
    // Hidden behind an empty file, say; others could say the same.
    let boot = Some(boot.trim()).filter(|boot| !boot.is_empty())?;
    let namespace = fs::metadata(proc.join(NAMESPACE)).ok()?.ino();
    Network::parse(&format!("{boot}/{namespace}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_a_boot_and_a_namespace_or_not_told() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(network_in(proc.path()), None);
        for file in [BOOT, NAMESPACE] {
            let file = proc.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "0b5c-17\n").unwrap();
        }
        let number = fs::metadata(proc.path().join(NAMESPACE)).unwrap().ino();
        let told = network_in(proc.path()).unwrap();
        assert_eq!(told.as_str(), format!("0b5c-17/{number}"));
        assert_eq!(network_in(proc.path()), Some(told));
        fs::write(proc.path().join(BOOT), "\n").unwrap();
        assert_eq!(network_in(proc.path()), None);
    }
}
