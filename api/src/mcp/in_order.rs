//! The transport of the server: a message a line, and one call of a tool after the other.
//!
//! Agents send several calls at once, for example that a step is done and that the next one begins. They are carried out in the order in
//! which they came: the next call is passed on when the one before is answered.

use std::future::Future;
use std::io;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    DuplexStream,
};
use tokio::sync::watch;
use windlass_core::with_whole_characters;

/// How long a message may be, in bytes. A longer one is left out.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// How much of the input waits to be understood, in bytes.
const INPUT_BYTES: usize = 64 * 1024;

/// Lines from a client and to it.
#[derive(Debug)]
pub(super) struct InOrder<W: AsyncWrite> {
    lines: Lines<W>,
    /// A message that was read and is not passed on yet.
    held: Option<ClientJsonRpcMessage>,
    /// The call that is being carried out.
    open: watch::Sender<Option<RequestId>>,
}

struct Lines<W: AsyncWrite>(AsyncRwTransport<RoleServer, DuplexStream, W>);

impl<W: AsyncWrite> std::fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

impl<W: AsyncWrite + Send + Unpin + 'static> InOrder<W> {
    pub(super) fn new(input: impl AsyncRead + Send + Unpin + 'static, output: W) -> Self {
        let (into, from) = tokio::io::duplex(INPUT_BYTES);
        tokio::spawn(pass_on(input, into));
        let lines =
            AsyncRwTransport::new_server(from, output).with_max_line_length(MAX_MESSAGE_BYTES);
        Self { lines: Lines(lines), held: None, open: watch::Sender::new(None) }
    }
}

impl<W: AsyncWrite + Send + Unpin + 'static> Transport<RoleServer> for InOrder<W> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let answered = answered(&message);
        let sending = self.lines.0.send(message);
        let open = self.open.clone();
        async move {
            let sent = sending.await;
            close(&open, answered.as_ref());
            sent
        }
    }

    /// Dropped in the middle, it loses no message.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        if self.held.is_none() {
            self.held = Some(self.lines.0.receive().await?);
        }
        if let Some(call) = self.held.as_ref().and_then(call) {
            let call = call.clone();
            let mut open = self.open.subscribe();
            open.wait_for(Option::is_none).await.ok()?;
            self.open.send_replace(Some(call));
        }
        let message = self.held.take()?;
        // A call that is given up is not answered.
        close(&self.open, cancelled(&message));
        Some(message)
    }

    async fn close(&mut self) -> io::Result<()> {
        self.lines.0.close().await
    }
}

/// The request that a message answers.
fn answered(message: &ServerJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(response.id.clone()),
        JsonRpcMessage::Error(error) => error.id.clone(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}

/// The id of the message, if it calls a tool.
fn call(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    let JsonRpcMessage::Request(request) = message else { return None };
    matches!(request.request, ClientRequest::CallToolRequest(_)).then_some(&request.id)
}

/// The request that a message gives up.
fn cancelled(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    let JsonRpcMessage::Notification(notification) = message else { return None };
    let ClientNotification::CancelledNotification(cancelled) = &notification.notification else {
        return None;
    };
    cancelled.params.request_id.as_ref()
}

/// The next call may come, if `id` is the open one.
fn close(open: &watch::Sender<Option<RequestId>>, id: Option<&RequestId>) {
    open.send_if_modified(|open| {
        let is_closed = open.is_some() && open.as_ref() == id;
        if is_closed {
            *open = None;
        }
        is_closed
    });
}

/// Passes on the lines of a client until it ends. Halves of characters, for which JSON has no text, are replaced.
async fn pass_on(input: impl AsyncRead + Unpin, mut into: DuplexStream) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_MESSAGE_BYTES).unwrap_or(u64::MAX);
    loop {
        line.clear();
        let read = (&mut input).take(limit).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        let is_last = !line.ends_with(b"\n") && line.len() < MAX_MESSAGE_BYTES;
        if let Some(whole) = std::str::from_utf8(&line).ok().and_then(with_whole_characters) {
            line = whole.into_bytes();
        }
        if is_last {
            line.push(b'\n');
        }
        if into.write_all(&line).await.is_err() {
            return;
        }
    }
}
