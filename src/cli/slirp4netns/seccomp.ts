/*
 * `--enable-seccomp` of slirp4netns: the system calls of a stack that serves, and of Bun's threads around it; everything
 * else does not exist for the process any more. It opens no file but to read it, makes sockets of IPv4 and IPv6 alone,
 * and no process. What nobody calls but who has taken the process over ends it.
 *
 * ENOSYS rather than EPERM: with it, libc and Bun do what they do on kernels that do not have a call yet, of which they
 * may take to newer ones in newer versions.
 */
import { compile } from "../../runtime/seccomp/compile.ts";
import type { Seccomp, SeccompArgument } from "../../runtime/seccomp/seccomp.ts";
import { hostArchitecture } from "../../sys/architecture.ts";
import { Errno } from "../../sys/errno.ts";
import { setInteger64 } from "../../sys/integer64.ts";
import { SIOCGIFINDEX } from "../../sys/interface-index.ts";
import { SIOCATMARK } from "../../sys/internet-socket.ts";
import { allocate } from "../../sys/memory.ts";
import { OpenFlag } from "../../sys/open.ts";
import { Prctl } from "../../sys/prctl.ts";
import { check, SystemCall, systemCall } from "../../sys/system-call.ts";

const SECCOMP_SET_MODE_FILTER = 1;
const INSTRUCTION_SIZE = 8;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const CLONE_THREAD = 0x10000;
/** All namespaces' flags of clone(2). */
const NAMESPACE_FLAGS = 0x7e020000;
const PR_SET_VMA = 0x53564d41;
/** All that opens a file for more than to read what is there. */
const WRITING = OpenFlag.O_WRONLY | OpenFlag.O_RDWR | OpenFlag.O_CREAT | OpenFlag.O_TRUNC | OpenFlag.O_APPEND;

const SOCKETS = [
  "accept4",
  "bind",
  "connect",
  "getsockname",
  "getsockopt",
  "listen",
  "recvfrom",
  "recvmmsg",
  "recvmsg",
  "sendmmsg",
  "sendmsg",
  "sendto",
  "setsockopt",
  "shutdown",
];
const DESCRIPTORS = [
  "access",
  "close",
  "dup",
  "epoll_create1",
  "epoll_ctl",
  "epoll_pwait",
  "epoll_pwait2",
  "epoll_wait",
  "eventfd2",
  "faccessat",
  "faccessat2",
  "fcntl",
  "fstat",
  "getcwd",
  "getdents64",
  "lseek",
  "lstat",
  "newfstatat",
  "poll",
  "ppoll",
  "pread64",
  "preadv",
  "read",
  "readlink",
  "readlinkat",
  "readv",
  "signalfd4",
  "stat",
  "statx",
  "timerfd_create",
  "timerfd_gettime",
  "timerfd_settime",
  "write",
  "writev",
];
const MEMORY = ["brk", "madvise", "membarrier", "mincore", "mlock", "mmap", "mprotect", "mremap", "munlock", "munmap"];
/** tgkill stops the threads whose stacks the garbage collector looks through. */
const THREADS = [
  "exit",
  "exit_group",
  "futex",
  "futex_waitv",
  "get_robust_list",
  "getcpu",
  "getegid",
  "geteuid",
  "getgid",
  "getpid",
  "getppid",
  "getpriority",
  "getrandom",
  "getrusage",
  "gettid",
  "getuid",
  "prlimit64",
  "restart_syscall",
  "rseq",
  "rt_sigaction",
  "rt_sigpending",
  "rt_sigprocmask",
  "rt_sigreturn",
  "rt_sigsuspend",
  "rt_sigtimedwait",
  "sched_get_priority_max",
  "sched_get_priority_min",
  "sched_getaffinity",
  "sched_getattr",
  "sched_getparam",
  "sched_getscheduler",
  "sched_setattr",
  "sched_setparam",
  "sched_setscheduler",
  "sched_yield",
  "set_robust_list",
  "setpriority",
  "sigaltstack",
  "sysinfo",
  "tgkill",
  "uname",
];
const CLOCKS = ["clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time"];
/** What only an attacker wants. */
const FATAL = [
  "add_key",
  "bpf",
  "execve",
  "execveat",
  "fork",
  "init_module",
  "io_uring_setup",
  "kcmp",
  "kexec_load",
  "keyctl",
  "mount",
  "move_mount",
  "open_by_handle_at",
  "open_tree",
  "perf_event_open",
  "pidfd_getfd",
  "pivot_root",
  "process_vm_readv",
  "process_vm_writev",
  "ptrace",
  "request_key",
  "setns",
  "umount2",
  "unshare",
  "userfaultfd",
  "vfork",
];

function allow(names: readonly string[], ...args: readonly SeccompArgument[]) {
  return { names, action: "SCMP_ACT_ALLOW", args } as const;
}

function equals(index: number, value: number): SeccompArgument {
  return { index, value, op: "SCMP_CMP_EQ" };
}

/** @param value what the bits of `mask` are in the argument */
function masked(index: number, mask: number, value: number): SeccompArgument {
  return { index, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" };
}

const FILTER: Seccomp = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: Errno.ENOSYS,
  flags: ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
  syscalls: [
    allow([...SOCKETS, ...DESCRIPTORS, ...MEMORY, ...THREADS, ...CLOCKS]),
    allow(["socket"], equals(0, AF_INET)),
    allow(["socket"], equals(0, AF_INET6)),
    // Joined to each other; a socket that could be connected to the host's services cannot be made.
    allow(["socketpair"], equals(0, AF_UNIX)),
    allow(["ioctl"], equals(1, SIOCATMARK)),
    allow(["ioctl"], equals(1, SIOCGIFINDEX)),
    allow(["open"], masked(1, WRITING, 0)),
    allow(["openat"], masked(2, WRITING, 0)),
    // clone3's flags are in memory, where a filter cannot see them; libc then calls clone.
    allow(["clone"], masked(0, CLONE_THREAD | NAMESPACE_FLAGS, CLONE_THREAD)),
    allow(["prctl"], equals(0, Prctl.PR_SET_NAME)),
    allow(["prctl"], equals(0, PR_SET_VMA)),
    { names: FATAL, action: "SCMP_ACT_KILL_PROCESS" },
  ],
};

/**
 * Installs the filter for all threads of this process, those to come included; seccomp(2).
 * @throws BunkerError if the kernel refuses
 */
export function limitSystemCalls(): void {
  const what = "limit the system calls";
  // Without this right given up only root may install a filter. The kernel gives it up for the other threads as well.
  check(systemCall(SystemCall.prctl, Prctl.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), what);
  const { program, instructionCount, flags } = compile(FILTER, hostArchitecture());
  const instructions = allocate(instructionCount * INSTRUCTION_SIZE);
  instructions.buffer.set(program);
  const header = allocate(16);
  header.view.setUint16(0, instructionCount, true);
  setInteger64(header.view, 8, instructions.address);
  const result = check(systemCall(SystemCall.seccomp, SECCOMP_SET_MODE_FILTER, flags, header.address), what);
  // With TSYNC: the thread that has a filter which it could not follow from.
  if (result > 0) throw new Error(`thread ${result} cannot take the seccomp filter over`);
}
