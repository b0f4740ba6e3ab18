/* Which system calls a sandbox may make whatever their arguments.
 *
 * The measure is what Docker's default profile gives a container without capabilities, minus what
 * research on escapes has cost others: ptrace and its kin, vmsplice and tee and splice (page cache
 * writes through pipes), legacy AIO, file handles, secret memory, mount listing. Calls that depend
 * on their arguments are in sandbox-arguments.c. Names that this machine's libseccomp or processor
 * does not know are passed over: not allowed is the safe side. */
#include "supervisor/confine/sandbox-filter.h"

const char *const confine_calls_allowed[] = {
	/* files and directories */
	"access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat",
	"dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir",
	"fchmod", "fchmodat", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr",
	"flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync",
	"ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown",
	"lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek",
	"lsetxattr", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2",
	"pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2",
	"rmdir", "sendfile", "setxattr", "stat", "statfs", "statx", "symlink", "symlinkat",
	"sync_file_range", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat",
	"utimes", "write", "writev",
	/* memory */
	"brk", "madvise", "membarrier", "memfd_create", "mincore", "mlock", "mlock2", "mlockall",
	"mmap", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc",
	"pkey_free", "pkey_mprotect",
	/* processes and threads */
	"arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork",
	"futex", "futex_waitv", "get_robust_list", "get_thread_area", "getcpu", "getpgid",
	"getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid", "gettid",
	"ioprio_get", "ioprio_set", "kill", "pause", "pidfd_open", "pidfd_send_signal", "prctl",
	"prlimit64", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
	"sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
	"set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority",
	"setrlimit", "setsid", "sigaltstack", "signalfd", "signalfd4", "tgkill", "tkill", "vfork",
	"wait4", "waitid",
	/* identity: refused by the kernel for lack of capabilities; PID 1 itself needs three */
	"getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid", "setfsgid",
	"setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid",
	"setuid",
	/* waiting, time and messages between processes */
	"alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
	"eventfd2", "getitimer", "getrandom", "gettimeofday", "mq_getsetattr", "mq_notify",
	"mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv",
	"msgsnd", "nanosleep", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "semctl",
	"semget", "semop", "semtimedop", "setitimer", "shmat", "shmctl", "shmdt", "shmget",
	"sysinfo", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "uname",
	/* sockets; which families is in sandbox-arguments.c, where to is decided by BPF */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"shutdown",
	/* a program may confine itself further */
	"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	NULL,
};

/* include/uapi/asm-generic/unistd.h; from 424 on the numbers are the same on every processor. */
const int confine_numbers_allowed[] = {
	449, /* futex_waitv, Linux 5.16 */
	451, /* cachestat, 6.5 */
	452, /* fchmodat2, 6.6 */
	454, /* futex_wake, 6.7 */
	455, /* futex_wait, 6.7 */
	456, /* futex_requeue, 6.7 */
	462, /* mseal, 6.10 */
	463, /* setxattrat, 6.13 */
	464, /* getxattrat, 6.13 */
	465, /* listxattrat, 6.13 */
	466, /* removexattrat, 6.13 */
	-1,
};

const char *const confine_calls_absent[] = {
	"clone3", /* its flags lie in memory, where no filter can see them; glibc falls back */
	"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
	"listmount", "map_shadow_stack", "splice", "statmount", "tee", "uretprobe", "vmsplice",
	NULL,
};

const char *const confine_calls_faked[] = {"sync", "syncfs", NULL};
