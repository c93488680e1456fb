//! The `windlass` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let invocation = match windlass_worker::Invocation::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    // Secrets leave the environment, which must not change once there is a second thread.
    let invocation = invocation.load();
    // V8 marks the memory that it guards per thread: it has to be there before the second thread.
    windlass_sandbox::initialize();
    windlass_worker::run(invocation)
}
