//! What is done to a cluster while it works.
//!
//! A scenario says which deeds there are; the seed says when, to whom and for how long.
//! Each deed that excuses anything is told to the history as trouble, from before it begins.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::TaskKind;
use odeon_base::valve::Flow;
use odeon_test_history::{Trouble, What};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::host::{Clock, Process};
use crate::net::{Net, Node, Weather};
use crate::office::Office;
use crate::world::{ACTORS, Extra, World, actor};

/// Places for hosts.
const SLOTS: usize = 6;
/// For how long things are done.
const BUSY: Duration = Duration::from_secs(18);

/// What is done to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Hosts join, leave and restart in order.
    Calm,
    /// Five hosts restart in order, one after the other.
    Rolling,
    /// They die at once, too, at any await.
    Crash,
    /// They stand still, for less or more than a lease.
    Freeze,
    /// Ways are cut, one way or both, and connections reset.
    Partition,
    /// The store dies and comes back.
    Store,
    /// Placement dies or stands still, and comes back with its ledger.
    Placement,
    /// It dies for a moment while hosts that died are not given up yet.
    CrashBoth,
    /// It stands still, is replaced, and goes on beside its successor.
    OldLeader,
    /// Its ledger is lost, too.
    Amnesia,
    /// All of it, and a network that loses what is sent.
    Storm,
    /// Operators move actors about while hosts come, go and die.
    Moves,
    /// The same while placement dies, and hears from hosts who was moved.
    MovesRecalled,
    /// Clocks do not keep to anything: only the store can be trusted.
    WildClocks,
    /// Hosts come and go while a system actor rings actors that call it, too.
    Bells,
    /// All kinds of trouble, while actors wait for their reminders and the calendar is set.
    Reminders,
    /// The same, while a shop sells more than it has.
    Shop,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Calm,
        Self::Rolling,
        Self::Crash,
        Self::Freeze,
        Self::Partition,
        Self::Store,
        Self::Placement,
        Self::Amnesia,
        Self::Storm,
        Self::WildClocks,
        Self::Moves,
        Self::MovesRecalled,
        Self::CrashBoth,
        Self::OldLeader,
        Self::Bells,
        Self::Reminders,
        Self::Shop,
    ];

    /// How many of them are dealt to seeds; later ones are run by their name, so that a seed
    /// keeps its scenario.
    const DEALT: u64 = 16;

    /// The scenario of a seed that is run without one.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let place = usize::try_from(seed % Self::DEALT).unwrap_or_default();
        Self::ALL[place]
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Rolling => "rolling",
            Self::Crash => "crash",
            Self::Freeze => "freeze",
            Self::Partition => "partition",
            Self::Store => "store",
            Self::Placement => "placement",
            Self::CrashBoth => "crash-both",
            Self::OldLeader => "old-leader",
            Self::Amnesia => "amnesia",
            Self::Storm => "storm",
            Self::WildClocks => "wild-clocks",
            Self::Moves => "moves",
            Self::MovesRecalled => "moves-recalled",
            Self::Bells => "bells",
            Self::Reminders => "reminders",
            Self::Shop => "shop",
        }
    }

    /// The scenario of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// What there is beside the actors that clients call.
    pub(crate) fn extra(self) -> Extra {
        match self {
            Self::Bells => Extra::Bells,
            Self::Reminders => Extra::Reminders,
            Self::Shop => Extra::Shop,
            _ => Extra::None,
        }
    }

    pub(crate) fn weather(self) -> Weather {
        match self {
            Self::Storm | Self::WildClocks => Weather { most: 40, lost: Some(30) },
            _ => Weather { most: 4, lost: None },
        }
    }

    fn deeds(self) -> &'static [Deed] {
        match self {
            Self::Rolling => &[],
            Self::Calm | Self::Bells => &[Deed::Join, Deed::Leave, Deed::Restart, Deed::Restart],
            Self::OldLeader => &[Deed::OldLeader, Deed::OldLeader, Deed::Join, Deed::Restart],
            Self::Crash => &[
                Deed::Crash,
                Deed::Crash,
                Deed::CrashLeaver,
                Deed::Join,
                Deed::Restart,
                Deed::Leave,
            ],
            Self::Moves => &[
                Deed::Move,
                Deed::Move,
                Deed::Move,
                Deed::Move,
                Deed::Join,
                Deed::Restart,
                Deed::Crash,
            ],
            Self::MovesRecalled => &[
                Deed::Move,
                Deed::Move,
                Deed::Move,
                Deed::Join,
                Deed::Restart,
                Deed::PlacementCrash,
            ],
            Self::Freeze | Self::WildClocks => {
                &[Deed::Freeze, Deed::Freeze, Deed::Join, Deed::Restart, Deed::Leave]
            }
            Self::Partition => {
                &[Deed::Cut, Deed::Cut, Deed::Cut, Deed::LateGrant, Deed::Join, Deed::Restart]
            }
            Self::Store => &[Deed::StoreCrash, Deed::CutStore, Deed::Join, Deed::Restart],
            Self::Placement => {
                &[Deed::PlacementCrash, Deed::PlacementFreeze, Deed::Join, Deed::Restart]
            }
            Self::CrashBoth => &[
                Deed::CrashBoth,
                Deed::CrashBoth,
                Deed::CrashBoth,
                Deed::CrashLeaver,
                Deed::Join,
                Deed::Restart,
            ],
            Self::Amnesia => &[
                Deed::PlacementForgets,
                Deed::PlacementForgets,
                Deed::Join,
                Deed::Crash,
                Deed::Restart,
            ],
            Self::Reminders | Self::Shop => EVERYTHING,
            Self::Storm => &[
                Deed::Join,
                Deed::Leave,
                Deed::Restart,
                Deed::Crash,
                Deed::CrashLeaver,
                Deed::Freeze,
                Deed::Freeze,
                Deed::Cut,
                Deed::Cut,
                Deed::StoreCrash,
                Deed::CutStore,
                Deed::PlacementCrash,
                Deed::PlacementFreeze,
            ],
        }
    }
}

