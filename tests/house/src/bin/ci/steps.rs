//! The list of steps. To add one, add its row; nothing else changes.
//!
//! One profile, one set of features and no incremental build, so that each step
//! finds what the ones before it compiled. The checker of interleavings is the
//! exception: it replaces a lock, so it compiles the engine anew.

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// How.
    pub(crate) work: Work,
}

/// How a step is done.
#[derive(Debug)]
pub(crate) enum Work {
    /// Sees to it that what the tests need is there; see `tools.rs`.
    Tools,
    /// Runs cargo.
    Cargo {
        /// Its arguments.
        words: &'static [&'static str],
        /// What is set in its environment on top.
        environment: &'static [(&'static str, &'static str)],
        /// Whether it runs tests; then running none is a failure.
        has_tests: bool,
    },
}

const fn check(words: &'static [&'static str]) -> Work {
    Work::Cargo { words, environment: &[], has_tests: false }
}

/// All steps, in the order in which they run.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "every file is formatted",
        work: check(&["fmt", "--all", "--check"]),
    },
    Step { name: "tools", about: "what the tests need is there", work: Work::Tools },
    Step {
        name: "clippy",
        about: "no lint speaks up",
        work: check(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning",
        work: Work::Cargo {
            words: &["doc", "--locked", "--workspace", "--no-deps"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
            has_tests: false,
        },
    },
    Step {
        name: "build",
        about: "everything builds, programs, examples and benches too",
        work: check(&["build", "--locked", "--workspace", "--all-targets"]),
    },
    Step {
        name: "tests",
        about: "all tests, those in the documentation too",
        work: Work::Cargo {
            words: &["test", "--locked", "--workspace", "--no-fail-fast"],
            environment: &[],
            has_tests: true,
        },
    },
    Step {
        name: "seeds",
        about: "the model tests again, with more cases",
        work: Work::Cargo {
            words: &["test", "--locked", "--workspace", "--lib", "--no-fail-fast", "--", "model"],
            environment: &[("PROPTEST_CASES", "20000")],
            has_tests: true,
        },
    },
    Step {
        name: "simulation",
        about: "500 clusters, each from a seed, keep every promise",
        work: check(&["run", "--locked", "-p", "odeon-sim", "--", "--seeds", "500"]),
    },
    Step {
        name: "shop",
        about: "200 lives of the shop, each from a seed, keep every promise",
        work: check(&[
            "run",
            "--locked",
            "-p",
            "odeon-sim",
            "--",
            "--scenario",
            "shop",
            "--seeds",
            "200",
        ]),
    },
    Step {
        name: "planted",
        about: "faults planted in simulated clusters are found",
        work: Work::Cargo {
            words: &[
                "test",
                "--locked",
                "-p",
                "odeon-sim",
                "--features",
                "defects",
                "--test",
                "planted",
            ],
            environment: &[],
            has_tests: true,
        },
    },
    Step {
        name: "model",
        about: "the engine's locks under a checker of interleavings",
        work: Work::Cargo {
            words: &[
                "test",
                "--locked",
                "-p",
                "odeon-runtime",
                "--features",
                "model",
                "--lib",
                "--",
                "shuttle",
            ],
            environment: &[],
            has_tests: true,
        },
    },
];

impl Step {
    /// The command as one would type it.
    pub(crate) fn line(&self) -> String {
        match &self.work {
            Work::Tools => "strace, and Python packages in a virtual environment".to_owned(),
            Work::Cargo { words, environment, .. } => {
                let set = environment.iter().map(|(key, value)| match value.contains(' ') {
                    true => format!("{key}=\"{value}\" "),
                    false => format!("{key}={value} "),
                });
                format!("{}cargo {}", set.collect::<String>(), words.join(" "))
            }
        }
    }

    /// Whether it runs tests.
    pub(crate) fn has_tests(&self) -> bool {
        matches!(self.work, Work::Cargo { has_tests: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_written_as_it_is_typed() {
        let line = |name| STEPS.iter().find(|step| step.name == name).unwrap().line();
        assert_eq!(line("format"), "cargo fmt --all --check");
        assert!(line("docs").starts_with("RUSTDOCFLAGS=\"-D warnings\" cargo doc"));
    }

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
