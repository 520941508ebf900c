"""Short turns on the processor, as the kernel knows them afterwards; in a process of its own, which keeps them."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

ASKED = """
import ctypes, json, struct, subprocess, sys, threading
from gateway.scheduling import ask_for_short_turns

def slice_of(thread):
    known = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall({get}, thread, known, 48, 0) == 0
    return struct.unpack("=IIQiIQQQ", known.raw)[5]

stop = threading.Event()
writer = threading.Thread(target=stop.wait, name="ledger-writer_0")
other = threading.Thread(target=stop.wait, name="another")
writer.start(), other.start()
usual = slice_of(other.native_id)
asked = ask_for_short_turns()
later = threading.Thread(target=stop.wait, name="later")
later.start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
threads = [threading.main_thread(), writer]
print(json.dumps([asked, *(slice_of(each.native_id) for each in threads)]))
print(json.dumps([slice_of(each) == usual for each in (other.native_id, later.native_id, child.pid)]))
child.communicate(b"\\n")
stop.set()
"""
GET = {"x86_64": 315, "aarch64": 275}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's scheduler")
def test_the_threads_that_hand_answers_on_ask_for_short_turns_and_no_other_does() -> None:
    script = ASKED.replace("{get}", str(GET[platform.machine()]))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (asked, *slices), usual = map(json.loads, run.stdout.splitlines())
    release = tuple(int(part) for part in platform.release().split(".")[:2])
    assert asked is True
    assert slices == ([100_000] * 2 if release >= (6, 12) else [0, 0])  # older ones take it and forget it
    assert usual == [True, True, True]