/// Something that is done to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Join,
    Leave,
    Restart,
    Move,
    Crash,
    CrashLeaver,
    CrashBoth,
    Freeze,
    Cut,
    CutStore,
    LateGrant,
    StoreCrash,
    PlacementCrash,
    PlacementFreeze,
    PlacementForgets,
    OldLeader,
    SetCalendar,
}

/// All that excuses nothing for ever, and the calendar.
const EVERYTHING: &[Deed] = &[
    Deed::Join,
    Deed::Leave,
    Deed::Restart,
    Deed::Restart,
    Deed::Crash,
    Deed::Crash,
    Deed::CrashLeaver,
    Deed::CrashBoth,
    Deed::Freeze,
    Deed::Cut,
    Deed::CutStore,
    Deed::StoreCrash,
    Deed::PlacementCrash,
    Deed::PlacementFreeze,
    Deed::SetCalendar,
    Deed::SetCalendar,
];

/// Who does it.
#[derive(Debug, Clone)]
pub(crate) struct Director {
    pub(crate) world: Arc<World>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) scenario: Scenario,
}

impl Director {
    /// A host starts in a free place, with a clock of its own.
    pub(crate) fn start_host(&self, slot: usize) -> Arc<Process> {
        let is_wild = self.scenario == Scenario::WildClocks;
        let rate = if is_wild { self.chance.between(0.3, 1.5) } else { rate(&self.chance) };
        let offset = self.chance.millis(0, 100_000);
        let process = Process::start(&self.world, slot, Clock::new(offset, rate, is_wild));
        // What was begun for the one before it in this place is done to it, too.
        let (world, trouble) = (Arc::clone(&self.world), Trouble::Host(process.life));
        self.world.tasks.spawn(TaskKind::Watcher, async move {
            loop {
                world.net.until_cut(Node::Host(slot), true).await;
                let id = world.number();
                world.log.add(What::Troubled { id, trouble });
                world.net.until_cut(Node::Host(slot), false).await;
                world.log.add(What::Calmed { id });
            }
        });
        process
    }

