//! The screen: the terminal as it is while the user watches, and as it was before, whatever ends that.

use super::feed::{Feed, Seen};
use super::figures::Figures;
use super::view::View;
use crate::cli::output::render::one_line;
use crate::system::interrupt::{Interrupt, StopRequests};
use anyhow::Context;
use ratatui::Terminal;
use ratatui::backend::TermionBackend;
use ratatui::termion::event::Key;
use ratatui::termion::get_tty;
use ratatui::termion::input::TermRead;
use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Stdout, Write, stdin, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How often it is looked whether something new came, the terminal has another size, or the user wants an end.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// The other screen of the terminal, and its cursor hidden.
const TAKE: &str = "\x1b[?1049h\x1b[?25l";
/// The screen that was there before.
const GIVE_BACK: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal, which is given back when this goes.
struct Screen {
    terminal: Terminal<TermionBackend<Stdout>>,
    before: Termios,
    raw: Termios,
}

impl Screen {
    /// Takes the terminal of stdout: what is typed comes at once, and is not shown.
    fn take() -> anyhow::Result<Self> {
        let before = tcgetattr(stdout()).context("asking the terminal how it is set")?;
        let terminal = Terminal::new(TermionBackend::new(stdout())).context("opening the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        let screen = Self { terminal, before: before.clone(), raw };
        // The message of a panic is to stand where it can be read.
        let said = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back(&before);
            said(panic);
        }));
        screen.set()?;
        Ok(screen)
    }

    fn set(&self) -> anyhow::Result<()> {
        tcsetattr(stdout(), OptionalActions::Now, &self.raw).context("setting the terminal")?;
        write_out(TAKE).context("taking the terminal")
    }

    /// Leaves the terminal to others until the process is to go on.
    fn stop(&mut self) -> anyhow::Result<()> {
        give_back(&self.before);
        kill_process(getpid(), Signal::STOP).context("stopping")?;
        // A new one knows of nothing that is drawn already.
        self.terminal = Terminal::new(TermionBackend::new(stdout())).context("opening the terminal")?;
        self.set()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}

/// Has the terminal as it was. One that is gone needs nothing.
fn give_back(before: &Termios) {
    let _ = write_out(GIVE_BACK);
    let _ = tcsetattr(stdout(), OptionalActions::Flush, before);
}

fn write_out(text: &str) -> io::Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Shows what comes, until the user wants an end.
///
/// # Errors
/// When the terminal cannot be read or written.
pub(super) fn run(feed: &Feed, interrupt: &Interrupt, sort: Option<&str>) -> anyhow::Result<()> {
    let mut view = View::new(sort);
    let stop_requests = StopRequests::listen().context("listening to signals")?;
    let mut screen = Screen::take()?;
    let keys = keys()?;
    let (mut is_new, mut drawn_at) = (true, None);
    loop {
        let size = screen.terminal.size().context("asking how large the terminal is")?;
        if is_new || drawn_at != Some(size) {
            screen.terminal.draw(|frame| view.draw(frame)).context("drawing")?;
            drawn_at = Some(size);
        }
        // A key is followed at once, and what else comes a moment later.
        let key = keys.recv_timeout(LOOK);
        is_new = key.is_ok();
        match key {
            // A terminal that hands on all that is typed makes no signal of it.
            Ok(Key::Ctrl('z')) => kill_current_process_group(Signal::TSTP).context("stopping")?,
            Ok(key) if view.key(key) => return Ok(()),
            // Whoever watches without a keyboard ends it by a signal.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
        let seen = feed.next_within(Duration::ZERO);
        is_new |= seen.is_some();
        match seen {
            Some(Ok(Seen { now, earlier })) => view.show(Figures::new(&now, earlier.as_ref())),
            Some(Err(trouble)) => view.complain(format!("{}; waiting for it", one_line(&trouble))),
            None => {}
        }
        if interrupt.comes_within(Duration::ZERO) {
            return Ok(());
        }
        if stop_requests.is_there() {
            screen.stop()?;
            is_new = true;
        }
    }
}

/// What is typed, read in a thread that ends with the process.
fn keys() -> anyhow::Result<Receiver<Key>> {
    let (tell, told) = sync_channel(1);
    let mut read = move |key: io::Result<Key>| key.is_ok_and(|key| tell.send(key).is_ok());
    if stdin().is_terminal() {
        thread::spawn(move || stdin().keys().all(&mut read));
    } else {
        let terminal = get_tty().context("opening the terminal for what is typed")?;
        thread::spawn(move || terminal.keys().all(&mut read));
    }
    Ok(told)
}
