//! What a system actor's turn may wait for (SYS-2): other system actors, and no application.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{ActorType, Execution, Kind as Sort};
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::error::Error;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Engine, Invocation, Reply, Turn};
use odeon_test_engine::{Kind, World};
use tokio::sync::mpsc;

/// Calls the actor that it is told of, in its turn; what came of that it tells outside.
#[derive(Debug)]
struct Bell(mpsc::UnboundedSender<Result<Reply, Error>>);

impl Behaviour for Bell {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async { Ok(Instance::Shared(Arc::new(()))) }.boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let whom = std::str::from_utf8(&call.body).unwrap();
            let (actor_type, id) = whom.split_once('/').unwrap();
            let actor = ActorRef::parse(actor_type, id).unwrap();
            let mut call = Invocation::new(actor, "count", "Actor/nobody");
            call.chain = turn.chain();
            self.0.send(Engine::of(turn).unwrap().call(call).await).unwrap();
            Ok(Reply::default())
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_actor_waits_for_no_application_in_its_turn() {
    let world = World::of(Kind::Placed);
    let host = world.host("a:1", Kind::Placed, TypeConfig::default()).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let actor_type = ActorType::parse("sys.bell").unwrap();
    let spec = TypeSpec {
        actor_type,
        config: TypeConfig { stateless: true, ..TypeConfig::default() },
        behaviour: Arc::new(Bell(tell)),
    };
    host.engine.offer(vec![spec]).await.unwrap();
    let ring = async |bell: &str, whom: &'static str| {
        let bell = ActorRef::parse("sys.bell", bell).unwrap();
        host.engine.call(Invocation::new(bell, "ring", whom)).await.unwrap();
    };
    ring("1", "Actor/x").await;
    let refused = told.recv().await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::SystemWaits { .. }), "{refused}");
    assert_eq!((refused.kind(), refused.execution()), (Sort::Unsupported, Execution::None));
    assert_eq!(world.probe.count("x count"), 0, "nothing ran");
    // Another system actor may be waited for; it is refused in its own turn.
    ring("1", "sys.bell/2").await;
    assert!(told.recv().await.unwrap().is_err());
    assert!(told.recv().await.unwrap().is_ok());
    // What an actor is called by in its turn does not carry the refusal further.
    assert_eq!(host.call("y", "nest", "Actor/x/count").await.unwrap(), "1");
}