    /// Does things for a while, then sees to it that nothing is left of them.
    pub(crate) async fn run(&self) {
        let is_hopeless = matches!(self.scenario, Scenario::Storm | Scenario::WildClocks);
        if is_hopeless || self.world.office.has_low_terms() {
            let id = self.world.number();
            self.world.log.add(What::Troubled { id, trouble: Trouble::All });
            self.act().await;
            self.world.net.weather(Scenario::Calm.weather());
            // Terms below those that stores have seen come to light where one is touched.
            tokio::time::sleep(Duration::from_secs(12)).await;
            crate::life::touch_all(&self.world).await;
            self.world.log.add(What::Calmed { id });
        } else {
            self.act().await;
        }
    }

    /// How many hosts there are at first.
    pub(crate) fn hosts(&self) -> usize {
        if self.scenario == Scenario::Rolling { 5 } else { 3 + self.chance.below(3) }
    }

    async fn roll(&self) {
        let until = Instant::now() + BUSY;
        while Instant::now() < until {
            for slot in 0..self.world.running().len() {
                let Some(process) = self.world.process(slot) else { continue };
                process.leave(&self.world).await;
                tokio::time::sleep(self.chance.millis(0, 500)).await;
                let process = self.start_host(slot);
                process.engine.ready().await;
                tokio::time::sleep(self.chance.millis(0, 500)).await;
            }
        }
    }

    async fn act(&self) {
        if self.scenario == Scenario::Rolling {
            return self.roll().await;
        }
        let until = Instant::now() + BUSY;
        let mut doing = Vec::new();
        let haste = self.chance.millis(600, 4_000);
        while Instant::now() < until {
            let haste = u64::try_from(haste.as_millis()).unwrap_or(1_000);
            tokio::time::sleep(self.chance.millis(50, 2 * haste)).await;
            let Some(deed) = self.chance.pick(self.scenario.deeds()).copied() else { return };
            let director = self.clone();
            let doer = async move { director.deed(deed).await };
            doing.push(self.world.tasks.spawn(TaskKind::Watcher, doer));
        }
        for deed in doing {
            let _ = deed.await;
        }
    }

    async fn deed(&self, deed: Deed) {
        match deed {
            Deed::Join => self.join(),
            Deed::Leave => {
                if let Some(process) = self.spare() {
                    process.leave(&self.world).await;
                }
            }
            Deed::Restart => {
                if let Some(process) = self.spare()
                    && process.leave(&self.world).await
                {
                    tokio::time::sleep(self.chance.millis(0, 1_500)).await;
                    self.start_if_free(process.slot);
                }
            }
            Deed::Move => self.relocate().await,
            Deed::Crash => self.crash().await,
            Deed::CrashLeaver => self.crash_leaver().await,
            Deed::CrashBoth => self.crash_both().await,
            Deed::Freeze => self.freeze().await,
            Deed::Cut => self.cut().await,
            Deed::CutStore => self.cut_store().await,
            Deed::LateGrant => self.late_grant().await,
            Deed::StoreCrash => {
                self.troubled(Trouble::All, async {
                    // Where it came up once, it may go down again at once.
                    for _ in 0..1 + self.chance.below(4) {
                        self.world.store.crash();
                        tokio::time::sleep(self.chance.millis(5, 1_500)).await;
                        self.world.store.start();
                        tokio::time::sleep(self.chance.millis(20, 400)).await;
                    }
                })
                .await;
            }
            Deed::PlacementCrash | Deed::PlacementForgets => {
                self.placement(deed == Deed::PlacementForgets, 8_000).await;
            }
            Deed::OldLeader => self.old_leader().await,
            Deed::SetCalendar => {
                let by = i64::try_from(self.chance.below(12_000)).unwrap_or_default();
                self.world.calendar.set_by(if self.chance.one_in(2) { by } else { -by });
            }
            Deed::PlacementFreeze => {
                if self.world.office.is_up() {
                    self.troubled(Trouble::Placement, async {
                        self.world.office.flow(Flow::Shut);
                        tokio::time::sleep(self.chance.millis(100, 9_000)).await;
                        self.world.office.flow(Flow::Open);
                    })
                    .await;
                }
            }
        }
    }

