//! Every route of the HTTP door: one line each, in one list.
//!
//! Adding a route is adding a line. What is not in the list, wrong verbs included,
//! falls to service invocation (http-api.md 1.3). Routes of building blocks that
//! are not there yet answer 501 and say what is missing.

use std::sync::LazyLock;

use futures::future::{BoxFuture, FutureExt};
use http::Method;

use super::answer::Answer;
use super::request::Call;
use super::{
    actors, health, keys, lock, metadata, odeon, reminders, secrets, shutdown, state, stores,
    timers,
};
use crate::status::Failure;

const GET: u8 = 1;
const POST: u8 = 2;
const PUT: u8 = 4;
const DELETE: u8 = 8;
/// Every other verb; only routes of any verb have it.
const OTHER: u8 = 1 << 7;
const ANY: u8 = u8::MAX;

type Handler = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result<Answer, Failure>>;

/// One line of the list.
pub(super) struct Route {
    verbs: u8,
    path: &'static str,
    run: Run,
    /// Answered also on the public port, and without a token (http-api.md 1.1, 1.4).
    access: Access,
}

enum Run {
    Handler(Handler),
    /// Not there yet; names what is missing.
    Missing(&'static str),
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Callers with the token, on the API port.
    Api,
    /// Also on the public port; with the token on the API port.
    Public,
    /// Everybody, and without trace headers on the answer: health.
    Health,
}

macro_rules! run {
    ($handler:path) => {{
        fn run(call: Call<'_>) -> BoxFuture<'_, Result<Answer, Failure>> {
            $handler(call).boxed()
        }
        run
    }};
}

const fn api(verbs: u8, path: &'static str, run: Handler) -> Route {
    Route { verbs, path, run: Run::Handler(run), access: Access::Api }
}

const fn public(verbs: u8, path: &'static str, run: Handler) -> Route {
    Route { verbs, path, run: Run::Handler(run), access: Access::Public }
}

const fn open(verbs: u8, path: &'static str, run: Handler) -> Route {
    Route { verbs, path, run: Run::Handler(run), access: Access::Health }
}

const fn missing(verbs: u8, path: &'static str, what: &'static str) -> Route {
    Route { verbs, path, run: Run::Missing(what), access: Access::Api }
}

const INVOKE: &str = "service invocation";
const PUBSUB: &str = "the pub/sub building block";
const BINDINGS: &str = "output bindings";
const CONFIGURATION: &str = "the configuration building block";
const WORKFLOW: &str = "workflows";
const JOBS: &str = "the jobs building block";
const CRYPTO: &str = "the cryptography building block";
const CONVERSATION: &str = "the conversation building block";

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    api(GET | POST | PUT | DELETE, "/v1.0/actors/{actorType}/{actorId}/method/{method}", run!(actors::invoke)),
    api(GET, "/v1.0/actors/{actorType}/{actorId}/state/{key}", run!(state::get)),
    api(POST | PUT, "/v1.0/actors/{actorType}/{actorId}/state", run!(state::transact)),
    api(POST, "/v1.0-alpha1/actors/{actorType}/{actorId}/deactivate", run!(actors::deactivate)),
    api(POST | PUT, "/v1.0/actors/{actorType}/{actorId}/reminders/{name}", run!(reminders::register)),
    api(GET, "/v1.0/actors/{actorType}/{actorId}/reminders/{name}", run!(reminders::get)),
    api(DELETE, "/v1.0/actors/{actorType}/{actorId}/reminders/{name}", run!(reminders::delete)),
    api(POST | PUT, "/v1.0/actors/{actorType}/{actorId}/timers/{name}", run!(timers::set)),
    api(DELETE, "/v1.0/actors/{actorType}/{actorId}/timers/{name}", run!(timers::drop)),

    api(GET, "/v1.0/state/{store}/{key}", run!(stores::get)),
    api(DELETE, "/v1.0/state/{store}/{key}", run!(stores::delete)),
    api(POST | PUT, "/v1.0/state/{store}", run!(stores::save)),
    api(POST | PUT, "/v1.0/state/{store}/bulk", run!(stores::bulk_get)),
    api(POST | PUT, "/v1.0/state/{store}/transaction", run!(stores::transact)),
    api(POST | PUT, "/v1.0-alpha1/state/{store}/query", run!(stores::query)),

    api(GET, "/v1.0/secrets/{store}/{key}", run!(secrets::get)),
    api(GET, "/v1.0/secrets/{store}/bulk", run!(secrets::all)),

    api(POST, "/v1.0-alpha1/lock/{store}", run!(lock::try_lock)),
    api(POST, "/v1.0-alpha1/unlock/{store}", run!(lock::unlock)),

    public(GET, "/v1.0/metadata", run!(metadata::get)),
    api(PUT, "/v1.0/metadata/{key}", run!(metadata::put)),
    open(GET, "/v1.0/healthz", run!(health::healthz)),
    open(GET, "/v1.0/healthz/outbound", run!(health::outbound)),
    api(POST, "/v1.0/shutdown", run!(shutdown::shutdown)),

    api(GET, "/odeon/v1/placement/owner", run!(odeon::owner)),
    api(GET, "/odeon/v1/actors", run!(odeon::actors)),
    api(GET, "/odeon/v1/actors/{actorType}", run!(odeon::listing)),
    api(GET, "/odeon/v1/actors/{actorType}/{actorId}", run!(odeon::inspect)),
    api(DELETE, "/odeon/v1/actors/{actorType}/{actorId}", run!(odeon::delete)),
    api(GET, "/odeon/v1/actors/{actorType}/{actorId}/explain", run!(odeon::explain)),
    api(GET, "/odeon/v1/actors/{actorType}/{actorId}/state", run!(keys::list)),
    api(POST, "/odeon/v1/actors/{actorType}/{actorId}/state/bulk", run!(keys::read)),
    api(POST, "/odeon/v1/actors/{actorType}/{actorId}/deactivate", run!(odeon::deactivate)),
    api(POST, "/odeon/v1/actors/{actorType}/{actorId}/move", run!(odeon::relocate)),
    api(GET, "/odeon/v1/reminders/{actorType}", run!(reminders::listing)),
    api(GET, "/odeon/v1/hosts", run!(odeon::hosts)),
    api(GET, "/odeon/v1/hosts/{name}", run!(odeon::host)),
    api(POST, "/odeon/v1/hosts/{name}/drain", run!(odeon::drain)),

    missing(ANY, "/v1.0/invoke/{app}/method", INVOKE),
    missing(ANY, "/v1.0/invoke/{app}/method/{*method}", INVOKE),
    missing(POST | PUT, "/v1.0/publish/{pubsub}/{*topic}", PUBSUB),
    missing(POST | PUT, "/v1.0-alpha1/publish/bulk/{pubsub}/{*topic}", PUBSUB),
    missing(POST | PUT, "/v1.0/bindings/{name}", BINDINGS),
    missing(GET, "/v1.0/configuration/{store}", CONFIGURATION),
    missing(GET, "/v1.0/configuration/{store}/subscribe", CONFIGURATION),
    missing(GET, "/v1.0/configuration/{store}/{id}/unsubscribe", CONFIGURATION),
    missing(GET, "/v1.0-alpha1/configuration/{store}", CONFIGURATION),
    missing(GET, "/v1.0-alpha1/configuration/{store}/subscribe", CONFIGURATION),
    missing(GET, "/v1.0-alpha1/configuration/{store}/{id}/unsubscribe", CONFIGURATION),
    missing(ANY, "/v1.0/workflows/{*path}", WORKFLOW),
    missing(ANY, "/v1.0-beta1/workflows/{*path}", WORKFLOW),
    missing(ANY, "/v1.0-alpha1/workflows/{*path}", WORKFLOW),
    missing(POST | GET | DELETE, "/v1.0/jobs/{name}", JOBS),
    missing(POST | GET | DELETE, "/v1.0-alpha1/jobs/{name}", JOBS),
    missing(PUT, "/v1.0-alpha1/crypto/{name}/encrypt", CRYPTO),
    missing(PUT, "/v1.0-alpha1/crypto/{name}/decrypt", CRYPTO),
    missing(POST, "/v1.0-alpha1/subtlecrypto/{name}/{operation}", CRYPTO),
    missing(POST, "/v1.0-alpha1/conversation/{name}/converse", CONVERSATION),
    missing(POST, "/v1.0-alpha2/conversation/{name}/converse", CONVERSATION),
];

/// The routes of each verb by themselves, so that a name which one verb has for its own is a
/// parameter like any other for the next: a key may be called `bulk`.
static ROUTERS: LazyLock<[(u8, matchit::Router<&'static Route>); 5]> = LazyLock::new(|| {
    [GET, POST, PUT, DELETE, OTHER].map(|verb| {
        let mut router = matchit::Router::new();
        for route in ROUTES.iter().filter(|route| route.verbs & verb != 0) {
            let inserted = router.insert(route.path, route);
            // A test walks the list, so a line that contradicts another never ships.
            debug_assert!(inserted.is_ok(), "{}: {inserted:?}", route.path);
        }
        (verb, router)
    })
});

/// The route of a cleaned path and a verb, with the parameters still escaped.
pub(super) fn find<'p>(
    method: &Method,
    path: &'p str,
) -> Option<(&'static Route, matchit::Params<'static, 'p>)> {
    let verb = bit(method);
    let (_, router) = LazyLock::force(&ROUTERS).iter().find(|(of, _)| *of == verb)?;
    let matched = router.at(path).ok()?;
    Some((matched.value, matched.params))
}

