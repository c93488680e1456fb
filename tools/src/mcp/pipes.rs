//! The pipes to a server that runs as a process. A call passes its commit point before its line goes into the pipe.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncWrite, BufReader, DuplexStream};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::watch;
use windlass_scheduler::{CommitPoint, Refused};

use super::output;
use super::result::MAX_RESULT_BYTES;

/// The commit point of a message that calls a tool which may change something.
pub(super) fn commit_point(message: &ClientJsonRpcMessage) -> Option<CommitPoint> {
    let JsonRpcMessage::Request(request) = message else { return None };
    let ClientRequest::CallToolRequest(call) = &request.request else { return None };
    call.extensions.get().cloned()
}

/// How much of a server's output waits to be understood, in bytes.
const OUTPUT_BYTES: usize = 64 * 1024;

/// The transport over the pipes of a process. Lines are written one after the other.
pub(super) struct Pipes {
    lines: AsyncRwTransport<RoleClient, DuplexStream, CheckedInput<ChildStdin>>,
    line: Arc<Line>,
    /// How many messages the server has not read yet.
    unwritten: watch::Sender<usize>,
}

/// A line that was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipeError {
    /// The pipe is broken.
    #[error("could not write to the server's input")]
    Io(#[from] io::Error),
    /// The worker may not make the call any more.
    #[error("the line was not written")]
    Refused(#[from] Refused),
}

impl Pipes {
    pub(super) fn new(stdout: ChildStdout, stdin: ChildStdin) -> Self {
        let line = Arc::new(Line::default());
        let input = CheckedInput { pipe: Some(stdin), line: Arc::clone(&line) };
        let (into, from) = tokio::io::duplex(OUTPUT_BYTES);
        let (unwritten, n_unwritten) = watch::channel(0);
        tokio::spawn(output::pass_on(BufReader::new(stdout), into, n_unwritten));
        // What is repaired may be longer.
        let lines =
            AsyncRwTransport::new_client(from, input).with_max_line_length(4 * MAX_RESULT_BYTES);
        Self { lines, line, unwritten }
    }
}

impl Transport<RoleClient> for Pipes {
    type Error = PipeError;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), PipeError>> + Send + 'static {
        let point = commit_point(&message);
        let writing = self.lines.send(message);
        let line = Arc::clone(&self.line);
        let unwritten = Unwritten::new(&self.unwritten);
        async move {
            let _unwritten = unwritten;
            let _turn = line.turn.lock().await;
            line.progress().begin(point);
            let written = writing.await;
            line.progress().end()?;
            Ok(written?)
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        self.lines.receive().await
    }

    async fn close(&mut self) -> Result<(), PipeError> {
        Ok(self.lines.close().await?)
    }
}

/// A message that is counted as long as it is not written.
struct Unwritten(watch::Sender<usize>);

impl Unwritten {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count.clone())
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

/// The line that is being written.
#[derive(Debug, Default)]
struct Line {
    turn: tokio::sync::Mutex<()>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    point: Option<CommitPoint>,
    has_begun: bool,
    is_refused: bool,
}

impl Line {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn begin(&mut self, point: Option<CommitPoint>) {
        *self = Self { point, ..Self::default() };
    }

    fn end(&mut self) -> Result<(), Refused> {
        if std::mem::take(self).is_refused { Err(Refused) } else { Ok(()) }
    }

    /// Whether more of the line may be written.
    fn may_continue(&mut self) -> bool {
        self.is_refused |= self.point.as_ref().is_some_and(|point| point.pass().is_err());
        !self.is_refused
    }
}

/// The input of a process. Each part of a line is written only if the point of the line lets it pass: a full pipe can hold it up.
#[derive(Debug)]
struct CheckedInput<W> {
    /// None after a line has broken off: the server must not take the next line for its rest.
    pipe: Option<W>,
    line: Arc<Line>,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for CheckedInput<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = Arc::clone(&self.line);
        let mut progress = line.progress();
        if !progress.may_continue() {
            if progress.has_begun {
                self.pipe = None;
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            // The whole line is dropped. As an error, it would stay in the buffer and be written with the next line.
            return Poll::Ready(Ok(bytes.len()));
        }
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let written = Pin::new(pipe).poll_write(context, bytes);
        progress.has_begun |= matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.pipe {
            Some(pipe) => Pin::new(pipe).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.pipe {
            Some(pipe) => Pin::new(pipe).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use windlass_scheduler::CommitWatch;

    use super::*;

    /// An input into a pipe of ten bytes, and the other end of the pipe.
    fn input() -> (CheckedInput<DuplexStream>, DuplexStream) {
        let (pipe, server) = tokio::io::duplex(10);
        (CheckedInput { pipe: Some(pipe), line: Arc::default() }, server)
    }

    /// Begins a line whose point lets it pass `n` times.
    fn begin(input: &CheckedInput<DuplexStream>, n: usize) -> CommitWatch {
        let n_passed = AtomicUsize::new(0);
        let (watch, point) = CommitPoint::new(move || n_passed.fetch_add(1, Ordering::SeqCst) < n);
        input.line.progress().begin(Some(point));
        watch
    }

    #[tokio::test]
    async fn a_refused_line_is_dropped_and_the_next_one_is_written() {
        let (mut input, mut server) = input();

        let _watch = begin(&input, 0);
        input.write_all(b"refused\n").await.unwrap();
        assert_eq!(input.line.progress().end(), Err(Refused));
        input.line.progress().begin(None);
        input.write_all(b"next\n").await.unwrap();
        assert_eq!(input.line.progress().end(), Ok(()));
        drop(input);

        let mut read = String::new();
        server.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "next\n");
    }

    #[tokio::test]
    async fn a_line_that_a_full_pipe_held_up_is_not_completed_after_the_right_has_ended() {
        let (mut input, mut server) = input();

        let _watch = begin(&input, 1);
        input.write_all(b"a line that is too long for the pipe\n").await.unwrap_err();
        assert_eq!(input.line.progress().end(), Err(Refused));
        input.line.progress().begin(None);
        input.write_all(b"next\n").await.unwrap_err();

        let mut read = String::new();
        server.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "a line tha", "the server sees the end of its input");
    }
}