    /// Some actors, one after the other, to some hosts, or back.
    async fn relocate(&self) {
        for _ in 0..1 + self.chance.below(8) {
            let (Some(asked), Some(to)) = (self.any(), self.any()) else { return };
            let number = u32::try_from(self.chance.below(ACTORS as usize)).unwrap_or_default();
            let actor = actor(number);
            let name = to.engine.config().host.clone();
            let to = (!self.chance.one_in(3)).then(|| name.as_str());
            // Who is refused, or hears nothing, has asked in vain: no call has to know.
            let _ = asked.engine.relocate(&actor, to, Duration::from_secs(5)).await;
        }
    }

    fn join(&self) {
        let free: Vec<usize> =
            (0..SLOTS).filter(|slot| self.world.process(*slot).is_none()).collect();
        if let Some(slot) = self.chance.pick(&free) {
            self.start_host(*slot);
        }
    }

    fn start_if_free(&self, slot: usize) {
        if self.world.process(slot).is_none() {
            self.start_host(slot);
        }
    }

    /// A host that may go: two stay.
    fn spare(&self) -> Option<Arc<Process>> {
        let open: Vec<_> = self.world.running().into_iter().filter(|host| host.is_open()).collect();
        (open.len() > 2).then(|| self.chance.pick(&open).cloned()).flatten()
    }

    fn any(&self) -> Option<Arc<Process>> {
        let running = self.world.running();
        self.chance.pick(&running).cloned()
    }

    async fn crash(&self) {
        // One who leaves may die on its way out, too.
        let running = self.world.running();
        if running.len() <= 2 {
            return;
        }
        let Some(process) = self.chance.pick(&running).cloned() else { return };
        process.crash(&self.world, self.chance.below(40) as u64).await;
        tokio::time::sleep(self.chance.millis(100, 9_000)).await;
        self.start_if_free(process.slot);
    }

    /// A host dies on its way out.
    async fn crash_leaver(&self) {
        let Some(process) = self.spare() else { return };
        let (leaver, world) = (Arc::clone(&process), Arc::clone(&self.world));
        let leaving = async move { leaver.leave(&world).await };
        let leaving = self.world.tasks.spawn(TaskKind::Watcher, leaving);
        tokio::time::sleep(self.chance.millis(1, 700)).await;
        if !process.gone.is_cancelled() {
            process.crash(&self.world, self.chance.below(40) as u64).await;
        }
        let _ = leaving.await;
        tokio::time::sleep(self.chance.millis(100, 9_000)).await;
        self.start_if_free(process.slot);
    }

    /// A host dies, and placement before it has given its actors away, or when it has just done
    /// so; it is back before any lease ends that another host has.
    async fn crash_both(&self) {
        let placement = async {
            tokio::time::sleep(self.chance.millis(0, 6_500)).await;
            self.placement(false, 2_000).await;
        };
        futures::join!(self.crash(), placement);
    }

    /// A placement that stands still is replaced, and goes on beside its successor: a host that
    /// starts then may find it first.
    async fn old_leader(&self) {
        let office = &self.world.office;
        if !office.may_be_replaced() {
            return;
        }
        self.troubled(Trouble::Placement, async {
            office.flow(Flow::Shut);
            tokio::time::sleep(self.chance.millis(20, 2_000)).await;
            Office::replace(&self.world).await;
            for slot in 0..SLOTS {
                self.world.net.reset(Node::Host(slot), Node::Placement);
            }
        })
        .await;
        tokio::time::sleep(self.chance.millis(0, 4_000)).await;
        office.thaw_former();
        self.join();
        tokio::time::sleep(self.chance.millis(6_000, 12_000)).await;
        office.end_former();
    }

