//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

xflags::xflags! {
    /// What developers of Windlass run.
    cmd xtask {
        /// Builds the release binary and runs `windlass demo`.
        cmd demo {
            /// Arguments for `windlass demo`, after `--`.
            repeated argument: OsString
        }

        /// Runs every check and every test, as CI does, with a throwaway PostgreSQL.
        cmd test {
            /// Leave out the tests that need PostgreSQL.
            optional --no-postgres
            /// Run only the tests whose names contain one of these, and none of the other checks.
            repeated filter: String
        }

        /// Runs many seeded histories of the scheduler under faults, over every database.
        cmd soak {
            /// How many; 10,000 where this is not said.
            optional --histories histories: u64
            /// The seed of the first; 0 where this is not said.
            optional --seed seed: u64
        }

        /// Runs many workers on one PostgreSQL while things break, and prints a scorecard.
        cmd chaos {
            /// How many workers; 8 where this is not said.
            optional --workers workers: usize
            /// How many workflows; 500 where this is not said.
            optional --workflows workflows: usize
            /// How many events the undisturbed load has in all; 100,000 where this is not said.
            optional --events events: u64
            /// How long each thing goes on breaking; 10 where this is not said.
            optional --minutes minutes: u64
            /// A small load, some seconds each, with the binary of the tests.
            optional --short
            /// Only these scenarios, by name.
            repeated --only scenario: String
            /// The seed of what is left to chance; 0 where this is not said.
            optional --seed seed: u64
            /// Write the scorecard to this file too, as JSON.
            optional --json file: PathBuf
        }

        /// Measures the release binary on SQLite and PostgreSQL, and prints a table; takes some minutes.
        cmd bench {
            /// Smaller sizes, for a look.
            optional --quick
            /// Also what takes long: the growth and start-up cases.
            optional --all
            /// Only these cases, by name.
            repeated --case name: String
            /// Only on these databases: sqlite, memory, postgres.
            repeated --database name: String
            /// One more growth case, `growth-n`, with so many finished runs; the others have up to 1,000,000.
            optional --finished runs: u32
            /// Write the figures to this file too, as JSON.
            optional --json file: PathBuf
            /// Print ratios to the figures in this file, which `--json` wrote.
            optional --compare file: PathBuf
        }

        /// Checks what neither the compiler nor clippy can.
        cmd tidy {}

        /// Starts a throwaway PostgreSQL, prints its URL and keeps it until Ctrl-C.
        cmd db {}
    }
}
