"""A clock that a test may turn under the feet of real processes: a small library that is loaded before the system's."""

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long *shift;

static long long seconds(void) {
  if (!shift) {
    int file = open(getenv("SHIFTED_CLOCK"), O_RDONLY);
    shift = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    close(file);
  }
  return *shift;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int done = syscall(SYS_clock_gettime, clock, at);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) at->tv_sec += seconds();
  return done;
}

int gettimeofday(struct timeval *at, void *zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  at->tv_sec = exact.tv_sec;
  at->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (at) *at = exact.tv_sec;
  return exact.tv_sec;
}
"""


@dataclass
class Clock:
    """`environment` makes a process follow it."""

    file: Path
    environment: dict[str, str]

    def turn(self, by: timedelta) -> None:
        """Set it this far from the true time, for all processes at once."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("q", int(by.total_seconds())))


def shifted_clock(folder: Path) -> Clock:
    """A clock that is right until it is turned. The test is skipped where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("turning the clock of a process needs Linux and a C compiler (cc)")
    library, file = folder / "clock.so", folder / "clock"
    (folder / "clock.c").write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, folder / "clock.c"], check=True)
    file.write_bytes(bytes(8))
    return Clock(file, {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(file)})