    async fn freeze(&self) {
        let Some(process) = self.any() else { return };
        let long = if self.chance.one_in(2) { 12_000 } else { 3_000 };
        self.troubled(Trouble::Frozen(process.life), async {
            process.freeze_after(self.chance.below(40) as u64);
            tokio::time::sleep(self.chance.millis(50, long)).await;
            process.flow(Flow::Open);
        })
        .await;
    }

    /// Cuts ways between a host and somebody, one way or both; or breaks connections.
    async fn cut(&self) {
        let (Some(one), Some(two)) = (self.any(), self.any()) else { return };
        let (a, mut b) = (Node::Host(one.slot), Node::Host(two.slot));
        let mut ids = vec![self.begin(Trouble::Host(one.life))];
        match self.chance.below(4) {
            0 => b = Node::Store,
            1 | 2 => b = Node::Placement,
            _ => ids.push(self.begin(Trouble::Host(two.life))),
        }
        self.cut_between(a, b).await;
        ids.into_iter().for_each(|id| self.over(id));
    }

    async fn cut_store(&self) {
        let Some(host) = self.any() else { return };
        self.troubled(
            Trouble::Host(host.life),
            self.cut_between(Node::Host(host.slot), Node::Store),
        )
        .await;
    }

    /// Grants are held up until shortly before the lease would end, renewals from before then.
    async fn late_grant(&self) {
        let Some(process) = self.any() else { return };
        let (net, host) = (&self.world.net, Node::Host(process.slot));
        self.troubled(Trouble::Host(process.life), async {
            net.cut(Node::Placement, host);
            tokio::time::sleep(self.chance.millis(1_000, 1_600)).await;
            net.cut(host, Node::Placement);
            tokio::time::sleep(self.chance.millis(1_800, 2_600)).await;
            net.mend(Node::Placement, host);
            tokio::time::sleep(self.chance.millis(4_000, 8_000)).await;
            net.mend(host, Node::Placement);
        })
        .await;
    }

    async fn cut_between(&self, a: Node, b: Node) {
        let net: &Net = &self.world.net;
        let ways: &[(Node, Node)] = match self.chance.below(4) {
            0 => &[(a, b)],
            1 => &[(b, a)],
            2 => &[(a, b), (b, a)],
            _ => &[],
        };
        ways.iter().for_each(|(from, to)| net.cut(*from, *to));
        if ways.is_empty() || self.chance.one_in(3) {
            net.reset(a, b);
        }
        // One way may be whole again long before the other.
        let mut ends: Vec<_> =
            ways.iter().map(|way| (self.chance.millis(50, 9_000), *way)).collect();
        ends.sort();
        let start = Instant::now();
        for (after, (from, to)) in ends {
            tokio::time::sleep_until(start + after).await;
            net.mend(from, to);
        }
        if self.chance.one_in(2) {
            net.reset(a, b);
        }
    }

    /// The process dies, and is back after so many milliseconds at most.
    async fn placement(&self, forgets: bool, away_max: u64) {
        if !self.world.office.is_up() {
            return;
        }
        // Who lost its memory may refuse whom it forgot.
        let trouble = if forgets { Trouble::All } else { Trouble::Placement };
        self.troubled(trouble, async {
            self.world.office.kill(self.chance.below(20) as u64);
            tokio::time::sleep(self.chance.millis(20, away_max)).await;
            self.world.office.kill(0);
            if forgets {
                self.world.office.forget();
            }
            Office::start(&self.world).await;
        })
        .await;
    }

    fn begin(&self, trouble: Trouble) -> u64 {
        let id = self.world.number();
        self.world.log.add(What::Troubled { id, trouble });
        id
    }

    fn over(&self, id: u64) {
        self.world.log.add(What::Calmed { id });
    }

    async fn troubled(&self, trouble: Trouble, deed: impl Future<Output = ()>) {
        let id = self.begin(trouble);
        deed.await;
        self.over(id);
    }
}

/// A clock's rate, within what leases are made for; the worst more often than by chance.
pub(crate) fn rate(chance: &Chance) -> f64 {
    match chance.below(4) {
        0 => 0.9,
        1 => 1.1,
        _ => chance.between(0.9, 1.1),
    }
}
