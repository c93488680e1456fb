//! Lets an HTTP request pass its commit point after its connection was made, before its first byte.

use std::error::Error;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;
use windlass_scheduler::{CommitPoint, Refused};

type BoxError = Box<dyn Error + Send + Sync>;

/// A layer around the connector of a client with one connection for each request. The name is resolved, the connection is open and
/// encrypted when the point is passed. What follows until the request is written waits for nothing outside this process.
#[derive(Debug, Clone)]
pub(crate) struct PassConnected(pub(crate) CommitPoint);

/// A connector that passes the point.
#[derive(Debug, Clone)]
pub(crate) struct PassingConnector<C> {
    connector: C,
    point: CommitPoint,
}

impl<C> Layer<C> for PassConnected {
    type Service = PassingConnector<C>;

    fn layer(&self, connector: C) -> Self::Service {
        PassingConnector { connector, point: self.0.clone() }
    }
}

impl<C, Target> Service<Target> for PassingConnector<C>
where
    C: Service<Target, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let connecting = self.connector.call(target);
        let point = self.point.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            point.pass()?;
            Ok(connection)
        })
    }
}

/// Why a request did not leave, if its commit point refused it.
pub(crate) fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Refused> {
    error.downcast_ref().or_else(|| refusal(error.source()?))
}
