//! A simulation of the addresses under a seed: names whose addresses come, go and change their order, look-ups that fail, hang
//! or answer nothing, and connections that open and end. No failure costs a connection, and no address is lost or kept.

use super::*;
use crate::flow::simulation::{Random, simulate};

const PERIOD: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_millis(LEFT_ADDRESS_SILENCE_MS);
const LATEST: Duration = Duration::from_millis(LEFT_ADDRESS_MS_MAX);

/// A name as the world knows it.
struct Known {
    /// What is said of it now.
    truth: Vec<String>,
    /// The last answer that was one.
    answered: BTreeSet<String>,
    /// A look-up is under way.
    is_asked: bool,
    /// When the last look-up ended.
    told: Option<Instant>,
    failures: u32,
}

/// A connection as the world knows it.
struct Open {
    is_open: bool,
    /// When the last name that has the address told so, or something came from it.
    last: Instant,
    left: Option<Instant>,
}

struct World<'a> {
    random: &'a mut Random,
    core: AddressCore,
    let_go: LetGo,
    now: Instant,
    names: Vec<Known>,
    connected: BTreeMap<String, Open>,
    is_read: bool,
    places: u64,
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let let_go = random.one_of(&[LetGo::AtOnce, LetGo::Silent, LetGo::SilentOrLate]);
        let places = random.one_of(&[3, 10, 1_000]);
        let now = Instant::now();
        let mut core = AddressCore::new(PERIOD, let_go);
        let names = (0..=random.below(3)).map(|number| {
            assert_eq!(core.add(now), number as usize);
            Known { truth: Vec::new(), answered: BTreeSet::new(), is_asked: false, told: None, failures: 0 }
        });
        let names = names.collect();
        Self { random, core, let_go, now, names, connected: BTreeMap::new(), is_read: true, places }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0 => self.change_truth(),
            1..5 => self.answer(),
            5..9 => self.change_connection(),
            9 => self.is_read = !self.is_read || self.random.one_in(2),
            10..12 => self.hear(),
            _ => {
                let ms = self.random.one_of(&[1, 100, 250, 1_000, 6_000]);
                self.advance(Duration::from_millis(ms));
            }
        }
        self.act();
        self.check();
    }

    fn change_truth(&mut self) {
        let number = self.random.below(self.names.len() as u64) as usize;
        let count = self.random.one_of(&[0, 1, 2, 5, 400]).min(self.places);
        let truth: BTreeSet<_> = (0..count).map(|_| format!("tcp://{}:1", self.random.below(self.places))).collect();
        self.names[number].truth = truth.into_iter().collect();
    }

    /// A look-up that is under way ends.
    fn answer(&mut self) {
        let number = self.random.below(self.names.len() as u64) as usize;
        if !self.names[number].is_asked {
            return;
        }
        let fails = self.random.one_in(4);
        self.end_look_up(number, fails);
    }

    fn end_look_up(&mut self, number: usize, fails: bool) {
        let name = &mut self.names[number];
        let mut found = name.truth.clone();
        // In any order.
        for last in (1..found.len()).rev() {
            found.swap(last, self.random.below(last as u64 + 1) as usize);
        }
        name.is_asked = false;
        name.told = Some(self.now);
        let is_failure = fails || found.is_empty();
        let before = name.answered.clone();
        let taken = self.core.looked_up(number, (!fails).then_some(found), self.now);
        if is_failure {
            name.failures += 1;
            assert_eq!(taken, Taken { addresses: before.len(), left_out: 0 }, "a failure changes nothing");
        } else {
            name.failures = 0;
            let truth: BTreeSet<_> = name.truth.iter().cloned().collect();
            assert_eq!(taken.addresses + taken.left_out, truth.len());
            assert_eq!(taken.addresses, truth.len().min(NAME_ADDRESSES_MAX));
            if taken.left_out == 0 {
                name.answered = truth;
            } else {
                // Which are left out is seen from what is connected.
                name.answered = self.core.names[number].addresses.clone();
                assert!(name.answered.is_subset(&truth));
                assert!(before.intersection(&truth).count() <= NAME_ADDRESSES_MAX);
                assert!(before.intersection(&truth).all(|place| name.answered.contains(place)), "churn");
            }
        }
        let wanted: BTreeSet<_> = self.names.iter().flat_map(|name| name.answered.clone()).collect();
        for (place, open) in &mut self.connected {
            if wanted.contains(place) {
                (open.left, open.last) = (None, self.now);
            } else if open.left.is_none() {
                (open.left, open.last) = (Some(self.now), self.now);
            }
        }
    }

    fn place(&mut self) -> Option<String> {
        let count = self.connected.len() as u64;
        let at = (count > 0).then(|| self.random.below(count) as usize)?;
        self.connected.keys().nth(at).cloned()
    }

    fn change_connection(&mut self) {
        let Some(place) = self.place() else { return };
        let opens = self.random.one_in(2);
        self.connected.get_mut(&place).expect("it is there").is_open = opens;
        if opens { self.core.opened(&place) } else { self.core.ended(&place) }
    }

    fn hear(&mut self) {
        let Some(place) = self.place().filter(|place| self.connected[place].is_open && self.is_read) else { return };
        self.connected.get_mut(&place).expect("it is there").last = self.now;
        self.core.heard(&place);
    }

    fn advance(&mut self, time: Duration) {
        // Whoever drives the core ticks where something is due.
        let until = self.now + time;
        while let Some(due) = self.core.due().filter(|due| *due <= until) {
            assert!(due > self.now || self.is_read || self.now == due, "it is due in the past");
            self.now = self.now.max(due);
            self.tick();
            self.act();
            if self.core.due() == Some(due) {
                break;
            }
        }
        self.now = until;
        self.tick();
    }

    fn tick(&mut self) {
        if !self.is_read {
            self.connected.values_mut().for_each(|open| open.last = self.now);
        }
        self.core.tick(self.is_read, self.now);
    }

    fn act(&mut self) {
        for action in self.core.actions() {
            match action {
                Action::LookUp(number) => {
                    let name = &mut self.names[number];
                    assert!(!std::mem::replace(&mut name.is_asked, true), "two look-ups of a name at a time");
                    let pause = PERIOD * 2_u32.pow(name.failures.saturating_sub(1).min(DOUBLINGS_MAX));
                    assert!(name.told.is_none_or(|told| self.now >= told + pause), "it is looked up too often");
                }
                Action::Connect(place) => {
                    let open = Open { is_open: false, last: self.now, left: None };
                    assert!(self.connected.insert(place, open).is_none(), "connected twice");
                }
                Action::Disconnect(place) => {
                    let open = self.connected.remove(&place).expect("it is connected");
                    let left = open.left.expect("a name still has it");
                    let surplus = self.connected.values().filter(|open| open.left.is_some()).count()
                        >= NAME_ADDRESSES_MAX * self.names.len();
                    let is_late = self.let_go == LetGo::SilentOrLate && self.now >= left + LATEST;
                    let is_silent = self.now >= open.last + SILENCE;
                    let may = self.let_go == LetGo::AtOnce || !open.is_open || is_silent || is_late || surplus;
                    assert!(may, "it was let go of while messages came from it");
                }
            }
        }
    }

    fn check(&self) {
        let wanted: BTreeSet<_> = self.names.iter().flat_map(|name| &name.answered).collect();
        for place in &wanted {
            assert!(self.connected.contains_key(*place), "{place} is not connected to");
        }
        let left = self.connected.values().filter(|open| open.left.is_some()).count();
        assert_eq!(left, self.connected.len() - wanted.len());
        assert_eq!(left, self.core.left().count());
        assert_eq!(self.core.listens(), left > 0);
        assert!(left <= NAME_ADDRESSES_MAX * self.names.len(), "too many that left: {left}");
        assert!(self.let_go != LetGo::AtOnce || left == 0);
    }

    /// All look-ups succeed, and nothing more comes: what is connected is what the names have.
    fn calm_down(&mut self) {
        self.is_read = true;
        for name in &mut self.names {
            name.truth.push("tcp://last:1".to_owned());
            name.truth.truncate(NAME_ADDRESSES_MAX);
        }
        for _ in 0..100 {
            for number in 0..self.names.len() {
                if self.names[number].is_asked {
                    self.end_look_up(number, false);
                    self.act();
                }
            }
            self.advance(Duration::from_secs(1));
            self.act();
            self.check();
        }
        let truth: BTreeSet<_> = self.names.iter().flat_map(|name| name.truth.iter()).collect();
        assert_eq!(self.connected.keys().collect::<BTreeSet<_>>(), truth);
    }
}

