//! A shell on the machine for a person at a terminal.

use crate::{Error, Machine};
use bytes::Bytes;
use russh::ChannelMsg;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};

impl Machine {
    /// Opens a login shell as root on the machine, at the terminal that this path names (`/dev/tty`), and returns its
    /// status when the person leaves it. The terminal is raw meanwhile, and as it was before afterwards, whatever
    /// happens; the size of its window is passed on.
    ///
    /// # Errors
    /// When the path is no terminal, no shell can be started, or the connection breaks.
    pub async fn shell(&mut self, terminal: &Path) -> Result<u32, Error> {
        let local = |error: io::Error| {
            Error::environment(format!("cannot use `{}` as a terminal", terminal.display()))
                .help("run it from a terminal")
                .caused_by(error)
        };
        let mut raw = Raw::open(terminal).map_err(local)?;
        let mut resized = signal(SignalKind::window_change()).map_err(local)?;
        let Ok(mut channel) = self.link.channel().await else {
            return Err(self.broken().await);
        };
        let (columns, rows) = raw.size();
        let term = std::env::var("TERM").unwrap_or_else(|_| "xterm-256color".into());
        let command = if self.seat.root { "exec ${SHELL:-/bin/sh} -l" } else { "exec sudo -n -i" };
        let asked = channel.request_pty(false, &term, columns, rows, 0, 0, &[]).await.is_ok()
            && channel.exec(true, command).await.is_ok();
        if !asked {
            return Err(self.broken().await);
        }
        let mut status = None;
        loop {
            tokio::select! {
                typed = raw.read() => {
                    let typed = typed.map_err(local)?;
                    let gone = typed.is_empty();
                    let sent = if gone { channel.eof().await } else { channel.data_bytes(typed).await };
                    if sent.is_err() {
                        return Err(self.broken().await);
                    }
                    if gone {
                        return Ok(status.unwrap_or(0));
                    }
                }
                _ = resized.recv() => {
                    let (columns, rows) = raw.size();
                    let _ = channel.window_change(columns, rows, 0, 0).await;
                }
                said = channel.wait() => match said {
                    Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                        raw.write(data).await.map_err(local)?;
                    }
                    Some(ChannelMsg::ExitStatus { exit_status }) => status = Some(exit_status),
                    Some(ChannelMsg::Failure) => {
                        return Err(Error::environment("the machine starts no shell")
                            .help("see whether its sshd allows terminals (`PermitTTY`)"));
                    }
                    Some(ChannelMsg::Close) => return Ok(status.unwrap_or(1)),
                    Some(_) => {}
                    None => match status {
                        Some(status) => return Ok(status),
                        None => return Err(self.broken().await),
                    },
                },
            }
        }
    }
}

/// A terminal that passes on every key, until it is dropped.
struct Raw {
    terminal: File,
    before: Termios,
    typed: Receiver<io::Result<Bytes>>,
    /// Its end ends the thread that reads.
    _reading: UnixStream,
}

impl Raw {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = i32::try_from(OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
        let terminal = File::options().read(true).write(true).custom_flags(flags).open(path)?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        let (reading, until) = UnixStream::pair()?;
        let (to, typed) = mpsc::channel(16);
        let keyboard = terminal.try_clone()?;
        // A thread and not the runtime's: a read that waits for a key would keep the program from ending.
        thread::Builder::new()
            .name("terminal".into())
            .spawn(move || read(keyboard, &until, &to))?;
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before, typed, _reading: reading })
    }

    /// Columns and rows.
    fn size(&self) -> (u32, u32) {
        match tcgetwinsize(&self.terminal) {
            Ok(size) if size.ws_col > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => (80, 24),
        }
    }

    /// What was typed; empty at its end.
    async fn read(&mut self) -> io::Result<Bytes> {
        self.typed.recv().await.unwrap_or(Ok(Bytes::new()))
    }

    async fn write(&self, bytes: Bytes) -> io::Result<()> {
        let mut terminal = self.terminal.try_clone()?;
        let write = tokio::task::spawn_blocking(move || terminal.write_all(&bytes));
        write.await.map_err(io::Error::other)?
    }
}

fn read(mut keyboard: File, until: &UnixStream, to: &Sender<io::Result<Bytes>>) {
    let mut buffer = [0; 4096];
    loop {
        let mut both = [PollFd::new(&keyboard, PollFlags::IN), PollFd::new(until, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) if !both[1].revents().is_empty() => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if both[0].revents().is_empty() {
            continue;
        }
        let read = keyboard.read(&mut buffer);
        let over = !matches!(read, Ok(1..));
        let read = read.map(|count| Bytes::copy_from_slice(&buffer[..count]));
        if to.blocking_send(read).is_err() || over {
            return;
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
