//! A worker of the SDK on the host's own door: what its callers see, beside what they
//! see of the same actor embedded.
//!
//! Over a loopback socket, so time is real; every wait is for something that happens.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::TaskKind;
use odeon_host::http::{Protocol, serve};
use odeon_sdk::{Ctx, Message, Reminder, Result, Worker, actor, spec_with};
use odeon_test_wire::{Rig, Told};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Told when a turn stands still, and what lets it go.
#[derive(Default)]
struct Signs {
    stands: Notify,
    go: Notify,
}

struct Basket {
    signs: Arc<Signs>,
}

#[actor(factory)]
impl Basket {
    async fn put(&mut self, ctx: &mut Ctx, item: String, count: u32) -> Result<()> {
        ctx.set(&item, &count)
    }

    async fn take(&mut self, ctx: &mut Ctx, count: u32) -> Result<u32> {
        ctx.set("taken", &count)?;
        Ok(count)
    }

    /// Has another basket take three, and this one, by a reminder.
    async fn pass_on(&mut self, ctx: &mut Ctx, to: String) -> Result<()> {
        ctx.set("passed", &true)?;
        ctx.send(Message::to("Basket", &to, "take")?.with(&3)?.id("b:1"));
        ctx.set_reminder("take", Reminder::after(Duration::ZERO).with(&4)?)?;
        ctx.drop_reminder("never");
        Ok(())
    }

    async fn stand_still(&mut self, ctx: &mut Ctx, text: String) -> Result<()> {
        self.signs.stands.notify_one();
        self.signs.go.notified().await;
        ctx.set("text", &text)
    }
}

/// A worker that runs until it is told to stop.
struct Running {
    stop: CancellationToken,
    signs: Arc<Signs>,
}

/// The address of a rig's gRPC door.
async fn address(rig: &Rig) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = serve(listener, Protocol::Grpc(4 << 10), rig.grpc.clone(), rig.tasks.clone());
    rig.tasks.spawn(TaskKind::Listener, serving);
    address
}

fn start(rig: &Rig, address: &str) -> Running {
    let (stop, signs) = (CancellationToken::new(), Arc::<Signs>::default());
    let shared = Arc::clone(&signs);
    let worker = Worker::connect(address.to_owned())
        .actor_with(move |_| Basket { signs: Arc::clone(&shared) })
        .run(stop.clone().cancelled_owned());
    rig.tasks.spawn(TaskKind::Process, async move { worker.await.unwrap() });
    Running { stop, signs }
}

async fn call(rig: &Rig, id: &str, method: &str, body: &str) -> Told {
    let path = format!("/v1.0/actors/Basket/{id}/method/{method}");
    rig.ask("PUT", &path).body(body.to_owned()).told().await
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_alike_wherever_the_actor_lives() {
    let (embedded, hosted) = (Rig::start().await, Rig::start().await);
    let signs = Arc::<Signs>::default();
    let native = spec_with(move |_| Basket { signs: Arc::clone(&signs) });
    embedded.engine.offer(vec![native]).await.unwrap();
    let _worker = start(&hosted, &address(&hosted).await);
    for (method, body, text) in [
        (
            "take",
            r#""three""#,
            "argument 'count': invalid type: string \"three\", expected u32 at line 1 column 7",
        ),
        ("take", "", "the body is empty; expected 'count'"),
        (
            "put",
            r#"{"item":"pears","count":-3}"#,
            "argument 'count': invalid value: integer `-3`, expected u32 at line 1 column 26",
        ),
        ("put", r#"{"item":"pears"}"#, "missing field `count` at line 1 column 16"),
    ] {
        let text =
            format!("invalid request: the arguments of method '{method}' do not fit: {text}");
        for rig in [&embedded, &hosted] {
            let told = call(rig, "b", method, body).await;
            assert_eq!(told.error(), (400, "ERR_BAD_REQUEST".into(), text.clone()));
            assert_eq!(told.header("odeon-actor-execution"), "none");
        }
    }
    for rig in [&embedded, &hosted] {
        let told = call(rig, "b", "put", r#"{"item":"pears","count":3}"#).await;
        assert_eq!(told.status, 200, "{told:?}");
    }
}

#[tokio::test]
async fn what_a_turn_of_a_worker_sends_out_arrives() {
    let rig = Rig::with_reminders().await;
    let _worker = start(&rig, &address(&rig).await);
    assert_eq!(call(&rig, "b", "pass_on", r#""c""#).await.status, 200);
    let taken = async |id: &str| {
        let path = format!("/v1.0/actors/Basket/{id}/state/taken");
        rig.ask("GET", &path).told().await.text().to_owned()
    };
    tokio::time::timeout(Duration::from_secs(30), async {
        while taken("c").await != "3" || taken("b").await != "4" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_call_that_meets_a_stopping_worker_is_served_by_the_next() {
    let rig = Rig::start().await;
    let address = address(&rig).await;
    let old = start(&rig, &address);
    let (told, late) = tokio::join!(call(&rig, "a", "stand_still", r#""x""#), async {
        old.signs.stands.notified().await;
        old.stop.cancel();
        let (late, ()) = tokio::join!(call(&rig, "b", "take", "3"), async {
            // The old worker refuses the call, or is not asked any more.
            let _new = start(&rig, &address);
            tokio::time::timeout(Duration::from_secs(10), async {
                while rig.hub.streams() < 2 {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .unwrap();
        });
        old.signs.go.notify_one();
        late
    });
    assert_eq!((late.status.as_u16(), late.text()), (200, "3"), "{late:?}");
    assert_eq!(told.status, 200, "the turn that ran was let end");
}

#[tokio::test]
async fn a_program_with_actors_is_told_that_its_settings_turn_them_off() {
    let builder = odeon_host::Builder::new("shop")
        .setting("placement-host-address", "")
        .actors(vec![spec_with(|_| Basket { signs: Arc::default() })]);
    let error = builder.start().await.unwrap_err();
    assert!(error.is_mistake());
    assert!(error.to_string().contains("--placement-host-address is empty"), "{error}");
}