#[test]
fn a_socket_is_connected_to_what_its_names_have_whatever_answers_come() {
    simulate(|random| {
        let mut world = World::new(random);
        let steps = world.random.one_of(&[100, 1_000]);
        for _ in 0..steps {
            world.step();
        }
        world.calm_down();
        steps
    });
}

#[test]
fn one_that_goes_on_sending_is_let_go_of_late_or_never() {
    for (let_go, is_kept) in [(LetGo::Silent, true), (LetGo::SilentOrLate, false)] {
        let mut now = Instant::now();
        let mut core = AddressCore::new(PERIOD, let_go);
        core.add(now);
        core.looked_up(0, Some(vec!["a".to_owned(), "b".to_owned()]), now);
        core.opened("a");
        core.looked_up(0, Some(vec!["b".to_owned()]), now);
        assert!(core.listens() && core.left().eq(["a"]));
        core.actions();
        for _ in 0..LATEST.as_secs() {
            now += Duration::from_secs(1);
            core.heard("a");
            core.tick(true, now);
        }
        let is_gone = core.actions().contains(&Action::Disconnect("a".to_owned()));
        assert_eq!(is_gone, !is_kept);
        if is_kept {
            core.ended("a");
            assert_eq!(core.actions(), [Action::Disconnect("a".to_owned())], "its peer has closed it");
        }
        assert!(!core.listens());
    }
}
