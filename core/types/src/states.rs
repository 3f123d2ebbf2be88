//! The states of every resource that has some. The pictures in `docs/generated/states.md` are drawn from here.

use crate::machine;

machine! {
    /// What Isobar is doing with a server. What the cloud reports is [`Power`].
    Server {
        /// Accepted; no host has been chosen yet.
        Scheduling = "scheduling" Moving -> [Building, Failed, Deleting],
        /// A host is claimed; disks, addresses and the guest are being made.
        Building = "building" Moving -> [Running, Stopped, Failed, Deleting],
        Running = "running" Resting -> [Stopping, Rebooting, Rebuilding, Stopped, Failed, Deleting, Updating],
        Stopped = "stopped" Resting -> [Starting, Running, Resizing, Rebuilding, Reverting, Failed, Deleting, Updating],
        Starting = "starting" Moving -> [Running, Stopped, Failed],
        Stopping = "stopping" Moving -> [Stopped, Running, Failed],
        Rebooting = "rebooting" Moving -> [Running, Stopped, Failed],
        Resizing = "resizing" Moving -> [Stopped, Failed],
        Rebuilding = "rebuilding" Moving -> [Running, Stopped, Failed],
        Reverting = "reverting" Moving -> [Stopped, Running, Failed],
        /// A disk or an address is being attached or detached.
        Updating = "updating" Moving -> [Running, Stopped, Failed],
        /// The last operation did not succeed; `fault` says why.
        Failed = "failed" Resting -> [Starting, Stopping, Rebuilding, Running, Stopped, Deleting],
        Deleting = "deleting" Moving -> [Deleted, Failed],
        Deleted = "deleted" Final -> [],
    }
}

machine! {
    /// The power state that a cloud reported.
    Power {
        Unknown = "unknown" Resting -> [On, Off, Paused, Crashed, Missing],
        On = "on" Resting -> [Unknown, Off, Paused, Crashed, Missing],
        Off = "off" Resting -> [Unknown, On, Paused, Crashed, Missing],
        Paused = "paused" Resting -> [Unknown, On, Off, Crashed, Missing],
        Crashed = "crashed" Resting -> [Unknown, On, Off, Paused, Missing],
        /// The cloud no longer knows the server.
        Missing = "missing" Resting -> [Unknown, On, Off, Paused, Crashed],
    }
}

machine! {
    /// What a cloud can tell of the guest in a server that is on. A server that is off has none.
    Guest {
        /// It gave no sign yet since it was powered on.
        Booting = "booting" Resting -> [Up, Silent, Unknown],
        /// It gave a sign since it was powered on.
        Up = "up" Resting -> [Booting, Unknown],
        /// It gave no sign for five minutes; one may still come.
        Silent = "silent" Resting -> [Up, Booting, Unknown],
        /// The cloud cannot tell.
        Unknown = "unknown" Resting -> [Booting, Up],
    }
}

machine! {
    Disk {
        Creating = "creating" Moving -> [Available, InUse, Failed, Deleting],
        Available = "available" Resting -> [Attaching, InUse, Resizing, Deleting, Failed],
        Attaching = "attaching" Moving -> [InUse, Available, Failed],
        InUse = "in_use" Resting -> [Detaching, Resizing, Available, Deleting, Failed],
        Detaching = "detaching" Moving -> [Available, InUse, Failed],
        Resizing = "resizing" Moving -> [Available, InUse, Failed],
        Failed = "failed" Resting -> [Deleting, Available, InUse],
        Deleting = "deleting" Moving -> [Deleted, Failed],
        Deleted = "deleted" Final -> [],
    }
}

machine! {
    Snapshot {
        Creating = "creating" Moving -> [Available, Failed, Deleting],
        Available = "available" Resting -> [Reverting, Deleting, Failed],
        Reverting = "reverting" Moving -> [Available, Failed],
        Failed = "failed" Resting -> [Deleting, Available],
        Deleting = "deleting" Moving -> [Deleted, Failed],
        Deleted = "deleted" Final -> [],
    }
}

machine! {
    Network {
        Creating = "creating" Moving -> [Available, Failed, Deleting],
        Available = "available" Resting -> [Deleting, Failed],
        Failed = "failed" Resting -> [Deleting, Available],
        Deleting = "deleting" Moving -> [Deleted, Failed, Available],
        Deleted = "deleted" Final -> [],
    }
}

machine! {
    /// Whether a host may get new servers: only a ready one does.
    Host {
        /// It has joined; its facts are not known yet.
        Discovered = "discovered" Moving -> [Preparing, Ready, Degraded, Lost],
        /// Prerequisites are missing; `faults` names each in plain words.
        Preparing = "preparing" Moving -> [Ready, Degraded, Lost],
        Ready = "ready" Resting -> [Degraded, Draining, Maintenance, Lost, Preparing],
        Degraded = "degraded" Resting -> [Ready, Draining, Maintenance, Lost, Preparing],
        /// Takes no new servers; those that are there stay until they are deleted. With the last it is in maintenance.
        Draining = "draining" Moving -> [Maintenance, Ready, Lost, Degraded],
        /// Takes no new servers, and nobody waits for anything.
        Maintenance = "maintenance" Resting -> [Ready, Degraded, Draining, Preparing, Lost],
        Lost = "lost" Resting -> [Ready, Degraded, Preparing, Maintenance],
    }
}

machine! {
    Account {
        Connecting = "connecting" Moving -> [Connected, Failed, Deleting],
        Connected = "connected" Resting -> [Syncing, Failed, Deleting],
        Syncing = "syncing" Moving -> [Connected, Failed],
        Failed = "failed" Resting -> [Connecting, Syncing, Connected, Deleting],
        Deleting = "deleting" Moving -> [Deleted, Failed],
        Deleted = "deleted" Final -> [],
    }
}

machine! {
    Task {
        /// Nobody took it yet; a cancel ends it at once.
        Queued = "queued" Moving -> [Running, Cancelled],
        Running = "running" Moving -> [Succeeded, Undoing, Failed, NeedsOperator],
        Undoing = "undoing" Moving -> [Failed, Cancelled, NeedsOperator],
        Succeeded = "succeeded" Final -> [],
        Failed = "failed" Final -> [],
        Cancelled = "cancelled" Final -> [],
        /// An undo keeps failing, or the journal does not fit the code; a person must look.
        NeedsOperator = "needs_operator" Resting -> [Running, Undoing, Failed],
    }
}

machine! {
    /// One step of a task, as its journal has it.
    TaskStep {
        /// Its effect may or may not have happened.
        Started = "started" Moving -> [Done, Failed, Undone],
        Done = "done" Resting -> [Undone],
        /// It gave up; what it half did is undone with the rest.
        Failed = "failed" Resting -> [Undone],
        Undone = "undone" Final -> [],
    }
}

impl Task {
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! check {
        ($($machine:ident)*) => {$(
            for state in $machine::ALL {
                assert!(!state.is_transitional() || !state.next().is_empty(), "{}::{state} has no exit", stringify!($machine));
                assert_eq!(state.as_str().parse::<$machine>().unwrap(), *state);
            }
        )*};
    }

    #[test]
    fn every_transitional_state_has_an_exit() {
        check!(Server Power Guest Disk Snapshot Network Host Account Task TaskStep);
    }

    #[test]
    fn a_move_that_is_not_in_the_table_is_refused() {
        let error = Server::Deleted.to(Server::Running).unwrap_err();
        assert_eq!(error.message, "it is deleted and cannot become running from there");
    }
}
