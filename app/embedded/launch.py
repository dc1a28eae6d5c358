"""Becomes a server. Run as a script in a new child, which it turns into the server by exec.

Usage: launch.py HOW UID GID STOP_SIGNAL PARENT_PID PROGRAM [ARGUMENT …]

Why a script and not `preexec_fn`: Python code between fork and exec may deadlock in a process
with threads, and our servers are restarted from one. It imports nothing of ours (-I -S: 15 ms).

HOW says who the server shall be, since PostgreSQL refuses to be root:
  self       who we are
  namespace  for root, and for a uid without an account, which initdb refuses too: some other
             account in a user namespace of its own, where it stands for our uid. Files stay
             ours; nothing is opened to other users, even below a home of mode 0700
  nobody     for root where user namespaces are forbidden, as in most containers: UID and GID,
             keeping of root's powers only the one to pass through folders (which it gives the
             server too), so that neither data nor program need a path open to others
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys

# <sched.h>, <sys/prctl.h>, <linux/capability.h>
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    how, uid, gid, stop_signal, parent_pid, *command = arguments
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    if how == "namespace":
        enter_user_namespace(libc)
    elif how == "nobody":
        become(libc, int(uid), int(gid))
    if sys.platform == "linux":
        end_with_parent(libc, int(stop_signal), int(parent_pid))
    os.execv(command[0], command)  # noqa: S606


def enter_user_namespace(libc: ctypes.CDLL) -> None:
    """Needs nothing but the kernel's leave; see user_namespaces(7)."""
    uid, gid = os.geteuid(), os.getegid()
    inside = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), uid)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are forbidden here")
    for name, line in (
        ("setgroups", "deny"),  # the kernel wants this before an unprivileged gid_map
        ("uid_map", f"{inside} {uid} 1"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def become(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        # The narrower power first; a container's root usually has only the wider one.
        _ = keep(libc, CAP_DAC_READ_SEARCH) or keep(libc, CAP_DAC_OVERRIDE)


def keep(libc: ctypes.CDLL, capability: int) -> bool:
    """Give up every capability but this one, and pass it on through exec. See capabilities(7)."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable
    if libc.capset(header, data) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def end_with_parent(libc: ctypes.CDLL, stop_signal: int, parent_pid: int) -> None:
    """The kernel sends us the signal when the thread that started us ends. Survives exec.

    Last, because a change of uid clears it.
    """
    libc.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the process that wanted a server is gone")


if __name__ == "__main__":
    main(sys.argv[1:])
