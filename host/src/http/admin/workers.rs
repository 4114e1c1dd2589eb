//! The pools of workers on the admin surface: who works in them, and letting a worker go.

use super::json;
use crate::config::{POOL_ANSWER_MS_MAX, pool_of, step_of};
use crate::flow::{PoolStatus, Surface, Surfaces};
use crate::http::problem::Problem;
use futures_util::future::{join_all, try_join_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use warp::reply::Response;

const ANSWER_MAX: Duration = Duration::from_millis(POOL_ANSWER_MS_MAX);

/// Each pool with its workers.
///
/// # Errors
/// When one of them does not answer.
pub(super) async fn all(surfaces: &Surfaces) -> Result<Response, Problem> {
    json(&try_join_all(pools(surfaces).values().map(list)).await?)
}

/// The pool after one of its workers was told to go.
///
/// # Errors
/// When there is no such pool or worker, or the pool does not answer.
pub(super) async fn drain(surfaces: &Surfaces, name: &str, worker: &str) -> Result<Response, Problem> {
    let no_pool = || Problem::NoPool(name.to_owned());
    let surface = pools(surfaces).remove(&step_of(name)).ok_or_else(no_pool)?;
    let pool = surface.pool().ok_or_else(no_pool)?;
    let no_worker = || Problem::NoWorker { pool: name.to_owned(), worker: worker.to_owned() };
    let number = worker.parse().map_err(|_| no_worker())?;
    if !answered(surface.name(), timeout(ANSWER_MAX, pool.drain(number)).await)? {
        return Err(no_worker());
    }
    json(&list(&surface).await?)
}

/// How each pool does, by its name; or why that is not known.
pub(super) async fn by_name(surfaces: &Surfaces) -> BTreeMap<String, Result<PoolStatus, String>> {
    let asked = pools(surfaces).into_iter().map(async |(name, surface)| {
        let status = list(&surface).await.map_err(|problem| problem.detail());
        (pool_of(&name).unwrap_or(&name).to_owned(), status)
    });
    join_all(asked).await.into_iter().collect()
}

async fn list(surface: &Arc<dyn Surface>) -> Result<PoolStatus, Problem> {
    let pool = surface.pool().ok_or_else(|| Problem::NoPool(surface.name().to_owned()))?;
    answered(surface.name(), timeout(ANSWER_MAX, pool.list()).await)
}

/// All pools by the names of their surfaces. Of two of a name the second takes the place of the first.
fn pools(surfaces: &Surfaces) -> BTreeMap<String, Arc<dyn Surface>> {
    let pools = surfaces.all().into_iter().filter(|surface| surface.pool().is_some());
    pools.map(|surface| (surface.name().to_owned(), surface)).collect()
}

/// What a pool answers, in time.
fn answered<T>(name: &str, answer: Result<Result<T, String>, tokio::time::error::Elapsed>) -> Result<T, Problem> {
    let cause = match answer {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(cause)) => cause,
        Err(_) => format!("nothing within {POOL_ANSWER_MS_MAX} ms"),
    };
    Err(Problem::PoolSilent { name: name.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Pool, Side, Statistics};
    use futures_util::future::{self, BoxFuture};
    use std::time::Instant;
    use warp::http::StatusCode;

    /// A pool with the worker 7 that says nothing, that it has ended, or what it is asked.
    #[derive(Clone, Copy)]
    enum Answers {
        Never,
        Ended,
        Well,
    }

    impl Answers {
        fn with<T: Send + 'static>(self, answer: T) -> BoxFuture<'static, Result<T, String>> {
            match self {
                Self::Never => Box::pin(future::pending()),
                Self::Ended => Box::pin(future::ready(Err("it has ended".to_owned()))),
                Self::Well => Box::pin(future::ready(Ok(answer))),
            }
        }
    }

    impl Pool for Answers {
        fn list(&self) -> BoxFuture<'static, Result<PoolStatus, String>> {
            self.with(PoolStatus { name: "score".to_owned(), ..PoolStatus::default() })
        }

        fn drain(&self, worker: u64) -> BoxFuture<'static, Result<bool, String>> {
            self.with(worker == 7)
        }
    }

    struct Named(&'static str, Option<Answers>);

    impl Surface for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn endpoint(&self) -> String {
            "none".to_owned()
        }

        fn side(&self) -> Side {
            Side::Sink
        }

        fn pool(&self) -> Option<&dyn Pool> {
            self.1.as_ref().map(|pool| pool as &dyn Pool)
        }

        fn statistics(&self, _statistics: &mut Statistics) {}

        fn end(self: Arc<Self>, _deadline: Instant) -> BoxFuture<'static, u64> {
            Box::pin(future::ready(0))
        }
    }

    fn surfaces(pool: Answers) -> Surfaces {
        let surfaces = Surfaces::default();
        surfaces.add(Arc::new(Named("workers.other", None)));
        surfaces.add(Arc::new(Named("workers.score", Some(pool))));
        surfaces
    }

    fn status(answer: Result<Response, Problem>) -> StatusCode {
        answer.unwrap_or_else(Problem::into_response).status()
    }

    #[tokio::test]
    async fn a_pool_that_does_not_answer_is_told_in_time() {
        for (pool, expected) in [
            (Answers::Well, StatusCode::OK),
            (Answers::Ended, StatusCode::SERVICE_UNAVAILABLE),
            (Answers::Never, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let surfaces = surfaces(pool);
            let answers = future::join(all(&surfaces), drain(&surfaces, "score", "7")).await;
            assert_eq!((status(answers.0), status(answers.1)), (expected, expected));
        }
    }

    #[tokio::test]
    async fn who_is_not_there_is_not_found() {
        let surfaces = surfaces(Answers::Well);
        for (pool, worker) in [("score", "8"), ("score", "x"), ("score", ""), ("other", "7"), ("workers.score", "7")] {
            assert_eq!(status(drain(&surfaces, pool, worker).await), StatusCode::NOT_FOUND, "{pool} {worker}");
        }
    }
}
