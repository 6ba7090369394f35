"""What Linux offers to confine a process, by ctypes: namespaces, mounts, capabilities, a system-call filter.

Each function does one thing to the calling process and raises `OSError` with the kernel's reason. `sandbox` puts
them together.
"""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME = 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x0000_0080

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x2008_0522

#: By machine: its audit name, and the numbers of the system calls that are named here.
_MACHINES = {
    "x86_64": (
        0xC000_003E,
        {
            "clone": 56, "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "adjtimex": 159,
            "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
            "swapoff": 168, "reboot": 169, "init_module": 175, "delete_module": 176, "quotactl": 179,
            "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
            "unshare": 272, "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304,
            "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
            "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
        },
    ),
    "aarch64": (
        0xC000_00B7,
        {
            "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89,
            "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106,
            "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142, "settimeofday": 170,
            "adjtimex": 171, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "swapon": 224,
            "swapoff": 225, "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265,
            "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
            "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
        },
    ),
}  # fmt: skip
#: Numbers that all machines share: those of system calls added since 2019.
_SHARED = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "mount_setattr": 442,
}  # fmt: skip
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result = getattr(_libc(), name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def supported() -> str:
    """Empty where this machine is one that can be confined; otherwise why not."""
    if sys.platform != "linux":
        return "only Linux has the namespaces that the sandbox is made of"
    if platform.machine() not in _MACHINES:
        return f"the system calls of {platform.machine()} are not known to the sandbox"
    return ""


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names."""
    _call("unshare", ctypes.c_int(flags))


def map_self(uid: int, gid: int) -> None:
    """In a user namespace of its own: be known in it by the same ids as outside, and nobody else."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    _call("mount", source.encode(), bytes(target), kind.encode() or None, ctypes.c_ulong(flags), options.encode())


def bind(source: Path, target: Path, *, below: bool = True) -> None:
    """Show `source` at `target`, with what is mounted `below` it unless told otherwise."""
    mount(str(source), target, flags=MS_BIND | (MS_REC if below else 0))


def make_read_only(target: Path, *, below: bool = True) -> None:
    """Let nothing be written to the mount at `target`, nor, unless told otherwise, to those `below` it."""
    wanted = struct.pack("QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    call, flags = ctypes.c_long(_SHARED["mount_setattr"]), ctypes.c_uint(_AT_RECURSIVE if below else 0)
    _call("syscall", call, _AT_FDCWD, bytes(target), flags, wanted, ctypes.c_size_t(len(wanted)))


def change_root(new: Path) -> None:
    """Make `new` the root of all in this mount namespace, and let go of the old one."""
    os.chdir(new)
    _call("syscall", ctypes.c_long(_PIVOT_ROOT[platform.machine()]), b".", b".")
    _call("umount2", b".", MNT_DETACH)
    os.chdir("/")


def become(uid: int, gid: int) -> None:
    """Be another user, for good, and without a way to gain capabilities."""
    _drop_bounding_set()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)  # or /proc/self would belong to root


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _call("prctl", _PR_SET_PDEATHSIG, 9, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up every capability, now and after any exec."""
    _drop_bounding_set()
    header = struct.pack("II", _CAPABILITY_VERSION, 0)
    _call("capset", header, struct.pack("IIIIII", 0, 0, 0, 0, 0, 0))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _drop_bounding_set() -> None:
    for capability in range(64):
        if _libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break


def filter_system_calls() -> None:
    """Refuse the calls that administer a machine or look into other processes; and new namespaces.

    A second wall: the capabilities that most of them need are gone by then.
    """
    audit, numbers = _MACHINES[platform.machine()]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, eperm, enosys = 0x7FFF_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026
    namespaces = (
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
    )
    program = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    # x32: the same calls under other numbers
    program += [(at_least, 0, 1, 0x4000_0000), (give, 0, 0, eperm)]
    # glibc falls back to clone, whose flags can be read here
    program += [(equal, 0, 1, _SHARED["clone3"]), (give, 0, 0, enosys)]
    refused = {name: number for name, number in {**numbers, **_SHARED}.items() if name not in ("clone", "clone3")}
    for number in sorted(refused.values()):
        program += [(equal, 0, 1, number), (give, 0, 0, eperm)]
    program += [(equal, 0, 3, numbers["clone"]), (load, 0, 0, 16), (any_bit, 0, 1, namespaces), (give, 0, 0, eperm)]
    program += [(give, 0, 0, allow)]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filled = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filled, 0, 0)
