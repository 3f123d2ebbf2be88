//! Other programs, each with a limit after which it is killed. Blocks: call it where blocking is allowed.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use contract::{Error, Kind, Result};

/// What a program wrote, when it succeeded.
pub fn run(command: &mut Command, limit: Duration) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| {
        Error::unavailable(format!(
            "`{program}` cannot be started: install qemu-utils and qemu-system-x86"
        ))
        .because(e)
    })?;
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = wait(&mut child, limit);
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    match status {
        Some(status) if status.success() => Ok(out),
        Some(_) => Err(refused(&program, &String::from_utf8_lossy(&err))),
        None => Err(Error::new(
            Kind::Timeout,
            format!(
                "`{program}` did not end within {} seconds and was killed",
                limit.as_secs()
            ),
        )),
    }
}

/// The exit status, or `None` when the limit passed and the child was killed.
pub fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(pause),
            _ => break,
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    // It may have ended in between; either way it is gone and reaped.
    drop(child.kill());
    drop(child.wait());
    None
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(pipe) = pipe {
            // A pipe that breaks ends the text; the exit status tells the rest.
            drop(pipe.take(4 << 20).read_to_end(&mut text));
        }
        text
    })
}

fn refused(program: &str, stderr: &str) -> Error {
    let why = stderr.trim();
    let kind = match why {
        _ if why.contains("No space left") => Kind::Capacity,
        // Another qemu-img, left behind by a killed agent, still works on the file.
        _ if why.contains("lock") => Kind::Unavailable,
        _ => Kind::Broken,
    };
    Error::new(kind, format!("`{program}` failed")).because(std::io::Error::other(why.to_owned()))
}