fn bit(method: &Method) -> u8 {
    match *method {
        Method::GET => GET,
        Method::POST => POST,
        Method::PUT => PUT,
        Method::DELETE => DELETE,
        _ => OTHER,
    }
}

impl Route {
    /// Who may use it.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Answers a call that was matched to it.
    pub(super) async fn run(&self, call: Call<'_>) -> Result<Answer, Failure> {
        match self.run {
            Run::Handler(run) => run(call).await,
            Run::Missing(what) => Err(Failure::unimplemented(what)),
        }
    }
}

/// What the door says of a path that no route has and that names an application.
pub(super) fn invocation_is_missing() -> Failure {
    Failure::unimplemented(INVOKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_can_be_reached() {
        for route in ROUTES {
            let path = route.path.replace("{*", "{").replace(['{', '}'], "");
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
                let found = find(&method, &path).map(|(route, _)| route.path);
                if route.verbs & bit(&method) != 0 {
                    assert_eq!(found, Some(route.path), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_verb_is_no_route() {
        assert!(find(&Method::GET, "/v1.0/shutdown").is_none());
        assert!(find(&Method::PATCH, "/v1.0/actors/t/i/method/m").is_none());
        assert!(find(&Method::HEAD, "/v1.0/healthz").is_none());
        assert!(find(&Method::PATCH, "/v1.0/invoke/a/method/b/c").is_some());
        assert!(find(&Method::POST, "/v1.0/actors/t/i/method/a/b").is_none());
        let (route, params) = find(&Method::GET, "/v1.0/state/s/bulk").unwrap();
        assert_eq!((route.path, params.get("key")), ("/v1.0/state/{store}/{key}", Some("bulk")));
    }
}
